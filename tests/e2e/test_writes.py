"""How much an action costs the API server, counted in its own audit log (P2), and that waiting costs nothing."""

import time

from harness.stage import Stage, deployment, workflow

from hack.hook_target import HookTarget

QUIET_SECONDS = 60.0


def settled_writes(stage: Stage, name: str) -> int:
    """Changes about one object, its Events included, once no more come."""
    count, since = -1, time.monotonic()
    while time.monotonic() - since < 1.0:
        now = len(stage.writes(name))
        if now != count:
            count, since = now, time.monotonic()
        time.sleep(0.1)
    return count


def test_an_action_that_just_works_costs_five_writes(stage: Stage) -> None:
    stage.apply(deployment("web", 1))
    stage.propose("cost-scale", "scale-workload", {"kind": "Deployment", "name": "web", "replicas": 2})
    assert stage.outcome("ap", "cost-scale")["outcome"] == "Succeeded"
    effects = [w for w in stage.writes("web") if w["objectRef"].get("subresource") == "scale"]
    assert settled_writes(stage, "cost-scale") + len(effects) <= 5
    assert len(effects) == 1


def test_a_retry_costs_three_writes_and_its_effect(stage: Stage, hook: HookTarget) -> None:
    retry = {"maxAttempts": 5, "minWaitSeconds": 0.1, "maxWaitSeconds": 0.1}
    for name, failures in (("cost-0", 0), ("cost-2", 2)):
        url = hook.script(f"/{name}", [503] * failures)
        stage.propose(name, "http-request", {"method": "PUT", "url": url}, retry=retry)
        assert stage.outcome("ap", name)["outcome"] == "Succeeded"
    assert settled_writes(stage, "cost-2") - settled_writes(stage, "cost-0") <= 2 * 3
    assert len(hook.seen("/cost-2")) == 3


def test_a_workflow_step_costs_eight_writes(stage: Stage) -> None:
    stage.apply(deployment("flow", 1))
    steps = [
        {
            "name": f"s{n}",
            "action": "scale-workload",
            "parameters": {"kind": "Deployment", "name": "flow", "replicas": n},
        }
        for n in (2, 3, 4, 5)
    ]
    stage.apply(workflow("cost-flow", steps))
    assert stage.outcome("aw", "cost-flow")["outcome"] == "Succeeded"
    effects = [w for w in stage.writes("flow") if w["objectRef"].get("subresource") == "scale"]
    assert settled_writes(stage, "cost-flow") + len(effects) <= 8 * len(steps)


def test_finished_and_waiting_objects_cost_no_writes(stage: Stage) -> None:
    stage.propose("done", "log-message", {"message": "x"})
    stage.propose("scheduled", "log-message", {"message": "x"}, notBefore="2099-01-01T00:00:00Z")
    stage.propose("suspended", "log-message", {"message": "x"}, suspend=True)
    stage.propose("verifying", "wait", {"seconds": 3600})
    stage.apply(workflow("waiting", [{"name": "a", "action": "wait", "parameters": {"seconds": 3600}}]))
    stage.outcome("ap", "done")
    stage.phase("ap", "scheduled", "Scheduled")
    stage.phase("ap", "suspended", "Blocked")
    stage.phase("ap", "verifying", "Running")
    stage.wait("aw", "waiting", lambda s: s.get("phase") == "Running")
    settled_writes(stage, "waiting")
    before = len(stage.writes())
    time.sleep(QUIET_SECONDS)  # the promise is about time that passes
    assert [w["requestURI"] for w in stage.writes()[before:]] == []
    for name in ("scheduled", "suspended", "verifying"):
        stage.patch("ap", name, {"cancelled": True})
    stage.patch("aw", "waiting", {"cancelled": True})
    stage.outcome("aw", "waiting")
