"""The settings of a real node, and what is said where there can be none; no node is started here."""

import json
import tomllib
from pathlib import Path

import pytest
import yaml

from localcluster.controlplane import ControlPlane
from localcluster.errors import LocalClusterError
from localcluster.layout import Layout
from localcluster.node import cgroups, needs, settings

ONE, TWO = Layout(Path("/somewhere/one")), Layout(Path("/somewhere/two"))


@pytest.mark.parametrize(
    ("major", "version", "service"), [(1, 2, "io.containerd.grpc.v1.cri"), (2, 3, "io.containerd.cri.v1.runtime")]
)
def test_containerd_gets_settings_of_its_own_version(major: int, version: int, service: str) -> None:
    read = tomllib.loads(settings.containerd(ONE, Path("/usr/lib/cni"), major))
    assert read["version"] == version
    plugins = read["plugins"]
    assert plugins[service]["restrict_oom_score_adj"] is True
    assert plugins[service]["cni"] == {"bin_dir": "/usr/lib/cni", "conf_dir": "/somewhere/one/node/cni"}
    assert plugins[service]["containerd"]["runtimes"]["runc"]["options"] == {"SystemdCgroup": False}
    if major == 1:
        assert plugins[service]["sandbox_image"] == settings.PAUSE
    else:
        assert plugins["io.containerd.cri.v1.images"]["pinned_images"] == {"sandbox": settings.PAUSE}


def test_pods_have_no_way_out_and_nodes_keep_apart() -> None:
    (bridge,) = json.loads(settings.network())["plugins"]
    assert bridge["ipMasq"] is False
    one, two = (yaml.safe_load(settings.kubelet(layout)) for layout in (ONE, TWO))
    assert one["cgroupRoot"] != two["cgroupRoot"]
    assert one["cgroupRoot"] == f"/{cgroups.name_for(ONE.root)}"
    assert one["authentication"]["anonymous"] == {"enabled": False}


def test_all_that_is_missing_is_said_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needs.sys, "platform", "linux")
    monkeypatch.setattr(needs.os, "geteuid", lambda: 0)
    monkeypatch.setattr(needs, "PATH", "")
    monkeypatch.setattr(needs, "PLUGIN_FOLDERS", (tmp_path,))
    reasons = needs.missing({"PATH": str(tmp_path)})
    for package in ("containerd", "runc", "busybox-static", "containernetworking-plugins"):
        assert any(f"(Debian: {package})" in reason for reason in reasons), package
    with pytest.raises(LocalClusterError, match=r"(?s)no real node can run here:.*\n  runc is not installed"):
        needs.tools({"PATH": str(tmp_path)})


def test_without_root_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needs.sys, "platform", "linux")
    monkeypatch.setattr(needs.os, "geteuid", lambda: 1000)
    assert needs.missing() == ["a real node takes root (namespaces, mounts, control groups)"]


def test_places_that_the_node_could_not_see_are_refused(tmp_path: Path) -> None:
    needs.refuse_hidden(tmp_path, Path("/opt/kubelet"))
    with pytest.raises(LocalClusterError, match=r"/var/lib/x: a real node has a /var/lib of its own"):
        needs.refuse_hidden(tmp_path, Path("/var/lib/x"))


def test_options_that_exclude_each_other_are_refused(localcluster, tmp_path: Path) -> None:
    answer = localcluster("up", "--dir", tmp_path / "x", "--real-node", "--api-only")
    assert answer.returncode == 1
    assert "--api-only and --real-node exclude each other" in answer.stderr


def test_images_go_to_real_nodes_only(tmp_path: Path) -> None:
    with (
        ControlPlane.start(tmp_path / "one", api_only=True) as plane,
        pytest.raises(LocalClusterError, match="no real node there that could take images"),
    ):
        plane.load_image(tmp_path / "image.tar")
