"""Questions on a real API server: who may answer, what counts, alone and as a step of a workflow."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from harness.people import RBAC, admit_people, ballot, vote
from harness.people import ask as propose
from harness.stage import RUNNER, Json, Stage, deployment, proposal, workflow

ROOT = Path(__file__).parents[2]
OPTIONS: Json = {"question": "To which region?", "options": ["eu", "us"]}


@pytest.fixture(scope="module", autouse=True)
def _people(stage: Stage) -> None:
    """Bob asks, alice and carol approve; everything but questions needs an approval as well."""
    admit_people(stage)
    stage.policy("ask", approval={"required": 1})


def ask(stage: Stage, name: str, **spec: Any) -> Json:
    """Bob asks; the status once it waits."""
    return propose(stage, name, "ask", OPTIONS, **spec)


def answers(stage: Stage, user: str, name: str, answer: Any, **changes: Any) -> str:
    return vote(stage, user, name, answer=answer, **changes)


def test_somebody_else_answers_and_the_answer_is_in_the_outputs(stage: Stage) -> None:
    status = ask(stage, "region")
    assert "waits for an answer" in status["message"]
    assert "created" in answers(stage, "bob", "region", "us")
    status = stage.wait("ap", "region", lambda status: "does not count" in status["message"])
    assert "it is the requester's own" in status["message"]
    assert "created" in answers(stage, "carol", "region", "mars")
    status = stage.wait("ap", "region", lambda status: "must be one of" in status["message"])
    assert "does not count: spec.answer: must be one of eu, us (got mars)" in status["message"]
    assert "created" in answers(stage, "alice", "region", "eu", comment="it is closer")
    status = stage.outcome("ap", "region")
    assert (status["outcome"], status["outputs"]) == ("Succeeded", {"answer": "eu", "by": "alice"})
    (counted,) = status["approvals"]
    assert (counted["username"], counted["answer"], counted["comment"]) == ("alice", "eu", "it is closer")
    assert status["message"] == "Answered by alice."


def test_who_may_not_approve_questions_may_not_answer(stage: Stage) -> None:
    """Dora may vote, and approve other things."""
    rules = [
        {"apiGroups": ["actionoperator.dev"], "resources": ["actionapprovals"], "verbs": ["create"]},
        {"apiGroups": ["actionoperator.dev"], "resources": ["actiontypes"], "resourceNames": ["log-message"],
         "verbs": ["approve"]},
    ]  # fmt: skip
    stage.apply(
        {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": {"name": "dora"}, "rules": rules},
        {
            "apiVersion": f"{RBAC}/v1", "kind": "RoleBinding", "metadata": {"name": "dora"},
            "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": "dora"},
            "subjects": [{"kind": "User", "name": "dora", "apiGroup": RBAC}],
        },
    )  # fmt: skip
    ask(stage, "denied")
    manifest = yaml.safe_dump(ballot(stage.get("ap", "denied"), "dora", answer="eu"))
    refused = stage.kubectl("create", "-f", "-", "--as=dora", input=manifest, check=False)
    assert "created" not in refused
    assert "approve" in refused
    assert "ask" in refused
    stage.patch("ap", "denied", {"cancelled": True})


def test_one_rejection_ends_a_question(stage: Stage) -> None:
    ask(stage, "unwanted")
    vote(stage, "carol", "unwanted", decision="Reject", comment="not today")
    assert stage.outcome("ap", "unwanted")["outcome"] == "Rejected"


def test_a_waiting_question_holds_no_place_in_limits(stage: Stage) -> None:
    policy = stage.policy("one-at-a-time", limits={"maxConcurrent": 1})
    ask(stage, "slow")
    ask_again = proposal("quick", "log-message", {"message": "x"})
    stage.kubectl("create", "-f", "-", input=yaml.safe_dump(ask_again), user="bob")
    stage.phase("ap", "quick", "AwaitingApproval")
    vote(stage, "alice", "quick")
    assert stage.outcome("ap", "quick")["outcome"] == "Succeeded"
    assert stage.status("ap", "slow")["phase"] == "AwaitingApproval"
    answers(stage, "alice", "slow", "us")
    assert stage.outcome("ap", "slow")["outputs"]["answer"] == "us"
    stage.kubectl("delete", "apol", policy)


def test_a_step_asks_though_the_workflow_is_approved_and_the_next_ones_go_by_the_answer(stage: Stage) -> None:
    steps = [
        {"name": "region", "action": "ask", "parameters": OPTIONS},
        {"name": "eu", "action": "log-message", "when": "steps.region.outputs.answer == 'eu'",
         "parameters": {"message": "moving to eu"}},
        {"name": "us", "action": "log-message", "when": "steps.region.outputs.answer == 'us'",
         "parameters": {"message": "moving to us"}},
    ]  # fmt: skip
    stage.kubectl("create", "-f", "-", input=yaml.safe_dump(workflow("move", steps)), user="bob")
    stage.phase("aw", "move", "AwaitingApproval")
    assert "created" in vote(stage, "alice", "move", kind="aw")
    started = stage.wait("aw", "move", lambda status: (status.get("steps") or [{}])[0].get("uid"))
    step = started["steps"][0]["proposal"]
    assert "waits for an answer" in stage.phase("ap", step, "AwaitingApproval")["message"]
    assert "created" in answers(stage, "carol", step, "us")
    status = stage.outcome("aw", "move")
    assert {step["name"]: step["outcome"] for step in status["steps"]} == {
        "region": "Succeeded", "eu": "Skipped", "us": "Succeeded"
    }  # fmt: skip


def test_the_command_answers_and_pending_shows_the_question(stage: Stage) -> None:
    ask(stage, "typed")

    def command(*arguments: str) -> "subprocess.CompletedProcess[str]":
        program = [sys.executable, "-m", "controller.cli.main", *arguments, "-n", stage.namespace]
        config = ["--kubeconfig", str(stage.cluster.kubeconfig_of("carol"))]
        return subprocess.run([*program, *config], capture_output=True, text=True, timeout=60, check=False)

    assert "To which region? (test of typed)" in command("pending").stdout
    refused = command("approve", "typed", "--yes")
    assert (refused.returncode, "answer it: kubectl actions answer typed" in refused.stderr) == (2, True)
    refused = command("answer", "typed", "mars", "--yes")
    assert (refused.returncode, "must be one of eu, us (got mars)" in refused.stderr) == (2, True)
    done = command("answer", "typed", "eu", "--yes", "--comment", "closer")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "you answered ap/typed" in done.stdout
    assert stage.outcome("ap", "typed")["outputs"] == {"answer": "eu", "by": "carol"}


def test_the_example_scales_to_what_is_answered(stage: Stage) -> None:
    raw = yaml.safe_load((ROOT / "examples" / "workflows" / "ask-and-scale.yaml").read_text())
    del raw["metadata"]["namespace"]
    raw["spec"]["serviceAccountName"] = RUNNER
    stage.apply(deployment("checkout", 1))
    stage.kubectl("create", "-f", "-", input=yaml.safe_dump(raw), user="bob")
    stage.phase("aw", "ask-and-scale", "AwaitingApproval")
    assert "created" in vote(stage, "alice", "ask-and-scale", kind="aw")
    started = stage.wait("aw", "ask-and-scale", lambda status: (status.get("steps") or [{}])[0].get("uid"))
    step = started["steps"][0]["proposal"]
    stage.phase("ap", step, "AwaitingApproval")
    assert "created" in answers(stage, "carol", step, 3)
    assert stage.outcome("aw", "ask-and-scale")["outcome"] == "Succeeded"
    assert stage.kubectl("get", "deployment", "checkout", "-o", "jsonpath={.spec.replicas}") == "3"
