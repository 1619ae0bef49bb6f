"""Votes: what they cover, their names, and when there is nothing to vote on."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from unit.cli.cli_samples import DIGEST, proposal, workflow

from controller.api.approval import ActionApproval, Vote
from controller.api.base import rfc3339
from controller.api.common import Identity
from controller.api.proposal import ActionProposal
from controller.api.workflow import ActionWorkflow
from controller.client.errors import DigestChanged, NothingToApprove, ValidationError
from controller.client.votes import check_votable, covered_actions, is_the_vote, vote_manifest, vote_name
from controller.client.voting import has_run_out

OTHER = "sha256:" + "f" * 64
BOB = Identity(username="bob", uid="17", groups=("sre", "system:authenticated"))
AWAITING = {"observedGeneration": 1, "phase": "AwaitingApproval", "digest": DIGEST}
STEP = {"name": "a", "action": "wait"}


def waiting(status: dict[str, Any] | None = None, name: str = "scale-checkout") -> ActionProposal:
    return ActionProposal.model_validate(proposal(name, status={**AWAITING, **(status or {})}))


@pytest.mark.parametrize(
    ("spec", "actions"),
    [
        pytest.param({}, ("cordon-node", "http-request", "restart-rollout", "uncordon-node"), id="steps, each once"),
        pytest.param({"steps": [{**STEP, "undo": {"action": "log-message"}}]}, ("log-message", "wait"), id="undo"),
        pytest.param(
            {
                "steps": [STEP],
                "finally": [{"name": "z", "action": "run-job", "undo": {"action": "http-request"}}],
            },
            ("http-request", "run-job", "wait"),
            id="finally, and its undo",
        ),
    ],
)
def test_a_vote_covers_every_action_that_a_workflow_may_run(spec: dict[str, Any], actions: tuple[str, ...]) -> None:
    assert covered_actions(ActionWorkflow.model_validate(workflow("node-3", spec))) == actions


def test_a_vote_names_the_object_what_would_run_and_the_voter() -> None:
    body = vote_manifest(waiting(), Vote.APPROVE, BOB, comment="agreed")
    assert body["spec"] == {
        "subject": {"kind": "ActionProposal", "name": "scale-checkout", "uid": "uid-scale-checkout"},
        "digest": DIGEST,
        "actions": ["scale-workload"],
        "decision": "Approve",
        "comment": "agreed",
        "approver": {"username": "bob", "uid": "17", "groups": ["sre", "system:authenticated"]},
    }
    assert body["metadata"]["namespace"] == "shop"
    assert body["metadata"]["ownerReferences"] == [
        {
            "apiVersion": "actionoperator.dev/v1alpha1",
            "kind": "ActionProposal",
            "name": "scale-checkout",
            "uid": "uid-scale-checkout",
        }
    ]


def named(name: str = "scale-checkout", **changes: Any) -> str:
    return vote_name(waiting(name=name), **{"username": "bob", "digest": DIGEST, "decision": Vote.APPROVE, **changes})


def test_the_same_vote_has_the_same_name_and_any_other_has_another() -> None:
    names = [
        named(),
        named(username="carol"),
        named(digest=OTHER),
        named(decision=Vote.REJECT),
        named(name="scale-cart"),
    ]
    assert named() == names[0]
    assert len(set(names)) == len(names)
    recreated = ActionProposal.model_validate(proposal("scale-checkout", status=AWAITING, uid="another"))
    assert vote_name(recreated, username="bob", digest=DIGEST, decision=Vote.APPROVE) != names[0]


@pytest.mark.parametrize("name", ["a", "x" * 63, "a." + "b" * 47 + "-.cd", "1" * 50 + ".-" + "z" * 11])
def test_the_name_is_one_that_kubernetes_takes(name: str) -> None:
    made = named(name=name)
    assert len(made) <= 63
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*", made)


@pytest.mark.parametrize(
    ("status", "decision", "shown", "error", "says"),
    [
        pytest.param({"outcome": "Failed"}, Vote.APPROVE, None, NothingToApprove,
                     r"already finished \(Failed\); there is nothing to approve", id="finished"),
        pytest.param({"outcome": "Failed"}, Vote.REJECT, None, NothingToApprove, "nothing to reject", id="reject"),
        pytest.param({"digest": None, "phase": "Blocked", "message": "no preview"}, Vote.APPROVE, None,
                     NothingToApprove, "no digest yet, .* Blocked: no preview", id="no preview yet"),
        pytest.param({}, Vote.APPROVE, OTHER, DigestChanged, f"its digest is {DIGEST}, not {OTHER}", id="changed"),
        pytest.param({}, Vote.REJECT, OTHER, DigestChanged, "before you reject", id="changed, reject"),
        pytest.param({"startedAt": "2026-11-22T15:04:05Z"}, Vote.APPROVE, DIGEST, NothingToApprove,
                     "has started already", id="started"),
    ],
)  # fmt: skip
def test_what_cannot_be_voted_on_is_told(
    status: dict[str, Any], decision: Vote, shown: str | None, error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        check_votable(waiting(status), decision, shown)


def test_what_has_started_can_still_be_rejected() -> None:
    started = waiting({"startedAt": "2026-11-22T15:04:05Z", "phase": "Running"})
    assert check_votable(started, Vote.REJECT, DIGEST) == DIGEST


def test_a_comment_has_its_bound() -> None:
    assert vote_manifest(waiting(), Vote.APPROVE, BOB, comment="x" * 1024)["spec"]["comment"] == "x" * 1024
    with pytest.raises(ValidationError, match="at most 1024 characters"):
        vote_manifest(waiting(), Vote.APPROVE, BOB, comment="x" * 1025)


@pytest.mark.parametrize(
    ("change", "same"),
    [
        pytest.param({}, True, id="the same"),
        pytest.param({"comment": "other words"}, True, id="other words"),
        pytest.param({"approver": {"username": "mallory"}}, False, id="somebody else's"),
        pytest.param({"approver": None}, False, id="nobody's"),
        pytest.param({"digest": OTHER}, False, id="another digest"),
        pytest.param({"decision": "Reject"}, False, id="another decision"),
        pytest.param({"actions": ["wait"]}, False, id="other actions"),
    ],
)
def test_only_the_same_vote_counts_as_cast_before(change: dict[str, Any], same: bool) -> None:
    body = vote_manifest(waiting(), Vote.APPROVE, BOB)
    stored = ActionApproval.model_validate({**body, "spec": {**body["spec"], **change}})
    assert is_the_vote(stored, body) is same


@pytest.mark.parametrize(
    ("spec", "seconds", "run_out"),
    [
        pytest.param({}, 599, False, id="still good"),
        pytest.param({}, 600, True, id="run out"),
        pytest.param({"notBefore": "2026-11-22T16:04:05Z"}, 3600 + 599, False, id="counted from notBefore"),
        pytest.param({"notBefore": "2026-11-22T16:04:05Z"}, 3600 + 600, True, id="run out after notBefore"),
    ],
)
def test_a_vote_that_has_run_out_is_cast_anew(spec: dict[str, Any], seconds: float, run_out: bool) -> None:
    cast_at = datetime(2026, 11, 22, 15, 4, 5, tzinfo=UTC)
    progress = {"required": 1, "have": 0, "requestedAt": "2026-11-22T15:00:00Z", "validSeconds": 600,
                "requestTimeoutSeconds": 86_400}  # fmt: skip
    body = vote_manifest(waiting(), Vote.APPROVE, BOB)
    vote = {"name": body["metadata"]["name"], "username": "bob", "decision": "Approve", "at": rfc3339(cast_at)}
    raw = proposal("scale-checkout", status={**AWAITING, "approval": progress, "approvals": [vote]})
    raw["spec"] |= spec
    subject = ActionProposal.model_validate(raw)
    body["metadata"]["creationTimestamp"] = cast_at.isoformat()
    stored = ActionApproval.model_validate(body)
    assert has_run_out(stored, subject, cast_at + timedelta(seconds=seconds)) is run_out
    rejection = stored.model_copy(update={"spec": stored.spec.model_copy(update={"decision": Vote.REJECT})})
    assert not has_run_out(rejection, subject, cast_at + timedelta(days=9)), "a rejection does not grow old"


@pytest.mark.parametrize(("seconds", "anew"), [(59, False), (60, True)])
def test_a_vote_that_was_never_counted_is_cast_anew_after_a_minute(seconds: float, anew: bool) -> None:
    cast_at = datetime(2026, 11, 22, 15, 4, 5, tzinfo=UTC)
    progress = {"required": 1, "have": 0, "requestedAt": "2026-11-22T15:00:00Z", "validSeconds": 600,
                "requestTimeoutSeconds": 86_400}  # fmt: skip
    subject = waiting({"approval": progress})
    body = vote_manifest(subject, Vote.APPROVE, BOB)
    body["metadata"]["creationTimestamp"] = cast_at.isoformat()
    stored = ActionApproval.model_validate(body)
    assert has_run_out(stored, subject, cast_at + timedelta(seconds=seconds)) is anew
