"""Preconditions and verify checks as a user sees them."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from harness.stage import Stage, deployment, proposal, workflow

from hack.hook_target import HookTarget

READY = "has(object.status.readyReplicas) && object.status.readyReplicas == object.spec.replicas"
QUICK = {"maxAttempts": 2, "minWaitSeconds": 0.1, "maxWaitSeconds": 0.2}
LOG = {"message": "hello"}


def of_deployment(name: str, expression: str, **fields: Any) -> dict[str, Any]:
    return {
        "resource": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
        "expression": expression,
        **fields,
    }


def of_url(url: str, expression: str, **fields: Any) -> dict[str, Any]:
    return {"http": {"url": url}, "expression": expression, **fields}


def label(stage: Stage, name: str, value: str) -> None:
    stage.kubectl("label", "deployment", name, f"ready={value}", "--overwrite")


def test_a_precondition_that_becomes_true_lets_the_action_start(stage: Stage, hook: HookTarget) -> None:
    stage.apply(deployment("gate", 1))
    url = hook.script("/after-gate", [200])
    check = of_deployment("gate", "object.metadata.labels['ready'] == 'yes'", timeoutSeconds=60)
    label(stage, "gate", "no")
    stage.propose("gated", "http-request", {"method": "POST", "url": url}, preconditions=[check])
    waiting = stage.phase("ap", "gated", "Running")
    assert "preconditions[0] is not true of Deployment gate" in waiting["preview"]["warnings"][0]
    assert waiting["runner"] == "ops", "the check reads as the runner"
    assert hook.seen("/after-gate") == []
    label(stage, "gate", "yes")
    status = stage.outcome("ap", "gated")
    assert status["outcome"] == "Succeeded"
    (attempt,) = status["attempts"]
    assert attempt["startedAt"] < attempt["preconditionsMetAt"] <= attempt["doneAt"]
    assert len(hook.seen("/after-gate")) == 1


def test_a_precondition_that_is_never_true_ends_it_without_an_effect(stage: Stage, hook: HookTarget) -> None:
    stage.apply(deployment("shut", 1))
    url = hook.script("/never-sent", [200])
    check = of_deployment("shut", "object.spec.replicas == 7", timeoutSeconds=1)
    stage.propose("shut", "http-request", {"method": "POST", "url": url}, preconditions=[check], retry=QUICK)
    status = stage.outcome("ap", "shut")
    assert (status["outcome"], status.get("retryCount")) == ("Failed", None), "what is false is not asked again"
    assert stage.condition(status, "Stalled")["reason"] == "PreconditionFailed"
    assert "preconditions[0] is not true of Deployment shut: object.spec.replicas == 7" in status["message"]
    assert hook.seen("/never-sent") == []


def test_a_precondition_that_cannot_be_told_is_tried_again_and_nothing_is_done(stage: Stage, hook: HookTarget) -> None:
    url = hook.script("/untold", [200])
    check = of_deployment("nowhere", READY)
    stage.propose("untold", "http-request", {"method": "POST", "url": url}, preconditions=[check], retry=QUICK)
    status = stage.outcome("ap", "untold")
    assert status["outcome"] == "Failed"
    assert [attempt["result"] for attempt in status["attempts"]] == ["NotDone", "NotDone"]
    assert "preconditions[0] cannot be told of Deployment nowhere" in status["message"]
    assert hook.seen("/untold") == []


def test_a_verify_check_that_becomes_true_completes_it(stage: Stage) -> None:
    stage.apply(deployment("seen", 1))
    check = of_deployment("seen", "object.metadata.labels['ready'] == 'yes'")
    label(stage, "seen", "no")
    stage.propose("seen", "log-message", LOG, verify=[check])
    stage.wait("ap", "seen", lambda status: status.get("attempts"))
    assert "outcome" not in stage.status("ap", "seen")
    label(stage, "seen", "yes")
    assert stage.outcome("ap", "seen")["outcome"] == "Succeeded"


@pytest.mark.parametrize(
    ("name", "answers", "outcome", "result"),
    [
        ("health-up", [503, {"ready": False}, {"ready": True}], "Succeeded", "Succeeded"),
        ("health-down", [{"ready": False}], "Failed", "NotVerified"),
        ("health-dark", [503], "Unknown", "CannotTell"),
    ],
)
def test_what_a_page_says_afterwards(
    stage: Stage, hook: HookTarget, name: str, answers: Sequence[Any], outcome: str, result: str
) -> None:
    check = of_url(hook.script(f"/{name}", [*answers, *answers[-1:] * 99]), "json.ready", timeoutSeconds=2)
    stage.propose(name, "log-message", LOG, verify=[check], retry=QUICK)
    status = stage.outcome("ap", name)
    assert status["outcome"] == outcome
    assert status["attempts"][-1].get("reason", "Succeeded") == result
    assert status["attempts"][-1]["doneAt"] == status["attempts"][0]["doneAt"], "it is done once"
    if outcome == "Unknown":
        assert "cannot be told: verify[0]" in status["message"]
        assert "answered with status 503" in status["message"]


def asserted(name: str, expression: str, **parameters: Any) -> dict[str, Any]:
    resource = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    return {"resource": resource, "expression": expression, **parameters}


@pytest.mark.parametrize(
    ("name", "parameters", "words"),
    [
        ("no-object", asserted("nowhere", "true"), "it is not there: "),
        ("no-key", asserted("keyless", "object.status.nope == 1"), 'there is no key "nope"'),
    ],
)
def test_an_assertion_that_cannot_be_told_is_looked_at_once_an_attempt(
    stage: Stage, name: str, parameters: Any, words: str
) -> None:
    stage.apply(deployment("keyless", 1))
    stage.propose(name, "assert", parameters, retry=QUICK)
    status = stage.outcome("ap", name)
    assert status["outcome"] == "Unknown"
    assert [attempt["reason"] for attempt in status["attempts"]] == ["CannotTell", "CannotTell"]
    assert words in status["message"]


def test_an_assertion_of_a_kind_that_is_not_served_fails_before_it_starts(stage: Stage) -> None:
    parameters = asserted("a", "true", timeoutSeconds=3600)
    parameters["resource"]["kind"] = "Deploymnt"
    stage.propose("no-kind", "assert", parameters)
    status = stage.outcome("ap", "no-kind")
    assert (status["outcome"], status.get("attempts")) == ("Failed", None)
    assert "there is no kind Deploymnt" in status["message"]


def test_what_an_assertion_waits_for_is_said(stage: Stage) -> None:
    stage.apply(deployment("unready", 1))
    parameters = asserted("unready", "object.metadata.labels.ready == 'yes'", timeoutSeconds=120)
    stage.propose("waits", "assert", parameters)
    told = 'attempt 1: still waiting: expression cannot be told of Deployment unready: there is no key "'
    stage.wait("ap", "waits", lambda status: status.get("message", "").startswith(told))
    label(stage, "unready", "yes")
    assert stage.outcome("ap", "waits")["outcome"] == "Succeeded"


def test_kill_9_while_a_precondition_is_waited_for_leaves_nothing_in_doubt(stage: Stage, hook: HookTarget) -> None:
    """Of what may run at most once, too: that it was not sent is written down."""
    stage.apply(deployment("slow", 1))
    url = hook.script("/once", [200])
    label(stage, "slow", "no")
    check = of_deployment("slow", "object.metadata.labels['ready'] == 'yes'", timeoutSeconds=120)
    stage.propose("once", "http-request", {"method": "POST", "url": url}, preconditions=[check])
    for number in (1, 2):
        stage.wait("ap", "once", lambda status, n=number: len(status.get("attempts") or ()) == n)  # type: ignore[misc]
        stage.operator.kill()
        assert hook.seen("/once") == []
        stage.operator.start()
    stage.wait("ap", "once", lambda status: len(status.get("attempts") or ()) == 3)
    label(stage, "slow", "yes")
    status = stage.outcome("ap", "once")
    assert (status["outcome"], status.get("retryCount")) == ("Succeeded", None)
    assert [attempt["result"] for attempt in status["attempts"]] == ["Interrupted", "Interrupted", "Succeeded"]
    assert len(hook.seen("/once")) == 1


def test_a_right_that_a_check_needs_is_told_before_anything_starts(stage: Stage) -> None:
    check = {"resource": {"apiVersion": "v1", "kind": "ConfigMap", "name": "a"}, "expression": "true"}
    stage.propose("rightless", "log-message", LOG, verify=[check])
    status = stage.outcome("ap", "rightless")
    assert stage.condition(status, "Validated")["reason"] == "RightMissing"
    assert "verify[0]: " in status["message"]
    assert "may not get configmaps a" in status["message"]
    assert "kubectl create role" in status["message"]
    assert "attempts" not in status


def test_another_namespace_and_secrets_are_out_of_reach(stage: Stage) -> None:
    other = {"resource": {"apiVersion": "v1", "kind": "ConfigMap", "name": "a", "namespace": "kube-system"}}
    secret = {"resource": {"apiVersion": "v1", "kind": "Secret", "name": "a"}}
    checks = [{**one, "expression": "true"} for one in (other, secret)]
    stage.propose("curious", "log-message", LOG, preconditions=checks)
    message = stage.outcome("ap", "curious")["message"]
    assert f"spec.preconditions[0].resource.namespace: must be {stage.namespace}" in message
    assert "spec.preconditions[1].resource.kind: checks do not read Secrets" in message


def test_no_get_is_sent_before_leave_and_no_answer_is_told(stage: Stage, hook: HookTarget) -> None:
    url = hook.script("/quiet", [{"token": "s3cr3t-in-the-answer"}] * 9)
    check = of_url(url, "json.kinds[json.token] == 1")
    stage.propose("quiet-dry", "log-message", LOG, preconditions=[check], mode="DryRun")
    assert stage.outcome("ap", "quiet-dry")["outcome"] == "Observed"
    assert hook.seen("/quiet") == []
    stage.propose("quiet", "log-message", LOG, preconditions=[check], retry=QUICK)
    status = stage.outcome("ap", "quiet")
    assert status["outcome"] == "Failed"
    assert hook.seen("/quiet") != []
    assert "s3cr3t" not in json.dumps(stage.get("ap", "quiet"))


def test_a_check_that_calls_what_no_policy_allows_is_told_before_the_first_step(stage: Stage, hook: HookTarget) -> None:
    check = {"http": {"url": "https://nowhere.example.com/health"}, "expression": "status == 200"}
    first = {"name": "first", "action": "http-request", "parameters": {"method": "PUT", "url": hook.url + "/first"}}
    second = {"name": "second", "action": "log-message", "parameters": {"message": "x"}, "verify": [check]}
    stage.apply(workflow("calls-nowhere", [first, second]))
    status = stage.outcome("aw", "calls-nowhere", seconds=60)
    assert (status["outcome"], hook.seen("/first")) == ("Failed", [])
    assert (
        "spec.steps[second]: verify[0]: url: nowhere.example.com is not in spec.http.allowedHosts" in status["message"]
    )


def test_steps_have_checks_of_their_own(stage: Stage) -> None:
    stage.apply(deployment("front", 1))
    check = of_deployment("front", READY, timeoutSeconds=30)
    steps = [
        {"name": "grow", "action": "scale-workload",
         "parameters": {"kind": "Deployment", "name": "front", "replicas": 2}, "preconditions": [check]},
        {"name": "tell", "action": "log-message", "parameters": LOG, "verify": [check]},
    ]  # fmt: skip
    manifest = proposal("x", "wait", {}) | {"kind": "ActionWorkflow", "metadata": {"name": "checked"}}
    manifest["spec"] = {"description": "x", "reason": "x", "serviceAccountName": "ops", "steps": steps}
    stage.apply(manifest)
    assert stage.outcome("aw", "checked", seconds=60)["outcome"] == "Succeeded"
