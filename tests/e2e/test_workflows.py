"""Workflows as a user sees them: order, failure, cancelling, steps made once and never taken from strangers."""

import time

import yaml
from harness.stage import AS_OPERATOR, Stage, deployment, proposal, workflow

from hack.hook_target import HookTarget

LOG = {"action": "log-message", "parameters": {"message": "step"}}


def test_a_sequence_runs_its_steps_in_order(stage: Stage, hook: HookTarget) -> None:
    steps = [
        {"name": "first", **LOG},
        {"name": "second", "action": "http-request", "parameters": {"method": "PUT", "url": hook.url + "/seq"}},
        {"name": "third", **LOG},
    ]
    stage.apply(workflow("sequence", steps))
    stage.kubectl("wait", "--for=condition=Succeeded", "aw/sequence", "--timeout=30s")
    stage.kubectl("wait", "--for=jsonpath={.status.outcome}=Succeeded", "aw/sequence", "--timeout=5s")
    status = stage.status("aw", "sequence")
    assert status["progress"] == "3/3"
    started = [step["startedAt"] for step in status["steps"]]
    ended = [step["completedAt"] for step in status["steps"]]
    assert all(end <= start for end, start in zip(ended, started[1:], strict=False))
    assert len(hook.seen("/seq")) == 1
    assert stage.reasons("sequence", until="Completed") == ["WorkflowCreated", "Completed"]


def test_a_graph_runs_side_by_side_and_waits_for_dependencies(stage: Stage) -> None:
    pause = {"action": "wait", "parameters": {"seconds": 2}}
    steps = [
        {"name": "a", **pause},
        {"name": "b", **pause},
        {"name": "last", **LOG, "dependsOn": ["a", "b"]},
    ]
    stage.apply(workflow("graph", steps, order="Graph"))
    status = stage.outcome("aw", "graph")
    a, b, last = status["steps"]
    assert status["outcome"] == "Succeeded"
    assert max(a["startedAt"], b["startedAt"]) < min(a["completedAt"], b["completedAt"])
    assert last["startedAt"] >= max(a["completedAt"], b["completedAt"])


def test_max_parallel_bounds_what_runs_at_once(stage: Stage) -> None:
    steps = [{"name": f"s{n}", "action": "wait", "parameters": {"seconds": 1}} for n in range(3)]
    stage.apply(workflow("narrow", steps, order="Graph", maxParallel=1))
    status = stage.outcome("aw", "narrow")
    ended = sorted(step["completedAt"] for step in status["steps"])
    started = sorted(step["startedAt"] for step in status["steps"])
    assert all(end <= start for end, start in zip(ended, started[1:], strict=False))


def test_stop_starts_nothing_new_after_a_failure(stage: Stage, hook: HookTarget) -> None:
    url = hook.script("/refuses", [400])
    steps = [
        {"name": "fails", "action": "http-request", "parameters": {"method": "PUT", "url": url}},
        {"name": "after", **LOG},
    ]
    stage.apply(workflow("stops", steps))
    status = stage.outcome("aw", "stops")
    assert status["outcome"] == "Failed"
    assert [step["outcome"] for step in status["steps"]] == ["Failed", "Skipped"]
    assert "fails did not succeed" in status["message"]
    assert stage.condition(status, "Stalled")["reason"] == "StepFailed"


def test_continue_skips_only_what_depends_on_the_failure(stage: Stage, hook: HookTarget) -> None:
    url = hook.script("/refuses-too", [400])
    steps = [
        {"name": "fails", "action": "http-request", "parameters": {"method": "PUT", "url": url}},
        {"name": "child", **LOG, "dependsOn": ["fails"]},
        {"name": "grandchild", **LOG, "dependsOn": ["child"]},
        {"name": "apart", **LOG},
    ]
    stage.apply(workflow("goes-on", steps, order="Graph", onFailure="Continue"))
    status = stage.outcome("aw", "goes-on")
    assert status["outcome"] == "Failed"
    assert [step["outcome"] for step in status["steps"]] == ["Failed", "Skipped", "Skipped", "Succeeded"]


def test_a_sequence_with_continue_goes_on(stage: Stage, hook: HookTarget) -> None:
    url = hook.script("/refuses-again", [400])
    steps = [
        {"name": "fails", "action": "http-request", "parameters": {"method": "PUT", "url": url}},
        {"name": "after", **LOG},
    ]
    stage.apply(workflow("sequence-on", steps, onFailure="Continue"))
    assert [s["outcome"] for s in stage.outcome("aw", "sequence-on")["steps"]] == ["Failed", "Succeeded"]


def test_retries_of_steps_show_in_the_workflow(stage: Stage, hook: HookTarget) -> None:
    url = hook.script("/step-flaky", [503, 503])
    steps = [
        {"name": "flaky", "action": "http-request", "parameters": {"method": "PUT", "url": url}},
        {"name": "b", **LOG},
    ]
    stage.apply(workflow("retries", steps, retry={"maxAttempts": 5, "minWaitSeconds": 1, "maxWaitSeconds": 1}))
    waiting = stage.wait("aw", "retries", lambda status: status.get("nextRetryAt"), what="no nextRetryAt")
    assert waiting["retryCount"] >= 1
    status = stage.outcome("aw", "retries")
    assert (status["outcome"], status["retryCount"]) == ("Succeeded", 2)
    assert "nextRetryAt" not in status


def test_everything_wrong_is_told_before_step_one(stage: Stage) -> None:
    steps = [
        {"name": "a", **LOG, "dependsOn": ["b"]},
        {"name": "b", **LOG, "dependsOn": ["a"]},
        {"name": "c", "action": "scale-workloads", "parameters": {}},
        {"name": "d", "action": "log-message", "parameters": {"message": 7, "volume": 11}},
        {"name": "e", **LOG, "when": "steps.zz.outcome == 'Failed'"},
    ]
    stage.apply(workflow("wrong", steps, order="Graph"))
    status = stage.outcome("aw", "wrong")
    assert status["outcome"] == "Failed"
    for told in (
        "wait for each other", "there is no ActionType scale-workloads",
        "spec.steps[d].parameters.message: must be of type",
        "spec.steps[d].parameters.volume", "spec.steps[e].when",
    ):  # fmt: skip
        assert told in status["message"]
    assert stage.kubectl("get", "ap", "-l", "actionoperator.dev/workflow=wrong", "-o", "name") == ""


def test_an_unknown_dependency_is_told(stage: Stage) -> None:
    stage.apply(workflow("unknown-dep", [{"name": "a", **LOG, "dependsOn": ["z"]}], order="Graph"))
    assert "there is no step z (there are: a)" in stage.outcome("aw", "unknown-dep")["message"]


def test_cancel_stops_running_steps_and_starts_no_more(stage: Stage) -> None:
    steps = [{"name": "long", "action": "wait", "parameters": {"seconds": 600}}, {"name": "after", **LOG}]
    stage.apply(workflow("cancelled", steps))
    stage.wait("aw", "cancelled", lambda s: s.get("steps") and s["steps"][0].get("uid"))
    stage.patch("aw", "cancelled", {"cancelled": True})
    status = stage.outcome("aw", "cancelled")
    assert status["outcome"] == "Cancelled"
    assert [step["outcome"] for step in status["steps"]] == ["Cancelled", "Skipped"]


def test_suspend_holds_the_next_step(stage: Stage) -> None:
    steps = [{"name": "short", "action": "wait", "parameters": {"seconds": 2}}, {"name": "after", **LOG}]
    stage.apply(workflow("suspended", steps))
    stage.wait("aw", "suspended", lambda s: s.get("steps") and s["steps"][0].get("uid"))
    stage.patch("aw", "suspended", {"suspend": True})
    blocked = stage.phase("aw", "suspended", "Blocked")
    assert blocked["steps"][0]["outcome"] == "Succeeded"
    stage.patch("aw", "suspended", {"suspend": False})
    assert stage.outcome("aw", "suspended")["outcome"] == "Succeeded"


def test_the_whole_has_a_deadline(stage: Stage) -> None:
    steps = [{"name": "long", "action": "wait", "parameters": {"seconds": 600}}, {"name": "after", **LOG}]
    stage.apply(workflow("overdue", steps, activeDeadlineSeconds=3))
    status = stage.outcome("aw", "overdue")
    assert status["outcome"] == "Failed"
    assert stage.condition(status, "Succeeded")["reason"] == "DeadlineExceeded"
    assert [step["outcome"] for step in status["steps"]] == ["Failed", "Skipped"]


def test_a_lost_step_is_unknown_and_never_made_again(stage: Stage) -> None:
    steps = [{"name": "long", "action": "wait", "parameters": {"seconds": 600}}, {"name": "after", **LOG}]
    stage.apply(workflow("robbed", steps))
    running = stage.wait("aw", "robbed", lambda s: s.get("steps") and s["steps"][0].get("uid"))
    stage.kubectl("delete", "ap", running["steps"][0]["proposal"])
    status = stage.outcome("aw", "robbed")
    assert status["outcome"] == "Unknown"
    assert status["steps"][0]["outcome"] == "Unknown"
    assert stage.kubectl("get", "ap", "-l", "actionoperator.dev/workflow=robbed", "-o", "name") == ""


def test_a_proposal_that_claims_to_be_a_step_gets_nothing(stage: Stage) -> None:
    steps = [{"name": "long", "action": "wait", "parameters": {"seconds": 600}}]
    stage.apply(workflow("host", steps))
    stage.wait("aw", "host", lambda s: s.get("steps") and s["steps"][0].get("uid"))
    uid = stage.get("aw", "host")["metadata"]["uid"]
    forged = proposal("forged", "log-message", {"message": "x"})
    forged["metadata"]["ownerReferences"] = [
        {
            "apiVersion": "actionoperator.dev/v1alpha1",
            "kind": "ActionWorkflow",
            "name": "host",
            "uid": uid,
            "controller": True,
        }
    ]
    told = stage.apply(forged, check=False)
    assert "may not set, change or remove owner references of kind ActionWorkflow" in told
    # Were it there all the same, made before the admission policies were in force, it would get nothing.
    stage.kubectl("create", "-f", "-", *AS_OPERATOR, input=yaml.safe_dump(forged))
    blocked = stage.phase("ap", "forged", "Blocked")
    assert blocked["blocked"]["rule"] == "workflow"
    assert "attempts" not in blocked
    stage.patch("aw", "host", {"cancelled": True})
    stage.outcome("aw", "host")


def test_a_dry_run_previews_all_steps(stage: Stage) -> None:
    stage.apply(deployment("previewed", 1))
    scale = {"kind": "Deployment", "name": "previewed", "replicas": 5}
    steps = [{"name": "scale", "action": "scale-workload", "parameters": scale}, {"name": "b", **LOG}]
    stage.apply(workflow("dry", steps, mode="DryRun"))
    status = stage.outcome("aw", "dry")
    assert status["outcome"] == "Observed"
    assert status["preview"]["changes"][0]["after"] == 5
    assert "steps" not in status


def test_a_hundred_steps(stage: Stage) -> None:
    steps = [{"name": f"s{n}", **LOG} for n in range(100)]
    stage.apply(workflow("hundred", steps, order="Graph", maxParallel=20))
    status = stage.outcome("aw", "hundred", seconds=90)
    assert (status["outcome"], status["progress"]) == ("Succeeded", "100/100")


def test_an_owner_that_goes_takes_its_steps_along(stage: Stage) -> None:
    steps = [{"name": "long", "action": "wait", "parameters": {"seconds": 600}}]
    stage.apply(workflow("owner", steps))
    child = stage.wait("aw", "owner", lambda s: s.get("steps") and s["steps"][0].get("uid"))["steps"][0]["proposal"]
    stage.kubectl("delete", "aw", "owner")
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and stage.kubectl("get", "ap", child, "-o", "name", "--ignore-not-found"):
        time.sleep(0.2)
    assert stage.kubectl("get", "ap", child, "-o", "name", "--ignore-not-found") == ""
