"""A real node by the command line: what it is cut off from, what it leaves when killed, and what `down` removes."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.waiting import eventually

from localcluster.controlplane import ControlPlane, stop
from localcluster.layout import Layout
from localcluster.namespaces import NODE_ADDRESS
from localcluster.node import cgroups, needs
from localcluster.node.images import BUSYBOX
from localcluster.node.settings import KERNEL

pytestmark = pytest.mark.timeout(1800)  # kubelet or the image may have to be built
PLACES = ("/var/lib/kubelet", "/var/lib/cni", "/var/log/pods", "/var/log/containers", "/run/netns", "/run/nri")
"""Where kubelet, containerd and the network plugins put things that are the machine's."""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    if reasons := needs.missing():
        pytest.skip(f"no real node here: {'; '.join(reasons)}")
    yield tmp_path / "one"
    stop(Layout(tmp_path / "one"))


def localcluster(*arguments: object) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "localcluster", *map(str, arguments)],
        capture_output=True, text=True, check=False, timeout=150,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def machine() -> dict[str, object]:
    """What a node could change for the whole machine: kernel settings, network, folders, mounts."""
    return {
        "kernel": [Path("/proc/sys", name).read_text() for name in (*KERNEL, "net/ipv4/ip_forward")],
        "network": [
            sorted((link["ifname"], link.get("master")) for link in json.loads(_run("ip", "-json", "link"))),
            _run("ip", "address", "show", "lo"),
        ],
        "folders": [place for place in PLACES if Path(place).exists()],
    }


def _run(*command: str) -> str:
    environment = os.environ | {"PATH": needs.path()}
    return subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout


def mounts(folder: Path) -> list[str]:
    return [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(folder) in line]


def groups(folder: Path) -> list[Path]:
    name = cgroups.name_for(folder)
    return [hierarchy / name for hierarchy in cgroups.hierarchies() if (hierarchy / name).exists()]


def processes(folder: Path) -> list[str]:
    """The command lines of those that belong to the folder, or run in the control group of its node."""
    inside = {
        pid for group in groups(folder) for file in group.rglob("cgroup.procs") for pid in file.read_text().split()
    }
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if entry.name in inside or str(folder) in command:
                found.append(command)
    return found


def start_pods(plane: ControlPlane) -> None:
    """Two pods that run on."""
    kubectl = [str(plane.kubectl), "--kubeconfig", str(plane.kubeconfig)]
    _run(*kubectl, "create", "deployment", "web", f"--image={BUSYBOX}", "--replicas=2")
    _run(*kubectl, "rollout", "status", "deployment/web", "--timeout=60s")


def test_its_pods_are_cut_off_and_all_goes_also_after_a_crash(folder: Path) -> None:
    before = machine()
    localcluster("up", "--real-node", "--dir", folder)
    plane = ControlPlane.attach(folder)
    start_pods(plane)
    assert machine() == before
    assert not mounts(folder)

    pid = str(plane.pid("node"))
    routes = json.loads(_run("nsenter", f"--target={pid}", "--net", "ip", "-json", "route"))
    assert [route["dst"] for route in routes] == ["10.212.0.0/24"]
    links = json.loads(_run("nsenter", f"--target={pid}", "--net", "ip", "-json", "link"))
    assert {link["ifname"] for link in links if not link["ifname"].startswith("veth")} == {"lo", "pods"}
    assert NODE_ADDRESS in _run("nsenter", f"--target={pid}", "--net", "ip", "address", "show", "lo")
    assert any("busybox" in command for command in processes(folder))

    supervisor = plane.state.supervisor
    os.kill(supervisor, signal.SIGKILL)
    eventually(lambda: not processes(folder), "all processes end with the one that owned them", 20)
    assert groups(folder)
    assert "removed what its real node had left" in localcluster("down", "--dir", folder)
    assert not groups(folder)
    assert not (folder / "node").exists()
    assert machine() == before

    localcluster("up", "--real-node", "--dir", folder)
    start_pods(ControlPlane.attach(folder))
    assert "stopped" in localcluster("down", "--dir", folder)
    assert not processes(folder)
    assert not groups(folder)
    assert not mounts(folder)
    assert not (folder / "node").exists()
    assert machine() == before
    assert list((folder / "logs" / "node" / "pods").glob("default_web-*")), "logs of pods stay for a look"
