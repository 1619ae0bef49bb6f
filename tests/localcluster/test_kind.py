"""kind is given what a local control plane has, and where it cannot run the reason is said. No Docker is needed."""

import base64
from pathlib import Path

import pytest
import yaml
from harness import cluster_kind
from harness.cluster_kind import KIND_VERSION, NODE_IMAGES, admission, configuration

from localcluster import programs

ROOT = Path(__file__).parents[2]


def test_users_and_audit_are_those_of_a_local_control_plane(tmp_path: Path) -> None:
    config = configuration(tmp_path)
    (mount,) = config["nodes"][0]["extraMounts"]
    assert mount["hostPath"] == str(tmp_path)
    old, new = (yaml.safe_load(patch) for patch in config["kubeadmConfigPatches"])
    assert (old["apiVersion"], new["apiVersion"]) == ("kubeadm.k8s.io/v1beta3", "kubeadm.k8s.io/v1beta4")
    arguments = old["apiServer"]["extraArgs"]
    to_fill_in = {"feature-gates", "runtime-config"}
    """What API servers before 1.36 have to be told."""
    shared = {name: value for name, value in arguments.items() if name not in to_fill_in}
    assert {each["name"]: each["value"] for each in new["apiServer"]["extraArgs"]} == shared
    assert arguments.keys() - shared.keys() == to_fill_in
    assert all(isinstance(value, str) for value in arguments.values())
    files = {arguments[name] for name in ("token-auth-file", "audit-policy-file", "audit-log-path")}
    (volume,) = new["apiServer"]["extraVolumes"]
    assert volume["hostPath"] == mount["containerPath"]
    assert {str(Path(file).parent) for file in files} == {volume["mountPath"]}


def test_what_kind_writes_is_read(tmp_path: Path) -> None:
    data = base64.b64encode(b"PEM").decode()
    cluster = {"server": "https://127.0.0.1:34567", "certificate-authority-data": data}
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump({"clusters": [{"name": "kind-x", "cluster": cluster}]}))
    assert admission(tmp_path / "kubeconfig") == ("https://127.0.0.1:34567", b"PEM")


def test_images_are_pinned_and_of_the_three_newest_minor_versions() -> None:
    minor = int(programs.pinned("k8s.io/kubernetes").split(".")[1])
    assert [int(image.split(":v1.")[1].split(".")[0]) for image in NODE_IMAGES] == [minor, minor - 1, minor - 2]
    assert all(len(image.rpartition("@sha256:")[2]) == 64 for image in NODE_IMAGES)


def test_workflows_and_make_use_the_same_versions() -> None:
    workflow = (ROOT / ".github" / "workflows" / "test.yml").read_text()
    assert f"sigs.k8s.io/kind@{KIND_VERSION}" in workflow
    for image in NODE_IMAGES:
        assert image in workflow
    assert f"KIND_VERSION={KIND_VERSION}" in (ROOT / "Makefile").read_text()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ('echo "Server:"; echo "ERROR: Cannot connect to the Docker daemon at unix:///x. Is it running?" >&2; exit 1',
         "Cannot connect to the Docker daemon at unix:///x. Is it running?"),
        ("exit 3", "`docker info` ends with exit code 3"),
        ("echo fine", None),
    ],
)  # fmt: skip
def test_without_docker_the_reason_is_said(script, monkeypatch, body: str, reason: str | None) -> None:
    docker = script("docker", body)
    monkeypatch.setenv("PATH", f"{docker.parent}:/usr/bin:/bin")
    assert cluster_kind.missing() == ([reason] if reason else [])
    monkeypatch.setenv("PATH", "/nowhere")
    assert cluster_kind.missing() == ["docker is not installed"]
