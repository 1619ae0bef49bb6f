"""Two operator processes on one API server, each with its share: shard a, and all the rest."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from harness.operator import OperatorProcess
from harness.stage import API, Json, Stage, proposal, staged, workflow

from controller.core.shard import SHARD_LABEL
from localcluster.controlplane import ControlPlane

WAIT = {"seconds": 1}


@dataclass
class Shards:
    """`stage.operator` works on all that is not of shard a; `a` on what is."""

    stage: Stage
    a: OperatorProcess

    def owners(self, name: str) -> set[str]:
        """The identities of the processes that claimed the attempts of a proposal."""
        attempts = self.stage.status("ap", name).get("attempts") or ()
        return {attempt["owner"].split("/")[0] for attempt in attempts}

    @property
    def rest_identity(self) -> str:
        return self.stage.namespace

    @property
    def a_identity(self) -> str:
        return f"{self.stage.namespace}-a"


@pytest.fixture
def shards(cluster: ControlPlane, operator_kubeconfig: Path, namespace: str, tmp_path: Path) -> Iterator[Shards]:
    rest = ("--selector", f"{SHARD_LABEL} notin (a)")
    with staged(cluster, operator_kubeconfig, tmp_path / "rest", namespace, options=rest) as stage:
        a = OperatorProcess(
            operator_kubeconfig,
            tmp_path / "a",
            namespace=namespace,
            lease_name=f"{namespace}-a",
            options=("--grace-seconds", "3", "--selector", f"{SHARD_LABEL}=a"),
        )
        a.start()
        yield Shards(stage, a)
        if a.exit_code() is None:
            a.stop()


def of(shard: str | None, manifest: Json) -> Json:
    """The manifest with the label."""
    labels = {SHARD_LABEL: shard} if shard else {}
    return manifest | {"metadata": manifest["metadata"] | {"labels": labels}}


def waiting(name: str, parameters: Json = WAIT, **spec: Any) -> Json:
    return proposal(name, "wait", parameters, **spec)


def test_each_process_does_its_share_and_what_it_makes_is_of_its_share_too(shards: Shards) -> None:
    stage = shards.stage
    steps = [
        {"name": "one", "action": "wait", "parameters": WAIT},
        {"name": "two", "action": "wait", "parameters": WAIT},
    ]
    stage.apply(
        of("a", waiting("ours")),
        of(None, waiting("plain")),
        of("nobody", waiting("unknown")),
        of("a", workflow("flow", steps)),
        of(None, workflow("plain-flow", steps)),
    )
    for kind, name in (("ap", "ours"), ("ap", "plain"), ("ap", "unknown"), ("aw", "flow"), ("aw", "plain-flow")):
        assert stage.outcome(kind, name)["outcome"] == "Succeeded", name
    assert shards.owners("ours") == {shards.a_identity}
    assert shards.owners("plain") == shards.owners("unknown") == {shards.rest_identity}
    for flow, identity, labels in (
        ("flow", shards.a_identity, {SHARD_LABEL: "a"}),
        ("plain-flow", shards.rest_identity, {}),
    ):
        for step in stage.status("aw", flow)["steps"]:
            made = stage.get("ap", step["proposal"])
            assert shards.owners(step["proposal"]) == {identity}
            assert {name: value for name, value in made["metadata"]["labels"].items() if name == SHARD_LABEL} == labels


def test_a_shard_whose_process_is_killed_keeps_no_other_and_goes_on_when_it_is_back(shards: Shards) -> None:
    stage = shards.stage
    stage.apply(of("a", waiting("running", {"seconds": 2})))
    stage.phase("ap", "running", "Running")
    shards.a.kill()
    stage.apply(of("a", waiting("later")), of(None, waiting("plain")))
    assert stage.outcome("ap", "plain")["outcome"] == "Succeeded"
    assert "outcome" not in stage.status("ap", "later")
    shards.a.start()
    assert stage.outcome("ap", "later")["outcome"] == "Succeeded"
    assert stage.outcome("ap", "running")["outcome"] == "Succeeded"
    assert shards.owners("running") == shards.owners("later") == {shards.a_identity}


def test_starts_in_an_hour_are_counted_across_shards(shards: Shards) -> None:
    stage = shards.stage
    stage.policy("hourly", limits={"maxPerHour": 4})
    names = [f"p-{number}" for number in range(8)]
    stage.apply(*(of("a" if number % 2 else None, waiting(name)) for number, name in enumerate(names)))
    settled = [
        stage.wait("ap", name, lambda status: status.get("outcome") or status.get("blocked"), what="neither")
        for name in names
    ]
    outcomes = [status.get("outcome") for status in settled]
    assert outcomes.count("Succeeded") + outcomes.count(None) == len(names)
    assert 1 <= outcomes.count("Succeeded") <= 4
    held = [status["blocked"]["rule"] for status in settled if not status.get("outcome")]
    assert set(held) == {"limits.maxPerHour"}


def test_a_limit_that_one_process_counts_holds_only_in_its_own_shard_and_blocks_elsewhere(shards: Shards) -> None:
    stage = shards.stage
    name = stage.policy("one", limits={"maxConcurrent": 1})
    stage.apply(of("a", waiting("ours")), of("a", waiting("ours-too")), of(None, waiting("plain")))
    assert stage.outcome("ap", "plain")["outcome"] == "Succeeded"
    for ours in ("ours", "ours-too"):
        status = stage.phase("ap", ours, "Blocked")
        assert status["blocked"]["policy"] == name
        assert f"the same label {SHARD_LABEL}" in status["message"]
    stage.kubectl("label", "actionpolicy", name, f"{SHARD_LABEL}=a")
    stage.apply(of(None, waiting("plain-later")))
    assert stage.phase("ap", "plain-later", "Blocked")["blocked"]["rule"] == "limits.maxConcurrent"
    for ours in ("ours", "ours-too"):
        assert stage.outcome("ap", ours)["outcome"] == "Succeeded"
    stage.kubectl("label", "actionpolicy", name, f"{SHARD_LABEL}-")
    assert stage.outcome("ap", "plain-later")["outcome"] == "Succeeded"


def test_the_shard_of_what_is_under_way_stays_and_a_schedule_may_change_its_own(shards: Shards) -> None:
    stage = shards.stage
    stage.apply(of("a", waiting("ours", {"seconds": 600})))
    stage.phase("ap", "ours", "Running")
    for change in (f"{SHARD_LABEL}=b", f"{SHARD_LABEL}-"):
        told = stage.kubectl("label", "--overwrite", "ap", "ours", change, check=False)
        assert f"the label {SHARD_LABEL} stays as it is once the object exists" in told
    stage.kubectl("label", "ap", "ours", "team=b")
    stage.patch("ap", "ours", {"cancelled": True})
    assert stage.outcome("ap", "ours")["outcome"] == "Cancelled"

    step = {"name": "one", "action": "wait", "parameters": WAIT}
    spec = {"schedule": "* * * * *", "timeZone": "UTC", "suspend": True,
            "workflow": workflow("any", [step])["spec"]}  # fmt: skip
    stage.apply({"apiVersion": API, "kind": "ActionSchedule", "metadata": {"name": "often"}, "spec": spec})
    stage.wait("actionschedules", "often", lambda status: status.get("conditions"))
    stage.kubectl("label", "actionschedule", "often", f"{SHARD_LABEL}=a")
    stage.patch("actionschedule", "often", {"suspend": False})
    stage.wait(
        "actionschedules",
        "often",
        lambda status: any(c["type"] == "Ready" and c["status"] == "True" for c in status["conditions"]),
        what="shard a does not take it up",
    )


def test_a_shard_without_a_lease_of_its_own_or_of_another_label_does_not_start(tmp_path: Path) -> None:

    for options, told in (
        (["--selector", f"{SHARD_LABEL}=a"], "give --lease-name beside --selector"),
        (["--selector", "team=a", "--lease-name", "x"], f"about the label {SHARD_LABEL} alone"),
    ):
        command = [sys.executable, "-m", "controller.operator.main", "run", "--kubeconfig", str(tmp_path / "none")]
        done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 1
        assert told in done.stderr
        assert "Traceback" not in done.stderr
