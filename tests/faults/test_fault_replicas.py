"""Two operators, one Lease: the leader ends, is killed, is frozen past its Lease and thawed, or loses the API server.

Each time the other goes on with what was under way, and nothing takes effect twice: changes in Kubernetes never, HTTP
calls only with the same Idempotency-Key.
"""

import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest
from effects import AuditTail, Hooks, effects_of
from harness import scrape
from harness.operator import Launch, OperatorProcess
from harness.stage import Json, deployment, proposal
from harness.waiting import eventually
from lanes import Lane, lane
from proxy import FaultProxy, Outage, fault_proxy

from localcluster.controlplane import ControlPlane

LEASE_SECONDS = 3
SERVED = ("--lease-seconds", str(LEASE_SECONDS), "--health-address", "127.0.0.1:0")
WARM_SECONDS = 60.0
TAKEN_SECONDS = 60.0
MANY = 8


@dataclass
class Pair:
    """A lane whose operator leads, and another that stands by behind a proxy of its own."""

    lane: Lane
    standby: OperatorProcess
    proxy: FaultProxy
    """Of the standby."""

    @property
    def leader(self) -> OperatorProcess:
        return self.lane.stage.operator

    def led_by_standby(self) -> None:
        """Waits until the other leads."""
        eventually(
            lambda: "this process leads" in self.standby.log,
            lambda: "the standby leads:\n" + self.standby.log[-2000:],
            TAKEN_SECONDS,
        )

    def leader_has_stepped_down(self) -> None:
        """Waits until the first one, thawed, has seen that it leads no more."""
        eventually(
            lambda: "this process leads no more" in self.leader.log,
            lambda: "the thawed one leads no more:\n" + self.leader.log[-2000:],
            TAKEN_SECONDS,
        )


@pytest.fixture
def pair(
    cluster: ControlPlane,
    operator_kubeconfig: Path,
    tmp_path: Path,
    hooked: Hooks,
    launch: Launch,
) -> Iterator[Pair]:
    with (
        lane(cluster, operator_kubeconfig, tmp_path / "a", hooked, options=SERVED, launch=launch) as own,
        fault_proxy(cluster.server, cluster.authority) as proxy,
    ):
        namespace = own.stage.namespace
        standby = OperatorProcess(
            proxy.kubeconfig(operator_kubeconfig, tmp_path / "kubeconfig"),
            tmp_path / "b",
            namespace=namespace,
            lease_name=namespace,
            options=("--grace-seconds", "3", *SERVED, "--identity", f"{namespace}-b"),
            launch=launch,
        )
        standby.start(wait=False)
        eventually(lambda: ready(standby), lambda: "the standby is ready:\n" + standby.log[-2000:], WARM_SECONDS)
        assert "this process leads" not in standby.log
        yield Pair(own, standby, proxy)
        if standby.exit_code() is None:
            standby.signal(signal.SIGCONT)
            standby.stop()
        if own.stage.operator.exit_code() is None:
            own.stage.operator.signal(signal.SIGCONT)


def ready(operator: OperatorProcess) -> bool:
    served = re.findall(r"probes at (http://[^/]+)/", operator.log)
    try:
        return bool(served) and scrape.get(f"{served[-1]}/readyz") == "ok\n"
    except OSError:
        return False


def under_way(own: Lane) -> list[str]:
    """Changes and calls, begun before the fault comes; their names."""
    names = []
    for number in range(MANY):
        name = f"scale-{number}"
        own.create(deployment(name, 1))
        own.create(proposal(name, "scale-workload", {"kind": "Deployment", "name": name, "replicas": 2}))
        called = f"call-{number}"
        path = f"/{own.stage.namespace}/{called}"
        own.create(proposal(called, "http-request", {"method": "PUT", "url": own.hooks.target.url + path}))
        names += [name, called]
    return names


def check_once(own: Lane, names: list[str], audit: AuditTail) -> None:
    """All end well; each change once, each call under one key."""
    for name in names:
        assert own.observer.wait(name, lambda status: status.get("outcome"), TAKEN_SECONDS), name
        raw: Json = own.observer.versions(name)[-1]
        assert raw["status"]["outcome"] == "Succeeded", (name, raw["status"])
        effects = effects_of(raw, own.hooks, audit)
        if raw["spec"]["action"] == "http-request":
            assert len({effect.key for effect in effects}) == 1, (name, effects)
        else:
            assert len(effects) == 1, (name, effects)


def begun(own: Lane, names: list[str]) -> bool:
    """Whether some have their outcome and others have not."""
    ended = [bool(own.observer.status(name).get("outcome")) for name in names if own.observer.versions(name)]
    return any(ended) and not all(ended)


@pytest.mark.parametrize("how", ["ends", "is killed", "is frozen", "loses the API server"])
def test_what_the_leader_had_under_way_takes_effect_once(how: str, pair: Pair) -> None:
    own = pair.lane
    audit = AuditTail.of(own.stage.cluster, own.stage.namespace)
    names = under_way(own)
    eventually(lambda: begun(own, names), "some are under way", TAKEN_SECONDS)
    match how:
        case "ends":
            assert pair.leader.stop() == 0
            pair.led_by_standby()
        case "is killed":
            pair.leader.kill()
            pair.led_by_standby()
        case "is frozen":
            pair.leader.signal(signal.SIGSTOP)
            pair.led_by_standby()
            check_once(own, names, audit)
            pair.leader.signal(signal.SIGCONT)
            pair.leader_has_stepped_down()
        case _:
            with own.proxy.outage(Outage.REFUSED):
                pair.led_by_standby()
                assert lost_at(pair.leader) <= led_at(pair.standby), "both led at the same time"
    check_once(own, names, audit)


def test_a_call_that_may_be_made_once_is_not_made_by_the_next_leader_too(pair: Pair) -> None:
    """Frozen while the target has the request and has not answered: nobody knows, so it is Unknown, not repeated."""
    own = pair.lane
    path = f"/{own.stage.namespace}/posted"
    own.hooks.on_receipt[path] = lambda number: pair.leader.signal(signal.SIGSTOP) if number == 1 else None
    own.create(proposal("posted", "http-request", {"method": "POST", "url": own.hooks.target.url + path}))
    pair.led_by_standby()
    assert own.observer.wait("posted", lambda status: status.get("outcome"), TAKEN_SECONDS)
    assert own.observer.status("posted")["outcome"] == "Unknown"
    pair.leader.signal(signal.SIGCONT)
    pair.leader_has_stepped_down()
    assert own.observer.status("posted")["outcome"] == "Unknown", "a final status never changes"
    assert len(own.hooks.received(path)) == 1


def lost_at(operator: OperatorProcess) -> datetime:
    return said_at(operator, "not leading any more")


def led_at(operator: OperatorProcess) -> datetime:
    return said_at(operator, "this process leads")


def said_at(operator: OperatorProcess, words: str) -> datetime:
    """The time of the first line of the log that says so."""
    (line, *_) = (line for line in operator.log.splitlines() if words in line)
    return datetime.fromisoformat(line.split(" ")[0])
