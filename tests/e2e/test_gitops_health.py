"""Every situation of every kind, brought about with a running operator: what kstatus, Argo CD and Flux make of it.

The objects kept for the unit tests must say the same. `RECORD_GITOPS=1 pytest tests/e2e/test_gitops_health.py` records
them anew.
"""

import json
import os
import secrets
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from harness.argo_health import argo_health
from harness.health_table import LIFE, LIVING, RECORDED, TABLE, recorded
from harness.kstatus import kstatus
from harness.people import admit_people, vote
from harness.stage import API, PLURALS, Json, Stage, deployment, proposal, staged, workflow

from controller.api.base import rfc3339
from controller.api.names import Phase
from hack.hook_target import HookTarget
from localcluster.controlplane import ControlPlane

RECORD = "RECORD_GITOPS" in os.environ
SHORT = {"ActionProposal": "ap", "ActionWorkflow": "aw"}
LOG: Json = {"message": "hello"}

SCALE: Json = {"kind": "Deployment", "name": "web", "replicas": 2}
LONG: Json = {"seconds": 600}
HELD: Json = {"suspend": True}
GRACE_SECONDS = 15
LOOKED_AT_SECONDS = 60.0
READ = ("Succeeded", "Ready", "Reconciling", "Stalled")
"""What is read for health; whether a deadline passed before or after validation is another matter."""
FINALIZER = "example.com/hold"
BY_STATUS = ("Pending", "New", "Deleting")
"""Brought about last, by stopping the operator or by deletion."""
STEPS: Json = {"description": "d", "steps": [{"name": "a", "action": "wait", "parameters": {"seconds": 1}}]}
MISSPELT: Json = {"description": "d", "steps": [{"name": "a", "action": "wiat"}]}
TYPE: Json = {"description": "d", "risk": "Low", "idempotent": True, "parameters": {"type": "object"}}
YEARLY: Json = {"schedule": "0 0 1 1 *", "workflow": STEPS | {"reason": "r"}}
DECLARED: dict[str, dict[str, Json]] = {
    "ActionType": {
        "Ready": TYPE | {"executor": {"builtIn": {"name": "wait", "version": 1}}},
        "NotReady": TYPE | {"executor": {"builtIn": {"name": "wait", "version": 99}}},
    },
    "ActionPolicy": {
        "Ready": {"match": {"actions": ["gitops-ready"]}, "mode": "Execute"},
        "Halting": {"match": {"actions": ["gitops-ready"]}, "halt": True},
        "NotReady": {"match": {"actions": ["gitops-ready"]}, "kinds": {"allowed": ["Secret"]}},
    },
    "ActionRunbook": {"Ready": STEPS, "Settling": MISSPELT, "NotReady": MISSPELT},
    "ActionSchedule": {
        "Ready": YEARLY,
        "Suspended": YEARLY | {"suspend": True},
        "NotReady": YEARLY | {"timeZone": "Europe/Berln"},
    },
}
"""What is declared in each situation, as its spec."""


@pytest.fixture(scope="module")
def stage(
    cluster: ControlPlane, operator_kubeconfig: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    """With time enough to see that something missing is not yet a fault."""
    name = f"gitops-health-{secrets.token_hex(3)}"
    cluster.api().post("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    options = ("--grace-seconds", str(GRACE_SECONDS))
    with staged(cluster, operator_kubeconfig, tmp_path_factory.mktemp(name), name, options=options) as ready:
        yield ready
    cluster.api().delete(f"/api/v1/namespaces/{name}")


@pytest.fixture(scope="module", autouse=True)
def _rules(stage: Stage) -> Iterator[None]:
    admit_people(stage)
    stage.apply(deployment("web", 1))
    stage.policy("ask", approval={"required": 1}, match={"actions": ["scale-workload"]})
    stage.policy("look", mode="Observe", match={"actions": ["pause-rollout"]})
    yield
    stage.kubectl(
        "patch", "actionpolicy", "gitops-halting", "--type=merge", "-p", '{"spec":{"halt":false}}', check=False
    )
    for kind, specs in DECLARED.items():
        stage.kubectl("delete", kind.lower(), *map(named, (*specs, "New")), "--ignore-not-found")


def situations(kind: str, hook: HookTarget) -> dict[str, tuple[str, Json, Json]]:
    """By situation: action, parameters, and what else is in the spec."""
    soon = rfc3339(datetime.now(UTC) + timedelta(hours=1))
    retry = {"maxAttempts": 5, "minWaitSeconds": 60}
    busy = {"method": "PUT", "url": hook.script(f"/busy-{kind}", [503] * 9)}
    lost = {"method": "POST", "url": hook.script(f"/lost-{kind}", [500] * 9)}
    return {
        "AwaitingApproval": ("scale-workload", SCALE, {}),
        "Scheduled": ("log-message", LOG, {"notBefore": soon}),
        "Blocked": ("log-message", LOG, HELD),
        "Running": ("wait", LONG, {}),
        "Retrying": ("http-request", busy, {"retry": retry}),
        "Succeeded": ("log-message", LOG, {}),
        "Observed": ("log-message", LOG, {"mode": "DryRun"}),
        "ObservedByPolicy": ("pause-rollout", {"name": "web"}, {}),
        "Failed": ("log-message", {}, {}),
        "Rejected": ("scale-workload", SCALE, {}),
        "Expired": ("log-message", LOG, HELD | {"startingDeadlineSeconds": 1}),
        "Cancelled": ("log-message", LOG, HELD),
        "Unknown": ("http-request", lost, {}),
    }


def manifest(kind: str, situation: str, action: str, parameters: Json, spec: Json) -> Json:
    name = situation.lower()
    if kind == "ActionProposal":
        return proposal(name, action, parameters, **spec)
    return workflow(name, [{"name": "only", "action": action, "parameters": parameters}], **spec)


def named(situation: str) -> str:
    return f"gitops-{situation.lower()}"


def declared(stage: Stage, kind: str, situation: str) -> Json:
    found: Json = json.loads(stage.kubectl("get", kind.lower(), named(situation), "-o", "json"))
    return found


def declare(stage: Stage, kind: str, situation: str, spec: Json) -> None:
    stage.apply({"apiVersion": API, "kind": kind, "metadata": {"name": named(situation)}, "spec": spec})


def has(condition: str) -> Callable[[Json], bool]:
    return lambda found: any(each["type"] == condition for each in found["status"].get("conditions", ()))


def when(stage: Stage, kind: str, situation: str, is_so: Callable[[Json], bool]) -> Json:
    """The object once that is so."""
    deadline = time.monotonic() + LOOKED_AT_SECONDS
    while not is_so(found := declared(stage, kind, situation)):
        assert time.monotonic() < deadline, yaml.safe_dump(found["status"])
        time.sleep(0.05)
    return found


def check(kind: str, situation: str, found: Json, stage: Stage) -> None:
    """The live object is as healthy as the table says, and is what is recorded."""
    row = TABLE[kind][situation]
    told = argo_health(found)
    assert (kstatus(found), told.status) == (row.kstatus, row.argo), told
    found["metadata"].pop("managedFields", None)
    if RECORD:
        file = RECORDED / kind / f"{situation}.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(yaml.safe_dump(found, sort_keys=False, width=110).replace(stage.namespace, "shop"))
    assert essence(found) == essence(recorded(kind, situation))


def essence(found: Json) -> tuple[Any, ...]:
    """What health is read from."""
    status = found["status"]
    conditions = [
        (each["type"], each["status"], each["reason"]) for each in status.get("conditions", ()) if each["type"] in READ
    ]
    seen = status["observedGeneration"] == found["metadata"]["generation"]
    return status.get("phase"), status.get("outcome"), conditions, seen, "deletionTimestamp" in found["metadata"]


def test_the_table_has_every_phase() -> None:
    assert {phase.value for phase in Phase} <= set(LIFE)


@pytest.mark.parametrize("kind", LIVING)
def test_every_phase_of_what_lives_and_ends(kind: str, stage: Stage, hook: HookTarget) -> None:
    short, wanted = SHORT[kind], situations(kind, hook)
    assert set(wanted) | set(BY_STATUS) == set(LIFE)
    stage.apply(*(manifest(kind, situation, *made) for situation, made in wanted.items()))
    stage.phase(short, "rejected", "AwaitingApproval")
    assert "created" in vote(stage, "alice", "rejected", decision="Reject", kind=short)
    stage.patch(short, "cancelled", {"cancelled": True})
    for situation in wanted:
        stage.phase(short, situation.lower(), situation.removesuffix("ByPolicy"))
        check(kind, situation, stage.get(short, situation.lower()), stage)
    stage.kubectl("patch", short, "succeeded", "--type=merge", "-p", f'{{"metadata":{{"finalizers":["{FINALIZER}"]}}}}')
    stage.kubectl("delete", short, "succeeded", "--wait=false")
    check(kind, "Deleting", stage.get(short, "succeeded"), stage)
    stage.kubectl("patch", short, "succeeded", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
    stage.operator.stop()
    try:
        if kind == "ActionProposal":
            check(kind, "Pending", stage.get(short, "running"), stage)
        stage.apply(manifest(kind, "New", "log-message", LOG, {}))
        check(kind, "New", stage.get(short, "new"), stage)
    finally:
        stage.operator.start()
        stage.kubectl("delete", PLURALS[short], "--all", "--wait=false")


@pytest.mark.parametrize("kind", DECLARED)
def test_what_is_declared_and_whether_it_can_be_carried_out(kind: str, stage: Stage) -> None:
    specs = DECLARED[kind]
    assert {"New", *specs} == set(TABLE[kind])
    for situation, spec in specs.items():
        declare(stage, kind, situation, spec)
        told = {"Settling": "Reconciling", "NotReady": "Stalled"}.get(situation, "Ready")
        check(kind, situation, when(stage, kind, situation, has(told)), stage)
    stage.operator.stop()
    try:
        declare(stage, kind, "New", specs["Ready"])
        check(kind, "New", declared(stage, kind, "New"), stage)
    finally:
        stage.operator.start()


def test_a_runbook_and_its_type_come_in_any_order_and_nothing_is_called_failed(stage: Stage) -> None:
    step = {"name": "a", "action": "gitops-late", "parameters": {"seconds": 1}}
    declare(stage, "ActionRunbook", "early", {"description": "d", "steps": [step]})
    waiting = when(stage, "ActionRunbook", "early", has("Reconciling"))
    assert kstatus(waiting) == "InProgress"
    seconds = {"type": "object", "properties": {"seconds": {"type": "integer"}}}
    declare(stage, "ActionType", "late", DECLARED["ActionType"]["Ready"] | {"parameters": seconds})
    try:
        ready = when(stage, "ActionRunbook", "early", lambda found: not has("Reconciling")(found))
        assert argo_health(ready).status == "Healthy", argo_health(ready).message
        assert kstatus(ready) == "Current"
    finally:
        stage.kubectl("delete", "actiontype/gitops-late", "actionrunbook/gitops-early")
