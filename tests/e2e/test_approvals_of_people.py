"""Nothing runs without leave: votes of real users, on a real API server, with the admission policies in force."""

import json

import pytest
import yaml
from harness.people import RBAC, admit_people, approved, ask, vote
from harness.stage import API, Stage, deployment, workflow


@pytest.fixture(scope="module", autouse=True)
def _people(stage: Stage) -> None:
    """Everything here needs one approval."""
    admit_people(stage)
    stage.policy("ask", approval={"required": 1})


def test_a_second_user_approves_and_everybody_is_named(stage: Stage) -> None:
    stage.apply(deployment("web", 1))
    status = ask(stage, "scale", "scale-workload", {"kind": "Deployment", "name": "web", "replicas": 2})
    assert status["approval"]["required"] == 1
    assert status["preview"]["changes"][0]["after"] == 2
    assert approved(status) == ("False", "AwaitingApproval")
    assert "created" in vote(stage, "alice", "scale", comment="go on")
    status = stage.outcome("ap", "scale")
    assert status["outcome"] == "Succeeded"
    (counted,) = status["approvals"]
    assert (counted["username"], counted["comment"]) == ("alice", "go on")
    actors = {entry["reason"]: entry["actor"] for entry in status["history"]}
    assert (actors["Proposed"], actors["Approved"]) == ("bob", "alice")
    assert {"AwaitingApproval", "Approved", "Executing"} <= set(stage.reasons("scale", until="Completed"))


def test_nobody_approves_their_own(stage: Stage) -> None:
    ask(stage, "own")
    assert "created" in vote(stage, "bob", "own")
    assert "created" in vote(stage, "alice", "own")
    status = stage.outcome("ap", "own")
    assert [counted["username"] for counted in status["approvals"]] == ["alice"]


def test_one_rejection_ends_it(stage: Stage) -> None:
    ask(stage, "rejected")
    vote(stage, "carol", "rejected", decision="Reject", comment="not in the holidays")
    status = stage.outcome("ap", "rejected")
    assert status["outcome"] == "Rejected"
    assert status["message"] == "rejected by carol: not in the holidays"
    assert status["history"][-1]["actor"] == "carol"
    assert "attempts" not in status


def test_a_target_that_drifts_needs_new_approvals(stage: Stage) -> None:
    stage.apply(deployment("drifting", 1))
    parameters = {"kind": "Deployment", "name": "drifting", "replicas": 4}
    shown = ask(stage, "drift", "scale-workload", parameters, suspend=True)
    vote(stage, "alice", "drift")
    stage.phase("ap", "drift", "Blocked")
    stage.kubectl("scale", "deployment", "drifting", "--replicas=3")
    stage.kubectl("patch", "ap", "drift", "--type=merge", "-p", '{"spec":{"suspend":false}}', user="bob")
    status = stage.phase("ap", "drift", "AwaitingApproval")
    assert approved(status) == ("False", "Drifted")
    assert status["digest"] != shown["digest"]
    assert status["preview"]["changes"][0]["before"] == 3
    assert "ApprovalVoided" in [entry["reason"] for entry in status["history"]]
    assert stage.kubectl("get", "deployment", "drifting", "-o", "jsonpath={.spec.replicas}") == "3"
    vote(stage, "carol", "drift")
    assert stage.outcome("ap", "drift")["outcome"] == "Succeeded"


def test_who_lost_the_right_since_does_not_count(stage: Stage) -> None:
    ask(stage, "revoked", suspend=True)
    vote(stage, "carol", "revoked")
    stage.phase("ap", "revoked", "Blocked")
    binding = stage.kubectl("get", "rolebinding", "action-approver-carol", "-o", "json")
    stage.kubectl("delete", "rolebinding", "action-approver-carol")
    try:
        stage.kubectl("patch", "ap", "revoked", "--type=merge", "-p", '{"spec":{"suspend":false}}', user="bob")
        status = stage.phase("ap", "revoked", "AwaitingApproval")
        assert "attempts" not in status
    finally:
        again = json.loads(binding)
        stage.apply({**again, "metadata": {"name": "action-approver-carol"}})
    vote(stage, "alice", "revoked")
    assert stage.outcome("ap", "revoked")["outcome"] == "Succeeded"


def test_loosening_or_deleting_the_policy_changes_nothing_for_what_waits(stage: Stage) -> None:
    policy = stage.policy("two", approval={"required": 2}, match={"actions": ["wait"]})
    ask(stage, "strict", "wait", {"seconds": 1})
    vote(stage, "alice", "strict")
    stage.wait("ap", "strict", lambda status: status["approval"]["have"] == 1)
    stage.kubectl("delete", "actionpolicy", policy)
    stage.propose("later", "log-message", {"message": "an event after the policy's"}, mode="DryRun")
    stage.outcome("ap", "later")
    status = stage.status("ap", "strict")
    assert (status["phase"], status["approval"]["required"]) == ("AwaitingApproval", 2)
    vote(stage, "carol", "strict")
    assert stage.outcome("ap", "strict")["outcome"] == "Succeeded"


def test_another_object_of_the_same_name_gets_nothing_of_a_vote(stage: Stage) -> None:
    ask(stage, "again")
    uid = stage.get("ap", "again")["metadata"]["uid"]
    stage.kubectl("delete", "ap", "again")
    ask(stage, "again")
    vote(stage, "alice", "again", subject={"kind": "ActionProposal", "name": "again", "uid": uid})
    ask(stage, "marker")
    vote(stage, "alice", "marker")
    stage.outcome("ap", "marker")
    assert stage.status("ap", "again")["phase"] == "AwaitingApproval"


def test_a_type_that_is_swapped_after_the_approval_needs_a_new_one(stage: Stage) -> None:
    plain = json.loads(stage.kubectl("get", "actiontype", "log-message", "-o", "json"))
    swapped = {"apiVersion": API, "kind": "ActionType", "metadata": {"name": "swapped"}, "spec": plain["spec"]}
    stage.apply(swapped)
    try:
        shown = ask(stage, "swap", "swapped", suspend=True)
        vote(stage, "alice", "swap")
        stage.phase("ap", "swap", "Blocked")
        stage.apply({**swapped, "spec": {**plain["spec"], "description": "something else"}})
        status = stage.phase("ap", "swap", "AwaitingApproval")
        assert approved(status) == ("False", "DigestChanged")
        assert status["requestDigest"] != shown["requestDigest"]
    finally:
        stage.kubectl("delete", "actiontype", "swapped")


def test_it_goes_on_when_the_operator_was_killed_while_it_waited(stage: Stage) -> None:
    ask(stage, "patient")
    stage.operator.kill()
    vote(stage, "alice", "patient")
    stage.operator.start()
    status = stage.outcome("ap", "patient")
    assert status["outcome"] == "Succeeded"
    assert len(status["attempts"]) == 1


def test_one_approval_of_a_workflow_covers_its_steps(stage: Stage) -> None:
    steps = [
        {"name": "say", "action": "log-message", "parameters": {"message": "x"}},
        {"name": "rest", "action": "wait", "parameters": {"seconds": 1}},
    ]
    stage.kubectl("create", "-f", "-", input=yaml.safe_dump(workflow("both", steps)), user="bob")
    stage.phase("aw", "both", "AwaitingApproval")
    vote(stage, "alice", "both", kind="aw", actions=["log-message"])
    vote(stage, "carol", "both", kind="aw")
    status = stage.outcome("aw", "both")
    assert status["outcome"] == "Succeeded"
    assert [counted["username"] for counted in status["approvals"]] == ["carol"], "alice's did not cover every step"


def test_a_workflow_of_actions_that_its_requester_may_not_propose_ends(stage: Stage) -> None:
    stage.apply(
        {
            "apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": {"name": "asks-little"},
            "rules": [
                {"apiGroups": ["actionoperator.dev"], "resources": ["actionworkflows"], "verbs": ["create", "get"]},
                {"apiGroups": ["actionoperator.dev"], "resources": ["actiontypes"], "resourceNames": ["log-message"],
                 "verbs": ["propose"]},
            ],
        },
        {
            "apiVersion": f"{RBAC}/v1", "kind": "RoleBinding", "metadata": {"name": "asks-little"},
            "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": "asks-little"},
            "subjects": [{"kind": "User", "name": "carol", "apiGroup": RBAC}],
        },
    )  # fmt: skip
    steps = [
        {"name": "say", "action": "log-message", "parameters": {"message": "x"}},
        {"name": "rest", "action": "wait", "parameters": {"seconds": 1}},
    ]
    stage.kubectl("create", "-f", "-", input=yaml.safe_dump(workflow("bold", steps)), user="carol")
    status = stage.outcome("aw", "bold")
    assert status["outcome"] == "Failed"
    assert "carol may not propose actiontypes/wait" in status["message"]
    assert "carol may not use serviceaccounts/ops" in status["message"]
    assert "propose actiontypes/log-message" not in status["message"]


def test_a_late_rejection_stops_what_runs(stage: Stage) -> None:
    ask(stage, "long", "wait", {"seconds": 3600})
    vote(stage, "alice", "long")
    stage.phase("ap", "long", "Running")
    vote(stage, "carol", "long", decision="Reject")
    status = stage.outcome("ap", "long")
    assert status["outcome"] == "Cancelled"
    assert status["history"][-1]["actor"] == "carol"


def test_who_cancels_is_named(stage: Stage) -> None:
    ask(stage, "dropped")
    stage.kubectl("patch", "ap", "dropped", "--type=merge", "-p", '{"spec":{"cancelled":true}}', user="bob")
    status = stage.outcome("ap", "dropped")
    assert status["outcome"] == "Cancelled"
    assert status["history"][-1]["actor"] == "bob"
