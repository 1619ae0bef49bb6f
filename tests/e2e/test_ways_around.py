"""What people try to get something run that nobody approved, or by what nobody lent them."""

import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml
from harness.people import admit_people, approved, ask, vote
from harness.stage import API, OPERATOR, RUNNER, Json, Stage, deployment, proposal, workflow

from controller.api.workflow import ActionWorkflow
from controller.core.steps import proposal_name
from hack.hook_target import HookTarget

VALID_SECONDS = 2
LOG = {"action": "log-message", "parameters": {"message": "x"}}


@pytest.fixture(scope="module", autouse=True)
def _people(stage: Stage) -> None:
    """Everything here needs one approval, waiting two of them, and votes on cordoning are soon too old."""
    admit_people(stage)
    stage.policy("ask", approval={"required": 1})
    stage.policy("two", approval={"required": 2}, match={"actions": ["wait"]})
    stage.policy("brief", approval={"validSeconds": VALID_SECONDS}, match={"actions": ["restart-rollout"]})


def looked_again(stage: Stage, name: str) -> None:
    """Returns once the operator has seen all votes that were cast before: one more came, and was counted."""
    ask(stage, name)
    vote(stage, "alice", name)
    assert stage.outcome("ap", name)["outcome"] == "Succeeded"


def test_two_votes_of_one_user_are_one(stage: Stage) -> None:
    ask(stage, "twice", "wait", {"seconds": 1})
    for _ in range(2):
        assert "created" in vote(stage, "alice", "twice")
    looked_again(stage, "twice-marker")
    status = stage.status("ap", "twice")
    assert (status["phase"], status["approval"]["have"]) == ("AwaitingApproval", 1)
    vote(stage, "carol", "twice")
    assert stage.outcome("ap", "twice")["outcome"] == "Succeeded"


def test_a_vote_on_another_digest_is_none(stage: Stage) -> None:
    other = ask(stage, "shown-other", parameters={"message": "harmless"})["digest"]
    ask(stage, "digest")
    for digest in (other, "sha256:" + "0" * 64, stage.status("ap", "digest")["requestDigest"]):
        assert "created" in vote(stage, "alice", "digest", digest=digest)
    looked_again(stage, "digest-marker")
    status = stage.status("ap", "digest")
    assert (status["phase"], status["approval"]["have"]) == ("AwaitingApproval", 0)


def test_a_vote_that_is_too_old_is_none(stage: Stage) -> None:
    stage.apply(deployment("old", 1))
    ask(stage, "old", "restart-rollout", {"kind": "Deployment", "name": "old"}, suspend=True)
    vote(stage, "alice", "old")
    stage.phase("ap", "old", "Blocked")
    expires = datetime.fromisoformat(stage.status("ap", "old")["approval"]["expiresAt"])
    time.sleep(max(0.0, (expires - datetime.now(UTC)).total_seconds()))
    stage.kubectl("patch", "ap", "old", "--type=merge", "-p", '{"spec":{"suspend":false}}', user="bob")
    status = stage.phase("ap", "old", "AwaitingApproval")
    assert "attempts" not in status
    vote(stage, "carol", "old")
    assert stage.outcome("ap", "old")["outcome"] == "Succeeded"


EDITS: list[Json] = [
    {"parameters": {"message": "other"}}, {"parameters": None}, {"action": "wait"}, {"reason": "other"},
    {"ticket": "OPS-1"}, {"serviceAccountName": "default"}, {"serviceAccountName": None}, {"mode": "DryRun"},
    {"timeoutSeconds": 9}, {"retry": {"maxAttempts": 9}}, {"notBefore": "2099-01-01T00:00:00Z"},
    {"requestedBy": {"username": "alice"}}, {"activeDeadlineSeconds": 9},
]  # fmt: skip


def test_what_is_approved_cannot_be_edited(stage: Stage) -> None:
    ask(stage, "edited", suspend=True)
    vote(stage, "alice", "edited")
    stage.phase("ap", "edited", "Blocked")
    before = stage.get("ap", "edited")["spec"]
    for user, edits in (("bob", EDITS), (None, EDITS[:1])):
        for edit in edits:
            body = json.dumps({"spec": edit})
            told = stage.kubectl("patch", "ap", "edited", "--type=merge", "-p", body, user=user, check=False)
            assert "cannot change" in told, f"{edit}: {told}"
    assert stage.get("ap", "edited")["spec"] == before


def test_a_policy_that_is_loosened_while_something_waits_is_as_strict_for_it(stage: Stage) -> None:
    loosened = stage.policy("loose", approval={"required": 2}, match={"actions": ["log-message"]})
    stage.kubectl("wait", "--for=condition=Ready", f"actionpolicy/{loosened}", "--timeout=20s")
    ask(stage, "strict")
    vote(stage, "alice", "strict")
    stage.wait("ap", "strict", lambda status: status["approval"]["have"] == 1)
    stage.policy("loose", approval={"required": 1, "allowSelf": True}, match={"actions": ["log-message"]})
    looked_again(stage, "strict-marker")
    vote(stage, "bob", "strict")
    looked_again(stage, "strict-second-marker")
    status = stage.status("ap", "strict")
    assert (status["phase"], status["approval"]["required"], status["approval"]["have"]) == ("AwaitingApproval", 2, 1)
    stage.delete_policies(loosened)


def test_a_type_that_is_swapped_between_claim_and_recovery_repeats_nothing(stage: Stage, hook: HookTarget) -> None:
    """Of two PUTs that a crash cuts off, one type lets no lost answer be repeated, and is swapped for one that does."""
    plain = json.loads(stage.kubectl("get", "actiontype", "http-request", "-o", "json"))["spec"]

    def declare(name: str, **changes: Any) -> None:
        named = {"apiVersion": API, "kind": "ActionType", "metadata": {"name": name}}
        stage.apply({**named, "spec": {**plain, **changes}})

    once, again = f"once-{stage.namespace}", f"again-{stage.namespace}"
    declare(once, idempotent=False)
    declare(again)
    hook.delay_seconds = 2.0
    try:
        for name in (once, again):
            ask(stage, name, name, {"method": "PUT", "url": f"{hook.url}/{name}"})
            vote(stage, "alice", name)
        for name in (once, again):
            stage.wait("ap", name, lambda _, path=f"/{name}": hook.seen(path))
        stage.operator.kill()
    finally:
        hook.delay_seconds = 0.0
    declare(once, idempotent=True)
    declare(again, description="something else")
    stage.operator.start()
    status = stage.outcome("ap", once)
    assert status["outcome"] == "Unknown"
    held = stage.phase("ap", again, "Blocked")
    assert held["blocked"]["rule"] == "digest"
    assert "is another than the one that was approved" in held["message"]
    assert [len(hook.seen(f"/{name}")) for name in (once, again)] == [1, 1]
    declare(again)
    assert stage.outcome("ap", again)["outcome"] == "Succeeded"
    assert len({request.key for request in hook.seen(f"/{again}")}) == 1
    assert len(hook.seen(f"/{once}")) == 1
    stage.kubectl("delete", "actiontype", once, again)


def test_a_proposal_under_the_name_of_a_step_is_no_step(stage: Stage) -> None:
    """Its name is known as soon as the workflow waits; who makes it first gets nothing of what is approved there."""
    stage.kubectl("create", "-f", "-", input=yaml.safe_dump(workflow("flow", [{"name": "say", **LOG}])), user="bob")
    stage.phase("aw", "flow", "AwaitingApproval")
    name = proposal_name(ActionWorkflow.model_validate(stage.get("aw", "flow")), "say")
    ask(stage, name, parameters={"message": "something else"})
    vote(stage, "alice", "flow", kind="aw")
    status = stage.outcome("aw", "flow")
    assert status["outcome"] == "Failed"
    assert f"a proposal named {name} exists that was not made for this step" in status["message"]
    squatter = stage.status("ap", name)
    assert (squatter["phase"], approved(squatter)[0]) == ("AwaitingApproval", "False")


ELSEWHERE: list[tuple[str, Json, str]] = [
    ("namespace", {"kind": "Deployment", "name": "coredns", "replicas": 0, "namespace": "kube-system"},
     "parameters.namespace: is not a parameter of this action"),
    ("path", {"kind": "Deployment", "name": "../../kube-system/deployments/coredns", "replicas": 0},
     "parameters.name: must match"),
    ("encoded", {"kind": "Deployment", "name": "..%2f..%2fkube-system%2fdeployments%2fcoredns", "replicas": 0},
     "parameters.name: must match"),
    ("slash", {"kind": "Deployment", "name": "kube-system/coredns", "replicas": 0}, "parameters.name: must match"),
    ("query", {"kind": "Deployment", "name": "coredns?x=", "replicas": 0}, "parameters.name: must match"),
]  # fmt: skip
RUNNERS = ["kube-system:default", "kube-system/default", "../default", "system:serviceaccount:kube-system:default"]


def test_no_field_of_a_proposal_or_a_step_leads_to_another_namespace(stage: Stage) -> None:
    for name, parameters, told in ELSEWHERE:
        scale = {"action": "scale-workload", "parameters": parameters}
        stage.apply(proposal(f"to-{name}", **scale), workflow(f"to-{name}", [{"name": "first", **scale}]))
        for kind in ("ap", "aw"):
            status = stage.outcome(kind, f"to-{name}")
            assert status["outcome"] == "Failed"
            assert told in status["message"]
    for runner in RUNNERS:
        for body in (proposal("as", **LOG, serviceAccountName=runner),
                     workflow("as", [{"name": "first", **LOG}], serviceAccountName=runner)):  # fmt: skip
            assert "spec.serviceAccountName" in stage.apply(body, check=False)
    for field in ("namespace", "serviceAccountName", "subject"):
        told = stage.apply(workflow("field", [{"name": "first", **LOG, field: "kube-system"}]), check=False)
        assert f'unknown field "spec.steps[0].{field}"' in told
    assert visited(stage) <= {stage.namespace}


def test_a_runner_that_there_is_in_another_namespace_only_is_none(stage: Stage) -> None:
    """`root-ca-cert-publisher` is a ServiceAccount of kube-system."""
    scale = {"kind": "Deployment", "name": "old", "replicas": 0}
    stage.propose("foreign", "scale-workload", scale, serviceAccountName="root-ca-cert-publisher")
    status = stage.outcome("ap", "foreign")
    assert status["outcome"] == "Failed"
    assert f"there is no ServiceAccount root-ca-cert-publisher in namespace {stage.namespace}" in status["message"]
    assert visited(stage) <= {stage.namespace}


def visited(stage: Stage) -> set[str]:
    """The namespaces that the operator went to as this namespace's runner, by the API server's audit log."""
    runner = f"system:serviceaccount:{stage.namespace}:{RUNNER}"
    entries = map(json.loads, stage.cluster.audit_log.read_text().splitlines())
    return {
        entry["objectRef"]["namespace"]
        for entry in entries
        if entry["user"]["username"] == OPERATOR
        and (entry.get("impersonatedUser") or {}).get("username") == runner
        and "namespace" in (entry.get("objectRef") or {})
    }
