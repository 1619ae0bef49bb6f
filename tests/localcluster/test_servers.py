"""The command lines: what they always hold, and what the options change."""

import random
import re
import socket
from pathlib import Path

import pytest

from localcluster import servers
from localcluster.layout import Layout
from localcluster.ports import ADDRESS, Ports, is_free
from localcluster.spec import Spec

PORTS = Ports(20_001, 20_002, 20_003)


def lines(**options: bool) -> dict[str, str]:
    spec = Spec(Path("/somewhere"), {"kubelet": Path("/bin/kubelet")}, **options)
    plan = servers.command_lines(Layout(Path("/somewhere")), PORTS, spec, "member")
    return {name: " ".join(server.arguments) for name, server in plan.items()}


def test_nothing_listens_on_more_than_the_loopback_interface() -> None:
    for name, line in lines().items():
        urls = re.findall(r"(?:url\w*|bind-address|server-address)=(\S+)", line)
        assert all(ADDRESS in url for url in urls), name
    assert f"--bind-address={ADDRESS}" in lines()["kube-apiserver"]
    for name in ("kube-controller-manager", "kube-scheduler"):
        assert "--secure-port=0" in lines()[name]


def test_etcd_starts_first_and_api_only_has_no_controllers() -> None:
    assert list(lines()) == ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok"]
    assert list(lines(api_only=True)) == ["etcd", "kube-apiserver"]


def test_options_change_the_api_server() -> None:
    assert "--audit-log-path=/somewhere/audit.log" in lines()["kube-apiserver"]
    assert "audit" not in lines(audit=False)["kube-apiserver"]
    assert "priority-and-fairness" not in lines()["kube-apiserver"]
    loaded = lines(load=True)["kube-apiserver"]
    assert "--enable-priority-and-fairness=false" in loaded
    assert "--max-mutating-requests-inflight=0" in loaded


def test_a_real_node_takes_the_place_of_the_played_ones() -> None:
    real = lines(real_node=True)
    assert list(real) == ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "node"]
    assert f"--bind-address={ADDRESS}" in real["kube-apiserver"]
    assert "--authorization-mode=Node,RBAC" in real["kube-apiserver"]
    assert "NodeRestriction" in real["kube-apiserver"]
    assert "Node" not in lines()["kube-apiserver"]


def test_ports_are_different_free_and_not_those_of_outgoing_connections() -> None:
    seed = random.SystemRandom().randrange(2**32)
    ports = Ports.choose(random.Random(seed))  # noqa: S311
    chosen = {ports.etcd, ports.etcd_peer, ports.api_server}
    lowest_outgoing = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert len(chosen) == 3, f"seed {seed}"
    assert max(chosen) < lowest_outgoing, f"seed {seed}"


def test_a_port_with_a_listener_is_not_free() -> None:
    with socket.create_server((ADDRESS, 0)) as listener:
        assert not is_free(listener.getsockname()[1])


@pytest.mark.parametrize("kind", ["Node", "Pod"])
def test_stages_are_ours_alone(kind: str) -> None:
    texts = [path.read_text() for path in servers.STAGES.glob("*.yaml")]
    assert any(f"kind: {kind}}}" in text for text in texts)
