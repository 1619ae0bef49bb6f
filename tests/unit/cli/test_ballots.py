"""What an approver sees, and what they are told of their vote."""

from typing import Any

import cli_samples as samples
import pytest
from drawing import item, model, on_terminal, piped

from controller.api.approval import ActionApproval
from controller.api.common import ApprovalProgress, Identity
from controller.cli.approvals import still_missing, waits_for
from controller.cli.approving import is_own, no_approval_needed, own_counts, own_does_not_count, tally, why_not_counted
from controller.cli.ballot import ballot
from controller.cli.exits import Exit
from controller.cli.items import Model
from controller.cli.pending import Waiting, pending_table, votes_of, why_not

BOB = Identity(username="bob")
ALICE = Identity(username="alice")
OTHER = "sha256:" + "f" * 64


def awaiting(**status: Any) -> Model:
    return model({**samples.AWAITING, "status": {**samples.AWAITING["status"], **status}})


def a_vote(decision: str = "Approve", name: str = "mine", username: str = "bob", digest: str = samples.DIGEST) -> Any:
    spec = {
        "subject": {"kind": "ActionProposal", "name": "scale-big", "uid": "uid-scale-big"},
        "digest": digest, "actions": ["scale-workload"], "decision": decision, "approver": {"username": username},
    }  # fmt: skip
    return ActionApproval.model_validate({"metadata": {"name": name, "namespace": "shop"}, "spec": spec})


def counted(decision: str = "Approve") -> dict[str, Any]:
    return {"name": "mine", "username": "bob", "decision": decision, "at": samples.at("15:07:00")}


def test_a_ballot_has_all_that_decides() -> None:
    assert on_terminal(ballot(awaiting(), samples.NOW), 100) == [
        "ActionProposal shop/scale-big  AwaitingApproval",
        "  Action      scale-workload, risk Medium",
        "  Parameters  kind: Deployment",
        "              name: checkout",
        "              replicas: 6",
        "  Reason      queue depth is four times normal",
        "  Ticket      OPS-1234",
        "  Asked by    alice, 6m ago (2026-11-22 15:04:00 UTC)",
        "  Runs as     ServiceAccount checkout-ops",
        "",
        "What it changes",
        "  Scale Deployment shop/checkout from 3 to 6 replicas.",
        "  Deployment shop/checkout  spec.replicas  3 -> 6",
        "  ! HorizontalPodAutoscaler checkout also scales Deployment shop/checkout (2 to 9)",
        "",
        "Approval",
        "  Approvals  1 of 2, still needed from sre or dba",
        "  Expires    in 3h (2026-11-22 18:10:00 UTC)",
        f"  Digest     {samples.DIGEST}",
        "  UTC 2026-11-22  WHO   VOTE     APPROVAL                COMMENT",
        "  15:06:00        dave  Approve  scale-big-0a1b2c3d4e5f  agreed on the call",
    ]


def test_the_ballot_of_a_workflow_has_every_step_with_what_it_does() -> None:
    lines = piped(ballot(model(samples.AWAITED_FLOW), samples.NOW))
    assert lines[5:8] == [
        "  Also      notBefore: '2026-11-23T02:00:00.000Z'",
        "            parameters:",
        "              pool: a",
    ]
    start = lines.index("What it runs")
    assert lines[start + 1 : start + 6] == [
        "  STEP          ACTION         AFTER  PARAMETERS",
        "  cordon        cordon-node    -      node: node-3",
        "                                      timeoutSeconds: 9",
        "  undo cordon   uncordon-node  -      -",
        "  finally tell  log-message    -      message: done",
    ]
    assert "  there is no preview" in lines


def test_a_ballot_cuts_nothing_and_says_what_may_be_missing() -> None:
    long = "x" * 900
    change = {"target": "ConfigMap shop/a", "path": "data.a", "before": long, "after": long[:-1]}
    many = [{**change, "path": f"data.{n}"} for n in range(64)]
    preview = {**samples.PREVIEW, "changes": many}
    text = "\n".join(piped(ballot(awaiting(preview=preview), samples.NOW)))
    assert text.count(f"{long} -> {long[:-1]}\n") == 64
    assert "only the first 64 changes are kept" in text
    assert "only the first" not in "\n".join(piped(ballot(awaiting(), samples.NOW)))


def test_what_decides_a_proposal_beside_its_parameters_is_shown() -> None:
    spec = {"retry": {"maxAttempts": 9}, "timeoutSeconds": 7, "activeDeadlineSeconds": 60}
    lines = piped(ballot(model(samples.proposal("a", spec, samples.AWAITING["status"])), samples.NOW))
    start = next(number for number, line in enumerate(lines) if line.startswith("  Also"))
    shown = " ".join(" ".join(lines[start : start + 4]).split())
    assert shown == "Also retry: maxAttempts: 9 activeDeadlineSeconds: 60 timeoutSeconds: 7"


@pytest.mark.parametrize(
    ("status", "vote", "said", "code"),
    [
        pytest.param({}, a_vote(), "", None, id="nothing yet"),
        pytest.param({"approvals": [counted()], "approval": {**samples.ASKED, "have": 1}}, a_vote(),
                     "counts your approval: 1 of 2, still needed from sre or dba", Exit.OK, id="counted, more needed"),
        pytest.param({"approvals": [counted()], "approval": {**samples.ASKED, "have": 2}}, a_vote(),
                     "counts your approval: 2 of 2, still needed from sre or dba", Exit.OK, id="a group needed"),
        pytest.param({"approvals": [counted()], "approval": {**samples.ASKED, "have": 2, "groups": []}}, a_vote(),
                     "has all approvals it needs: 2 of 2", Exit.OK, id="enough"),
        pytest.param({"approvals": [counted("Reject")], "outcome": "Rejected", "phase": "Rejected",
                      "message": "rejected by bob"}, a_vote("Reject"), "is Rejected: rejected by bob", Exit.OK,
                     id="rejected"),
        pytest.param({"approvals": [counted("Reject")], "phase": "Running", "message": "attempt 1"}, a_vote("Reject"),
                     "counts your rejection, and what runs is asked to stop (Running: attempt 1)", Exit.OK,
                     id="rejected while it runs"),
        pytest.param({"outcome": "Expired", "phase": "Expired", "message": "too late"}, a_vote("Reject"),
                     "is finished, and your vote came too late: Expired: too late", Exit.NOT_COUNTED, id="expired"),
        pytest.param({"outcome": "Succeeded", "phase": "Succeeded", "message": "done"}, a_vote(),
                     "is finished, and your vote came too late: Succeeded: done", Exit.NOT_COUNTED, id="too late"),
        pytest.param({"digest": OTHER}, a_vote(),
                     f"does not count your vote: its digest is {OTHER} now, so look at it again", Exit.NOT_COUNTED,
                     id="changed meanwhile"),
    ],
)  # fmt: skip
def test_what_came_of_a_vote(status: dict[str, Any], vote: ActionApproval, said: str, code: Exit | None) -> None:
    found = tally(awaiting(**status), vote)
    assert (found.said, found.code) == (said, code)


@pytest.mark.parametrize(
    ("status", "vote", "says", "code"),
    [
        pytest.param(
            {"conditions": [{**samples.condition("Approved", "False", "IdentityNotEnforced"),
                             "message": "no vote counts, because ..."}]},
            a_vote(), "does not count your vote: no vote counts, because", Exit.NOT_COUNTED, id="identity",
        ),
        pytest.param({}, a_vote(username="alice"), "you asked for it yourself", Exit.NOT_COUNTED, id="one's own"),
        pytest.param({"approval": {**samples.ASKED, "allowSelf": True}}, a_vote(username="alice"),
                     "has not counted your vote within 5 s", Exit.TIMEOUT, id="one's own, allowed"),
        pytest.param({}, a_vote(username="dave"), "an earlier vote of yours (scale-big-0a1b2c3d4e5f)",
                     Exit.NOT_COUNTED, id="twice"),
        pytest.param({}, a_vote(), f"has not counted your vote within 5 s (AwaitingApproval: {samples.WAITS_FOR})",
                     Exit.TIMEOUT, id="no operator"),
        pytest.param({}, a_vote("Reject", username="alice"), "has not counted your vote", Exit.TIMEOUT,
                     id="one's own rejection would count"),
    ],
)  # fmt: skip
def test_why_a_vote_was_not_counted(status: dict[str, Any], vote: ActionApproval, says: str, code: Exit) -> None:
    found = why_not_counted(awaiting(**status), vote)
    assert says in found.said
    assert found.code is code


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        (samples.condition("Approved", "True", "NotRequired"), "no policy asks for one"),
        ({**samples.condition("Approved", "True", "NotRequired"), "message": "because"}, "because"),
        (samples.condition("Approved", "True", "Approved"), ""),
        (samples.condition("Approved", "False", "AwaitingApproval"), ""),
    ],
)
def test_whether_an_approval_is_needed(condition: dict[str, Any], said: str) -> None:
    assert no_approval_needed(awaiting(conditions=[condition])) == said
    assert no_approval_needed(model(samples.UNSEEN)) == ""


def test_whose_request_it_is_and_whether_that_counts() -> None:
    assert is_own(awaiting(), ALICE)
    assert own_does_not_count(awaiting(), ALICE) == (
        "you asked for it yourself, and the policy does not count the requester's own (approval.allowSelf)"
    )
    assert not is_own(awaiting(), BOB)
    assert own_counts(awaiting()) is False
    assert own_counts(awaiting(approval={**samples.ASKED, "allowSelf": True})) is True
    assert own_counts(model(samples.UNSEEN)) is None


@pytest.mark.parametrize(
    ("me", "voted", "forbidden", "said"),
    [
        pytest.param(BOB, "", [], "", id="mine to approve"),
        pytest.param(BOB, "approved", [], "you approved it", id="voted"),
        pytest.param(BOB, "", ["a", "b", "c", "d"], "you may not approve a, b, c and 1 more", id="not allowed"),
        pytest.param(ALICE, "", [], "you asked for it", id="one's own"),
    ],
)
def test_why_something_does_not_wait_for_me(me: Identity, voted: str, forbidden: list[str], said: str) -> None:
    assert why_not(awaiting(), me, voted, forbidden) == said


@pytest.mark.parametrize(
    ("progress", "words", "missing"),
    [
        pytest.param({"have": 0, "groups": []}, "0 of 2", "2 more", id="anybody"),
        pytest.param({}, "1 of 2, still needed from sre or dba", "1 more, someone of sre or dba", id="any of a quorum"),
        pytest.param(
            {"have": 2, "groups": ["board", "dba", "sre"],
             "quorums": [{"required": 1, "groups": ["sre", "dba"]}, {"required": 1, "groups": ["board"]}]},
            "2 of 2, still needed from sre or dba and board", "someone of sre or dba and board", id="of each quorum",
        ),
        pytest.param({"groups": ["x"], "have": 2}, "2 of 2, still needed from x", "someone of x", id="of no quorum"),
        pytest.param({"groups": [], "have": 2}, "2 of 2", "", id="nothing"),
    ],
)  # fmt: skip
def test_what_is_missing_in_words(progress: dict[str, Any], words: str, missing: str) -> None:
    asked = ApprovalProgress.model_validate({**samples.ASKED, **progress})
    assert (waits_for(asked), still_missing(asked)) == (words, missing)


def test_votes_are_known_by_object_and_digest() -> None:
    votes = votes_of(BOB, [a_vote(), a_vote("Reject", digest=OTHER), a_vote(username="carol", digest=OTHER)])
    assert votes == {("uid-scale-big", samples.DIGEST): "approved", ("uid-scale-big", OTHER): "rejected"}


def test_the_table_of_what_is_pending() -> None:
    own = {**samples.AWAITED_FLOW, "status": {**samples.AWAITED_FLOW["status"]}}
    rows = [
        Waiting(item(samples.AWAITING), awaiting(), own=False, why_not=""),
        Waiting(item(own), model(own), own=True, why_not="you asked for it"),
    ]
    assert [
        line.removesuffix(" queue depth is four times normal") for line in piped(pending_table(rows[:1], samples.NOW))
    ] == [
        "NAME          ACTIONS         RISK    REQUESTED BY  WAITS FOR                             EXPIRES  REASON",
        "ap/scale-big  scale-workload  Medium  alice         1 of 2, still needed from sre or dba  in 3h   ",
    ]
    header, _, flow = piped(pending_table(rows, samples.NOW, namespaces=True, every=True))
    assert header.split("  ")[0] == "NAMESPACE"
    assert "cordon-node, log-message, uncordon-node" in flow
    assert "system:serviceaccount:ci:pipeline (your own)" in flow
    assert "you asked for it" in flow
    assert flow.endswith("kernel update")
