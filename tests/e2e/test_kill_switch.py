"""Stop means stop, whatever an action is doing when the kill switch is flipped; and who ends it has a name."""

import json
import signal
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml
from harness.commands import actions
from harness.people import admit_people, approved, ask, vote
from harness.stage import API, AS_OPERATOR, Json, Stage, deployment, proposal, workflow

from hack.hook_target import HookTarget

VALID_SECONDS = 4


@pytest.fixture(scope="module", autouse=True)
def _people(stage: Stage) -> None:
    """Logging and restarts need an approval; the one of a restart is good for some seconds only."""
    admit_people(stage)
    stage.policy("ask", approval={"required": 1}, match={"actions": ["log-message", "restart-rollout"]})
    stage.policy("brief", approval={"validSeconds": VALID_SECONDS}, match={"actions": ["restart-rollout"]})


def halt(stage: Stage) -> str:
    """`kubectl actions halt` of the namespace; the name of the policy it made."""
    code, said, _ = actions(stage, "halt", "--reason", "bad deploy")
    assert code == 0
    return said.rpartition("apol/")[2].strip()


def resume(stage: Stage, name: str) -> None:
    assert actions(stage, "resume", f"apol/{name}")[0] == 0


def held(stage: Stage, kind: str, name: str, policy: str) -> Json:
    """The status once the halt holds it."""
    return stage.wait(
        kind, name, lambda status: (status.get("blocked") or {}).get("policy") == policy, what=f"not held by {policy}"
    )


def claims(status: Json) -> list[int]:
    return [attempt["number"] for attempt in status.get("attempts", ())]


def expiry(status: Json) -> datetime:
    """When the approval that it has is good no longer."""
    return datetime.fromisoformat(status["approval"]["expiresAt"])


def test_a_halt_holds_every_phase_and_what_is_still_good_goes_on_afterwards(stage: Stage, hook: HookTarget) -> None:
    def put(path: str, *answers: int) -> Json:
        return {"method": "PUT", "url": hook.script(path, answers)}

    steps = [
        {"name": "first", "action": "wait", "parameters": {"seconds": 3}},
        {"name": "second", "action": "http-request", "parameters": put("/second")},
    ]
    stage.apply(workflow("flow", steps), proposal("blocked", "http-request", put("/blocked"), suspend=True))
    stage.wait("aw", "flow", lambda status: status.get("steps") and status["steps"][0].get("uid"))
    stage.patch("aw", "flow", {"suspend": True})
    ask(stage, "awaiting")
    stage.apply(deployment("stale", 1))
    ask(stage, "stale", "restart-rollout", {"kind": "Deployment", "name": "stale"})
    for kind, name in (("aw", "flow"), ("ap", "blocked")):
        stage.phase(kind, name, "Blocked")
    soon = (datetime.now(UTC) + timedelta(seconds=6)).isoformat(timespec="seconds")
    retry = {"minWaitSeconds": 6, "maxWaitSeconds": 6, "jitterFraction": 0}
    stage.apply(
        proposal("scheduled", "http-request", put("/scheduled"), notBefore=soon),
        proposal("overdue", "http-request", put("/overdue"), notBefore=soon, startingDeadlineSeconds=1),
        proposal("retrying", "http-request", put("/retrying", 503), retry=retry),
        proposal("running", "wait", {"seconds": 8}),
    )
    for name, phase in (("scheduled", "Scheduled"), ("retrying", "Retrying"), ("running", "Running")):
        stage.phase("ap", name, phase)

    stage.operator.signal(signal.SIGSTOP)
    try:
        stage.propose("pending", "http-request", put("/pending"))
        policy = halt(stage)
    finally:
        stage.operator.signal(signal.SIGCONT)
    stage.propose("new", "http-request", put("/new"))
    stage.patch("ap", "blocked", {"suspend": False})
    stage.patch("aw", "flow", {"suspend": False})
    vote(stage, "alice", "stale")
    names = ("pending", "new", "blocked", "running", "scheduled", "retrying", "stale")
    for name in names:
        assert claims(held(stage, "ap", name, policy)) == ([1] if name in ("running", "retrying") else [])
    assert held(stage, "aw", "flow", policy)["steps"][1].get("uid") is None
    assert stage.outcome("ap", "overdue")["outcome"] == "Expired", "a halt keeps nothing alive beyond its deadline"
    vote(stage, "carol", "awaiting")
    assert claims(held(stage, "ap", "awaiting", policy)) == []
    reached = [request.path for request in hook.received]
    assert reached == ["/retrying"], "nothing else may have had an effect"
    time.sleep(max(0.0, (expiry(stage.status("ap", "stale")) - datetime.now(UTC)).total_seconds()))

    resume(stage, policy)
    for name in (*names, "awaiting"):
        if name != "stale":
            assert stage.outcome("ap", name)["outcome"] == "Succeeded", name
    assert stage.outcome("aw", "flow")["outcome"] == "Succeeded"
    again = stage.phase("ap", "stale", "AwaitingApproval")
    assert (approved(again)[0], claims(again)) == ("False", []), "its approval had passed meanwhile"


def test_no_gitops_tool_and_no_deletion_ends_a_halt(stage: Stage, hook: HookTarget) -> None:
    name = f"{stage.namespace}-git"
    spec: dict[str, Any] = {"match": {"namespaces": [stage.namespace]}, "mode": "Execute"}
    git = {"apiVersion": API, "kind": "ActionPolicy", "metadata": {"name": name}, "spec": spec}

    def sync() -> Json:
        """As a GitOps tool does it, again and again: server-side, by force, under a name of its own."""
        apply = ("apply", "--server-side", "--force-conflicts", "--field-manager=gitops", "-f", "-", "-o", "json")
        stored: Json = json.loads(stage.kubectl(*apply, input=yaml.safe_dump(git)))
        return stored

    sync()
    policy = halt(stage)
    stage.propose("due", "http-request", {"method": "PUT", "url": hook.url + "/due"})
    held(stage, "ap", "due", policy)
    first = sync()
    assert sync()["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"], "it would fight for ever"
    spec["limits"] = {"maxConcurrent": 100}
    generation = sync()["metadata"]["generation"]
    seen = f"--for=jsonpath={{.status.observedGeneration}}={generation}"
    stage.kubectl("wait", seen, f"actionpolicy/{name}", "--timeout=20s")

    told = stage.kubectl("delete", "actionpolicy", policy, check=False)
    assert f"ActionPolicy {policy} halts actions" in told
    assert f"run `kubectl actions resume apol/{policy}`" in told
    assert claims(stage.status("ap", "due")) == []
    assert "has halted actions here" in claim_by_hand(stage, "due")

    resume(stage, policy)
    assert stage.outcome("ap", "due")["outcome"] == "Succeeded"
    assert len(hook.seen("/due")) == 1
    records = [record["data"] for record in stage.operator.audit() if record["subject"] == f"ActionPolicy/{policy}"]
    ends = [(record["actor"], record["message"]) for record in records if record["reason"] == "KillSwitch"][-1]
    assert ends == ("admin", f"policy {policy} no longer halts actions, by admin")


def claim_by_hand(stage: Stage, name: str) -> str:
    """What the API server says to an operator that would begin, whatever it has seen."""
    at = "2026-01-01T00:00:00.000Z"
    attempt = {
        "number": 1, "id": "x", "operation": "x", "owner": "x", "typeDigest": "sha256:" + "0" * 64, "idempotent": True,
        "startedAt": at, "deadline": at,
    }  # fmt: skip
    body = json.dumps({"status": {"attempts": [attempt]}})
    return stage.kubectl(
        "patch", "ap", name, "--subresource=status", "--type=merge", "-p", body, *AS_OPERATOR, check=False
    )


def test_whoever_ends_a_halt_is_named_also_in_a_policy_of_their_own(stage: Stage) -> None:
    """Not made by the command, so not ended by it either: the change is what has a name."""
    name = stage.policy("own", halt=True, match={"actions": ["wait"]})
    stage.apply(proposal("later", "wait", {"seconds": 1}))
    held(stage, "ap", "later", name)
    code, _, told = actions(stage, "resume", f"apol/{name}")
    assert (code, "kubectl edit apol" in told) == (1, True)
    stage.delete_policies(name)
    assert stage.outcome("ap", "later")["outcome"] == "Succeeded"
    told_of = [record["data"] for record in stage.operator.audit() if record["subject"] == f"ActionPolicy/{name}"]
    assert [record["actor"] for record in told_of if record["reason"] == "KillSwitch"] == ["admin", "admin"]
