"""Runbooks as a user sees them: run by name, pinned, refused with the place, edited by someone who is not its judge."""

import io
import json
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

import pytest
import yaml
from harness.people import give, wait_until_proven
from harness.stage import API, RUNNER, Json, Stage, deployment

from controller.cli.main import app

SCALE: Json = {
    "name": "scale", "action": "scale-workload", "parameters": {"kind": "Deployment"},
    "computed": [{"path": "name", "expression": "workflow.parameters.name"},
                 {"path": "replicas", "expression": "workflow.parameters.replicas"}],
}  # fmt: skip
PARAMETERS: Json = {
    "type": "object", "required": ["name"],
    "properties": {"name": {"type": "string"},
                   "replicas": {"type": "integer", "minimum": 1, "maximum": 50, "default": 3}},
}  # fmt: skip
LOG: Json = {"name": "log", "action": "log-message", "parameters": {"message": "hello"}}


def runbook(name: str, *steps: Json, **spec: Any) -> Json:
    body = {"description": f"Runbook {name}", "parameters": PARAMETERS, "steps": list(steps) or [SCALE]}
    return {"apiVersion": API, "kind": "ActionRunbook", "metadata": {"name": name}, "spec": body | spec}


def run_of(name: str, of: str, **spec: Any) -> Json:
    body = {"description": name, "reason": "test", "runbookRef": {"name": of}, "serviceAccountName": RUNNER}
    return {"apiVersion": API, "kind": "ActionWorkflow", "metadata": {"name": name}, "spec": body | spec}


def actions(stage: Stage, *arguments: str, user: str | None = None) -> tuple[int, str, str]:
    """`kubectl actions -n NAMESPACE ...`: exit code, output, errors."""
    config = stage.cluster.kubeconfig_of(user) if user else stage.cluster.kubeconfig
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as end:
        app(["-n", stage.namespace, "--kubeconfig", str(config), *arguments])
    return int(end.value.code or 0), out.getvalue(), err.getvalue()


def replicas(stage: Stage, name: str) -> int:
    return int(stage.kubectl("get", "deployment", name, "-o", "jsonpath={.spec.replicas}"))


@pytest.fixture(scope="module", autouse=True)
def _settled(stage: Stage) -> Iterator[None]:
    """Who edits a runbook is proven only some seconds after the admission policies were made."""
    wait_until_proven(stage.cluster)
    yield
    stage.kubectl("delete", "actionrunbooks", "--all")


def test_a_runbook_is_run_by_name_with_values_and_defaults(stage: Stage) -> None:
    stage.apply(deployment("web", 1), runbook("resize"))
    status = stage.wait("actionrunbooks", "resize", lambda s: s.get("conditions"), what="no condition")
    assert (status["conditions"][0]["type"], status["conditions"][0]["status"]) == ("Ready", "True")
    code, said, error = actions(
        stage, "run", "resize", "-p", "name=web", "--name", "web-3", "--service-account", RUNNER, "--wait"
    )
    assert (code, error) == (0, "")
    assert "aw/web-3 runs runbook resize" in said
    assert "aw/web-3 Succeeded" in said
    assert replicas(stage, "web") == 3
    stored = stage.get("aw", "web-3")
    assert stored["spec"]["parameters"] == {"name": "web"}
    pinned = stored["status"]["runbook"]
    assert (pinned["name"], pinned["digest"]) == ("resize", status["digest"])
    assert pinned["editedBy"]["username"] == "admin"
    page = actions(stage, "describe", "aw/web-3")[1]
    assert "resize, last edited by admin" in page
    assert "1 steps, order Sequence" in page
    assert actions(stage, "digest", "aw/web-3")[0] == 0
    code, said, _ = actions(stage, "run", "resize", "-p", "name=web", "-p", "replicas=5", "-o", "yaml")
    manifest = yaml.safe_load(said)
    assert manifest["spec"]["parameters"] == {"name": "web", "replicas": 5}
    assert manifest["metadata"]["name"].startswith("resize-")
    assert replicas(stage, "web") == 3


def test_what_does_not_fit_is_told_before_anything_is_made(stage: Stage) -> None:
    stage.apply(runbook("bounded"))
    code, _, error = actions(stage, "run", "bounded", "-p", "replicas=5000", "-p", "colour=red", "--name", "never")
    assert code == 1
    for fault in (
        "spec.parameters.replicas: must be at most 50 (got 5000)",
        "spec.parameters.colour: is not a parameter of this runbook (it has: name, replicas)",
        "spec.parameters.name: is required",
    ):
        assert fault in error
    assert "never" not in stage.kubectl("get", "aw", "-o", "name")
    code, _, error = actions(stage, "run", "bonded", "-p", "name=web")
    assert code == 1
    assert "there is no ActionRunbook bonded" in error
    assert "did you mean bounded?" in error
    stage.apply(run_of("refused", "bounded", parameters={"name": "web", "replicas": 5000}))
    status = stage.outcome("aw", "refused")
    validated = stage.condition(status, "Validated")
    assert (validated["status"], validated["reason"]) == ("False", "InvalidParameters")
    assert validated["message"] == "spec.parameters.replicas: must be at most 50 (got 5000)"
    assert "runbook" not in status


def test_a_run_goes_on_as_it_began_whatever_becomes_of_the_runbook(stage: Stage) -> None:
    pause: Json = {"name": "pause", "action": "wait", "parameters": {"seconds": 3}}
    stage.apply(deployment("kept", 1), runbook("kept", pause, SCALE))
    stage.apply(run_of("kept-run", "kept", parameters={"name": "kept"}))
    stage.wait("aw", "kept-run", lambda s: s.get("steps") and s["steps"][0].get("uid"), what="not started")
    stage.apply(runbook("kept", LOG))
    stage.kubectl("delete", "actionrunbook", "kept")
    stage.operator.kill()
    stage.operator.start()
    status = stage.outcome("aw", "kept-run", seconds=60)
    assert status["outcome"] == "Succeeded"
    assert [step["name"] for step in status["steps"]] == ["pause", "scale"]
    assert replicas(stage, "kept") == 3


def test_a_run_that_comes_before_its_runbook_waits_for_it(stage: Stage) -> None:
    stage.apply(run_of("early", "late", parameters={"name": "nobody"}))
    stage.apply(runbook("late", LOG))
    assert stage.outcome("aw", "early")["outcome"] == "Succeeded"
    stage.apply(run_of("in-vain", "never-there"))
    validated = stage.condition(stage.outcome("aw", "in-vain"), "Validated")
    assert validated["reason"] == "RunbookMissing"
    assert "there is no ActionRunbook never-there in this namespace" in validated["message"]


def test_what_is_wrong_with_a_runbook_stands_in_its_status_until_it_is_mended(stage: Stage) -> None:
    stage.apply(runbook("wrong", {**LOG, "when": "steps.lag.outcome == ''"}, {"name": "b", "action": "wiat"}))
    status = stage.wait("actionrunbooks", "wrong", lambda s: s.get("conditions"), what="no condition")
    ready, _ = status["conditions"]
    assert (ready["type"], ready["status"], ready["reason"]) == ("Ready", "False", "InvalidRunbook")
    assert "spec.steps[log].when: line 1, column 1: there is no step lag; nor any that comes" in ready["message"]
    assert "spec.steps[b].action: there is no ActionType wiat" in ready["message"]
    stage.apply(runbook("wrong", LOG))
    stage.wait("actionrunbooks", "wrong", lambda s: s["conditions"][0]["status"] == "True", what="not mended")


def test_a_runbook_does_no_more_than_who_last_edited_it_may_propose(stage: Stage) -> None:
    """Else an editor would have another's run, or schedule, do what they may not."""
    give(stage, ("alice", "action-proposer"), ("alice", "action-runbook-editor"), ("dave", "action-runbook-editor"))
    stage.kubectl("create", "-f", "-", input=yaml.safe_dump(runbook("shared", LOG)), user="alice")
    evil = {"spec": {"steps": [{"name": "wait", "action": "wait", "parameters": {"seconds": 1}}]}}
    stage.kubectl("patch", "actionrunbook", "shared", "--type=merge", "-p", json.dumps(evil), "--as=dave")
    spec = {"description": "d", "reason": "r", "runbookRef": {"name": "shared"}, "parameters": {"name": "x"}}
    asked = {"apiVersion": API, "kind": "ActionWorkflow", "metadata": {"name": "shared-1"}, "spec": spec}
    stage.kubectl("create", "-f", "-", input=yaml.safe_dump(asked), user="alice")
    status = stage.outcome("aw", "shared-1")
    assert status["outcome"] == "Failed"
    assert "spec.runbookRef: dave, who last edited the runbook, may not propose actiontypes/wait" in status["message"]
    assert not status.get("steps"), "nothing ran"
    seen = {"metadata": {"annotations": {"seen": "yes"}}, "spec": {"description": "looked at"}}
    stage.kubectl("patch", "actionrunbook", "shared", "--type=merge", "-p", json.dumps(seen), user="alice")
    asked["metadata"] = {"name": "shared-2"}
    stage.kubectl("create", "-f", "-", input=yaml.safe_dump(asked), user="alice")
    assert stage.outcome("aw", "shared-2")["outcome"] == "Succeeded", "now it is alice's"


def test_who_edited_the_runbook_does_not_approve_what_it_runs(stage: Stage) -> None:
    give(stage, ("alice", "action-proposer"), ("alice", "action-approver"), ("bob", "action-runbook-editor"),
         ("bob", "action-proposer"), ("bob", "action-approver"), ("carol", "action-approver"))  # fmt: skip
    policy = stage.policy("ask", approval={"required": 1})
    stage.kubectl("create", "-f", "-", input=yaml.safe_dump(runbook("judged", LOG)), user="bob")
    spec = {"description": "d", "reason": "r", "runbookRef": {"name": "judged"}, "parameters": {"name": "x"}}
    asked = {"apiVersion": API, "kind": "ActionWorkflow", "metadata": {"name": "judged-1"}, "spec": spec}
    stage.kubectl("create", "-f", "-", input=yaml.safe_dump(asked), user="alice")
    stage.phase("aw", "judged-1", "AwaitingApproval")
    code, _, error = actions(stage, "approve", "aw/judged-1", "--yes", user="bob")
    assert code != 0
    assert "last edited its runbook" in error
    code, _, error = actions(stage, "approve", "aw/judged-1", "--yes", user="carol")
    assert (code, error) == (0, "")
    status = stage.outcome("aw", "judged-1")
    assert [one["username"] for one in status["approvals"]] == ["carol"]
    stage.kubectl("delete", "apol", policy)
