"""Workflows that decide, compute, take back and tidy up, as a user sees them on a real control plane."""

import time
from datetime import UTC, datetime, timedelta

from harness.stage import Json, Stage, deployment, workflow

from hack.hook_target import HookTarget


def scale(name: str, target: str, replicas: int, **step: object) -> Json:
    parameters = {"kind": "Deployment", "name": target, "replicas": replicas}
    return {"name": name, "action": "scale-workload", "parameters": parameters, **step}


def call(name: str, url: str, method: str = "PUT", **step: object) -> Json:
    return {"name": name, "action": "http-request", "parameters": {"method": method, "url": url}, **step}


def log(name: str, **step: object) -> Json:
    return {"name": name, "action": "log-message", "parameters": {"message": name}, **step}


def replicas(stage: Stage, name: str) -> int:
    return int(stage.kubectl("get", "deployment", name, "-o", "jsonpath={.spec.replicas}"))


def test_a_failure_takes_back_what_succeeded_the_newest_first(stage: Stage, hook: HookTarget) -> None:
    stage.apply(deployment("web", 1), deployment("api", 2))
    steps = [scale("web", "web", 3), scale("api", "api", 4), call("tell", hook.script("/no", [400]))]
    stage.apply(workflow("rolls-back", steps, onFailure="Rollback"))
    status = stage.outcome("aw", "rolls-back")
    assert status["outcome"] == "Failed"
    assert "tell did not succeed" in status["message"]
    assert "taken back: web, api" in status["message"]
    assert (replicas(stage, "web"), replicas(stage, "api")) == (1, 2)
    told = {step["name"]: step for step in status["steps"]}
    assert told["web"]["outcome"] == "Succeeded"
    assert told["web"]["rollback"]["outcome"] == "Succeeded"
    ends = [stage.get("ap", told[name]["rollback"]["proposal"])["status"]["completedAt"] for name in ("api", "web")]
    assert ends == sorted(ends), "what was done last is taken back first"
    assert stage.reasons("rolls-back", until="Failed") == [
        "WorkflowCreated", "RolledBack", "RolledBack", "Failed",
    ]  # fmt: skip


def test_what_somebody_changed_since_is_not_taken_back(stage: Stage, hook: HookTarget) -> None:
    stage.apply(deployment("theirs", 1))
    steps = [scale("mine", "theirs", 3), {"name": "pause", "action": "wait", "parameters": {"seconds": 2}},
             call("tell", hook.script("/no-2", [400]))]  # fmt: skip
    stage.apply(workflow("keeps", steps, onFailure="Rollback"))
    stage.wait("aw", "keeps", lambda status: status.get("progress") == "1/3", what="first step not done")
    stage.kubectl("scale", "deployment", "theirs", "--replicas=5")
    status = stage.outcome("aw", "keeps")
    assert replicas(stage, "theirs") == 5
    assert "NOT taken back: mine" in status["message"]
    assert status["steps"][0]["rollback"]["outcome"] == "Failed"
    stage.reasons("keeps", until="RollbackFailed")


def test_finally_steps_run_after_a_failure_and_after_a_cancellation(stage: Stage, hook: HookTarget) -> None:
    tidy = call("tidy", hook.url + "/tidy")
    stage.apply(
        workflow("fails-tidily", [call("tell", hook.script("/no-3", [400])), log("after")], **{"finally": [tidy]})
    )
    status = stage.outcome("aw", "fails-tidily")
    assert [step["outcome"] for step in status["steps"]] == ["Failed", "Skipped", "Succeeded"]
    assert status["progress"] == "3/3"
    pause = {"name": "pause", "action": "wait", "parameters": {"seconds": 60}}
    stage.apply(workflow("cancelled-tidily", [pause, log("after")], **{"finally": [tidy]}))
    stage.phase("aw", "cancelled-tidily", "Running")
    stage.patch("aw", "cancelled-tidily", {"cancelled": True})
    status = stage.outcome("aw", "cancelled-tidily")
    assert status["outcome"] == "Cancelled"
    assert [step["outcome"] for step in status["steps"]] == ["Cancelled", "Skipped", "Succeeded"]
    assert len(hook.seen("/tidy")) == 2


def test_outputs_decide_and_are_passed_on(stage: Stage, hook: HookTarget) -> None:
    stage.apply(deployment("shop", 2))
    steps = [
        scale("grow", "shop", 4),
        call("small", hook.url + "/small", when="steps.grow.outputs.replicas < 4"),
        {
            **call("big", hook.url + "/big", when="steps.grow.outputs.replicas >= workflow.parameters.limit"),
            "computed": [{"path": "body.replicas", "expression": "steps.grow.outputs.replicas"},
                         {"path": "body.by", "expression": "workflow.namespace + '/' + workflow.name"}],
        },
    ]  # fmt: skip
    stage.apply(workflow("decides", steps, parameters={"limit": 4}))
    status = stage.outcome("aw", "decides")
    assert status["outcome"] == "Succeeded"
    assert status["message"] == "2 of 3 steps succeeded, the others were not needed"
    assert [step["outcome"] for step in status["steps"]] == ["Succeeded", "Skipped", "Succeeded"]
    assert status["steps"][1]["reason"] == "WhenFalse"
    made = stage.get("ap", status["steps"][2]["proposal"])
    assert made["spec"]["parameters"]["body"] == {"replicas": 4, "by": f"{stage.namespace}/decides"}
    assert not hook.seen("/small")


def test_a_target_of_the_workflows_parameters_is_shown_before_anything_runs(stage: Stage) -> None:
    stage.apply(deployment("named", 1))
    step = {"name": "grow", "action": "scale-workload", "parameters": {"kind": "Deployment", "replicas": 2},
            "computed": [{"path": "name", "expression": "workflow.parameters.target"}]}  # fmt: skip
    stage.apply(workflow("parametrised", [step], parameters={"target": "named"}))
    status = stage.outcome("aw", "parametrised")
    assert status["outcome"] == "Succeeded"
    assert status["preview"]["changes"][0]["target"] == f"Deployment {stage.namespace}/named"


def test_expressions_that_are_wrong_are_told_with_their_place_and_nothing_runs(stage: Stage, hook: HookTarget) -> None:
    steps = [
        call("one", hook.url + "/never"),
        log("two", when="steps.on.outcome == 'Succeeded'"),
        log("three", when="steps.four.outcome == 'Succeeded'"),
        log("four", when="steps.one.outcome"),
        {**scale("five", "web", 1), "computed": [{"path": "name", "expression": "steps.one.outputs.json.name"}]},
    ]
    stage.apply(workflow("wrong", steps))
    status = stage.outcome("aw", "wrong")
    told = stage.condition(status, "Validated")["message"]
    for words in (
        "spec.steps[two].when: line 1, column 1: there is no step on; did you mean one?",
        "spec.steps[three].when: reads step four, which does not come before it",
        "spec.steps[four].when: must give true or false",
        "spec.steps[five].computed[name]: parameters.name says what is touched",
    ):
        assert words in told, told
    assert not hook.seen("/never")


def test_a_freeze_that_begins_half_way_does_not_hold_what_takes_back(stage: Stage, hook: HookTarget) -> None:
    stage.apply(deployment("half", 1))
    steps = [scale("grow", "half", 2), {"name": "pause", "action": "wait", "parameters": {"seconds": 2}},
             call("tell", hook.script("/no-4", [400]))]  # fmt: skip
    stage.apply(workflow("frozen", steps, onFailure="Rollback"))
    stage.wait("aw", "frozen", lambda status: status.get("progress") == "1/3", what="first step not done")
    now = datetime.now(UTC)
    start, end = (moment.isoformat(timespec="seconds") for moment in (now, now + timedelta(hours=1)))
    freeze = {"start": start, "end": end, "reason": "holidays"}
    policy = stage.policy("freeze", freezes=[freeze], match={"actions": ["scale-workload"]})
    status = stage.outcome("aw", "frozen")
    assert "taken back: grow" in status["message"]
    assert replicas(stage, "half") == 1
    stage.kubectl("delete", "apol", policy)


def test_a_halt_holds_what_takes_back(stage: Stage, hook: HookTarget) -> None:
    stage.apply(deployment("halted", 1))
    steps = [scale("grow", "halted", 2), {"name": "pause", "action": "wait", "parameters": {"seconds": 2}},
             call("tell", hook.script("/no-5", [400]))]  # fmt: skip
    stage.apply(workflow("halted", steps, onFailure="Rollback"))
    stage.wait("aw", "halted", lambda status: status.get("progress") == "1/3", what="first step not done")
    policy = stage.policy("halt", halt=True, match={"actions": ["scale-workload"]})
    stage.wait("aw", "halted", lambda status: status.get("phase") == "Blocked", what="not blocked")
    time.sleep(0.5)
    assert replicas(stage, "halted") == 2
    stage.delete_policies(policy)
    assert "taken back: grow" in stage.outcome("aw", "halted")["message"]
    assert replicas(stage, "halted") == 1
