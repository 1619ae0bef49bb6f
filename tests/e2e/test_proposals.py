"""One proposal's life as a user sees it."""

import time
from datetime import datetime, timedelta

import pytest
from harness.stage import Stage, deployment, proposal

from hack.hook_target import HookTarget


def test_a_scale_is_previewed_run_verified_and_recorded(stage: Stage) -> None:
    stage.apply(deployment("checkout", 2))
    stage.propose("scale", "scale-workload", {"kind": "Deployment", "name": "checkout", "replicas": 3})
    status = stage.outcome("ap", "scale")
    assert status["outcome"] == "Succeeded"
    assert status["preview"]["changes"] == [
        {"target": f"Deployment {stage.namespace}/checkout", "path": "spec.replicas", "before": 2, "after": 3}
    ]
    assert status["undo"]["parameters"]["replicas"] == 2
    ready = stage.kubectl("get", "deployment", "checkout", "-o", "jsonpath={.status.readyReplicas}")
    assert ready == "3"
    assert stage.reasons("scale", until="Completed") == ["Executing", "Completed"]
    assert [entry["reason"] for entry in status["history"]] == ["Proposed", "Validated", "Executing", "Completed"]


def test_kubectl_wait_and_a_second_apply(stage: Stage) -> None:
    manifest = stage.propose("told", "log-message", {"message": "hello"})
    stage.kubectl("wait", "--for=condition=Succeeded", "ap/told", "--timeout=20s")
    stage.kubectl("wait", "--for=jsonpath={.status.outcome}=Succeeded", "ap/told", "--timeout=20s")
    before = stage.get("ap", "told")["metadata"]["resourceVersion"]
    assert "unchanged" in stage.apply(manifest)
    assert stage.get("ap", "told")["metadata"]["resourceVersion"] == before


def test_a_hook_that_fails_twice_is_retried_with_visible_next_times(stage: Stage, hook: HookTarget) -> None:
    url = hook.script("/flaky", [503, 503])
    retry = {"maxAttempts": 4, "minWaitSeconds": 0.5, "maxWaitSeconds": 2}
    stage.propose("flaky", "http-request", {"method": "PUT", "url": url, "body": {"a": 1}}, retry=retry)
    waiting = stage.phase("ap", "flaky", "Retrying")
    due = datetime.fromisoformat(waiting["nextRetryAt"])
    failed = datetime.fromisoformat(waiting["attempts"][-1]["finishedAt"])
    assert timedelta(seconds=0.5) <= due - failed <= timedelta(seconds=0.9)
    status = stage.outcome("ap", "flaky")
    assert status["outcome"] == "Succeeded"
    assert status["retryCount"] == 2
    assert "nextRetryAt" not in status
    assert [attempt["result"] for attempt in status["attempts"]] == ["Unknown", "Unknown", "Succeeded"]
    assert len({request.key for request in hook.seen("/flaky")}) == 1, "a lost answer is repeated as the same operation"
    assert stage.reasons("flaky", until="Completed") == [
        "Executing",
        "RetryScheduled",
        "RetryScheduled",
        "Completed",
    ]


def test_retries_run_out(stage: Stage, hook: HookTarget) -> None:
    url = hook.script("/never", [429] * 9)
    retry = {"maxAttempts": 2, "minWaitSeconds": 0.1, "maxWaitSeconds": 0.2}
    stage.propose("never", "http-request", {"method": "PUT", "url": url}, retry=retry)
    status = stage.outcome("ap", "never")
    assert (status["outcome"], status["retryCount"]) == ("Failed", 2)
    assert stage.condition(status, "Stalled")["reason"] == "AttemptsExhausted"
    assert len(hook.seen("/never")) == 2
    assert stage.reasons("never", until="RetryExhausted")[-1] == "RetryExhausted"


def test_a_post_whose_answer_is_lost_is_never_sent_again(stage: Stage, hook: HookTarget) -> None:
    stage.propose("post", "http-request", {"method": "POST", "url": hook.script("/post", [500])})
    status = stage.outcome("ap", "post")
    assert status["outcome"] == "Unknown"
    assert "look at the target" in status["message"]
    assert stage.condition(status, "Stalled")["status"] == "True"
    assert len(hook.seen("/post")) == 1


@pytest.mark.parametrize(
    ("name", "action", "parameters", "told"),
    [
        ("typo", "scale-workloads", {}, "there is no ActionType scale-workloads; available: scale-workload,"),
        (
            "bad",
            "scale-workload",
            {"kind": "Pod", "replicas": 90000, "size": 1},
            "spec.parameters.kind: must be one of Deployment, StatefulSet, ReplicaSet (got Pod)",
        ),
        ("later", "log-message", {"message": "x" * 2000}, "must have at most 1024 characters (got 2000)"),
    ],
)
def test_what_is_wrong_is_told(stage: Stage, name: str, action: str, parameters: dict[str, object], told: str) -> None:
    stage.propose(name, action, parameters)
    status = stage.outcome("ap", name)
    assert status["outcome"] == "Failed"
    assert told in stage.condition(status, "Validated")["message"]
    assert stage.reasons(name, until="ValidationFailed") == ["ValidationFailed"]


def test_every_bad_parameter_is_named(stage: Stage) -> None:
    stage.propose("all-bad", "scale-workload", {"kind": "Pod", "replicas": 90000, "size": 1})
    message = stage.outcome("ap", "all-bad")["message"]
    for path in ("parameters.kind", "parameters.name", "parameters.replicas", "parameters.size"):
        assert path in message


def test_a_dry_run_shows_the_change_and_makes_none(stage: Stage) -> None:
    stage.apply(deployment("dry", 1))
    stage.propose("dry", "scale-workload", {"kind": "Deployment", "name": "dry", "replicas": 2}, mode="DryRun")
    status = stage.outcome("ap", "dry")
    assert status["outcome"] == "Observed"
    assert status["preview"]["changes"][0]["after"] == 2
    assert stage.condition(status, "Succeeded")["status"] == "True"
    assert stage.kubectl("get", "deployment", "dry", "-o", "jsonpath={.spec.replicas}") == "1"


def test_a_runner_without_the_right_is_told_which_one(stage: Stage) -> None:
    stage.apply(
        deployment("guarded", 1),
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "weak"}},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "as-weak"},
         "rules": [{"apiGroups": [""], "resources": ["serviceaccounts"], "resourceNames": ["weak"],
                    "verbs": ["impersonate"]}]},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "as-weak"},
         "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "as-weak"},
         "subjects": [{"kind": "ServiceAccount", "name": "action-operator", "namespace": "action-operator"}]},
    )  # fmt: skip
    parameters = {"kind": "Deployment", "name": "guarded", "replicas": 2}
    stage.propose("weak", "scale-workload", parameters, serviceAccountName="weak")
    status = stage.outcome("ap", "weak")
    assert stage.condition(status, "Validated")["reason"] == "RightMissing"
    assert "get" in status["message"]
    assert "deployments" in status["message"]


def test_scheduled_suspended_and_cancelled(stage: Stage) -> None:
    soon = (datetime.now().astimezone() + timedelta(seconds=3)).isoformat(timespec="seconds")
    stage.propose("soon", "log-message", {"message": "x"}, notBefore=soon)
    stage.propose("held", "log-message", {"message": "x"}, suspend=True)
    stage.propose("long", "wait", {"seconds": 600})
    assert stage.phase("ap", "soon", "Scheduled")["conditions"]
    assert stage.phase("ap", "held", "Blocked")["blocked"]["rule"] == "suspend"
    stage.phase("ap", "long", "Running")
    stage.patch("ap", "held", {"suspend": False})
    stage.patch("ap", "long", {"cancelled": True})
    assert stage.outcome("ap", "held")["outcome"] == "Succeeded"
    assert stage.outcome("ap", "long")["outcome"] == "Cancelled"
    status = stage.outcome("ap", "soon")
    assert datetime.fromisoformat(status["startedAt"]) >= datetime.fromisoformat(soon)


def test_deadlines(stage: Stage) -> None:
    stage.propose("late", "log-message", {"message": "x"}, suspend=True, startingDeadlineSeconds=1)
    stage.propose("slow", "wait", {"seconds": 600}, activeDeadlineSeconds=2)
    stage.propose("timed", "wait", {"seconds": 600}, timeoutSeconds=1, retry={"maxAttempts": 1})
    late = stage.outcome("ap", "late")
    assert (late["outcome"], late["conditions"][0]["type"]) == ("Expired", "Validated")
    slow = stage.outcome("ap", "slow")
    assert slow["outcome"] == "Failed"
    assert stage.outcome("ap", "timed")["outcome"] == "Failed"


def test_a_finished_object_is_deleted_after_its_ttl_unless_gitops_tracks_it(stage: Stage) -> None:
    stage.propose("brief", "log-message", {"message": "x"}, ttlSecondsAfterFinished=1)
    tracked = proposal("tracked", "log-message", {"message": "x"}, ttlSecondsAfterFinished=1)
    tracked["metadata"]["annotations"] = {"argocd.argoproj.io/tracking-id": "shop:x"}
    stage.apply(tracked)
    stage.outcome("ap", "tracked")
    stage.kubectl("wait", "--for=delete", "ap/brief", "--timeout=20s")
    time.sleep(1.5)
    assert stage.status("ap", "tracked")["outcome"] == "Succeeded"


def test_a_type_and_a_runner_that_come_later_do_no_harm(stage: Stage) -> None:
    manifest = proposal("patient", "log-message-late", {"message": "x"})
    stage.apply(manifest)
    time.sleep(1)
    assert "outcome" not in stage.status("ap", "patient")
    late = stage.cluster.api().get("/apis/actionoperator.dev/v1alpha1/actiontypes/log-message")
    spec = late["spec"]
    stage.apply({"apiVersion": "actionoperator.dev/v1alpha1", "kind": "ActionType",
                 "metadata": {"name": "log-message-late"}, "spec": spec})  # fmt: skip
    try:
        assert stage.outcome("ap", "patient")["outcome"] == "Succeeded"
        stage.propose("orphan", "log-message-late", {"message": "x"}, suspend=True)
        stage.phase("ap", "orphan", "Blocked")
    finally:
        stage.kubectl("delete", "actiontype", "log-message-late")
    stage.patch("ap", "orphan", {"suspend": False})
    blocked = stage.wait("ap", "orphan", lambda s: (s.get("blocked") or {}).get("rule") == "type")
    assert "there is no ActionType log-message-late" in blocked["message"]


def test_a_proposal_deleted_while_running_leaves_event_and_audit_record(stage: Stage) -> None:
    stage.propose("doomed", "wait", {"seconds": 600})
    stage.phase("ap", "doomed", "Running")
    stage.kubectl("delete", "ap", "doomed")
    assert stage.reasons("doomed", until="Cancelled") == ["Executing", "Cancelled"]
    records = [r for r in stage.operator.audit() if r["subject"].endswith("/doomed")]
    assert "deleted while an attempt was running" in records[-2]["data"]["message"]
