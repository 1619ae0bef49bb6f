"""Which votes count and whether they are enough, and what the decision makes of them."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from unit.core.making import (
    CHANCE,
    CREATED,
    EXECUTE,
    NOW,
    PROVEN,
    SEEN,
    SHIPPED_TYPES,
    UNPROVEN,
    after,
    on_digest,
    type_entry,
    view,
    vote,
    with_status,
)

from controller.api.approval import ActionApproval
from controller.api.base import rfc3339
from controller.api.common import ApprovalProgress, Undo
from controller.api.names import AttemptResult, Outcome, Phase, Reason, Transition
from controller.api.proposal import ProposalStatus
from controller.core.approval_view import approval_of
from controller.core.attempt_report import Stop
from controller.core.decision import Decision, Gather
from controller.core.enforcement import Enforcement
from controller.core.ports import Json
from controller.core.proposal import decide, recheck
from controller.core.settings import Settings
from controller.core.view import Access, Findings, ProposalView

ALICE: Json = {"requestedBy": {"username": "alice", "groups": ["dev"]}}
AGENT: Json = {"requestedBy": {"username": "system:serviceaccount:shop:agent"}}


def asks(required: int | None = 1, **rule: Any) -> Json:
    """A policy that lets it run with these approvals."""
    return {**EXECUTE, "approval": {name: v for name, v in {"required": required, **rule}.items() if v is not None}}


def waiting(
    *policies: Json,
    spec: Json = ALICE,
    enforcement: Enforcement = PROVEN,
    settings: Settings | None = None,
    **more: Any,
) -> ProposalView:
    """A proposal that was seen once and waits for approval."""
    known = {"settings": settings} if settings else {}
    fresh = view(spec, policies=policies or (asks(),), enforcement=enforcement, findings=SEEN, **known, **more)
    first = decide(fresh, NOW - timedelta(minutes=2), CHANCE)
    assert first.status is not None
    return with_status(fresh, first.status, findings=None)


def voted(seen: ProposalView, *votes: ActionApproval) -> ProposalView:
    """The same with votes on what it shows now."""
    digest = seen.proposal.status.digest
    return replace(seen, votes=[on_digest(vote, digest) for vote in votes])


def decided(seen: ProposalView, moment: Any = NOW) -> Decision[ProposalStatus]:
    """The decision with all that it asks for gathered: the same preview, and nobody's right is gone."""
    for _ in range(4):
        decision = decide(seen, moment, CHANCE)
        match decision.gather:
            case Gather.PREVIEW:
                seen = replace(seen, findings=SEEN)
            case Gather.ACCESS:
                seen = replace(seen, access=seen.access or Access())
            case _:
                return decision
    raise AssertionError("asks again and again")


def approved(seen: ProposalView) -> str:
    status = decided(seen).status or seen.proposal.status
    condition = next(c for c in status.conditions if c.type == "Approved")
    return f"{condition.status} {condition.reason}"


def test_what_needs_no_approval_is_claimed_with_one_write() -> None:
    decision = decided(view(ALICE, enforcement=PROVEN, findings=None))
    assert decision.act is not None
    assert decision.status is not None
    assert decision.status.approval is None
    assert [c.reason for c in decision.status.conditions if c.type == "Approved"] == [Reason.NOT_REQUIRED]


def test_what_is_asked_for_is_shown_when_waiting_begins() -> None:
    seen = waiting(asks(2, groups=["sre"], validSeconds=600))
    status = seen.proposal.status
    assert status.phase is Phase.AWAITING_APPROVAL
    assert status.approval is not None
    assert (status.approval.required, status.approval.have, status.approval.groups) == (2, 0, ("sre",))
    assert status.digest is not None
    assert status.preview is not None
    assert status.message == "waits for 2 of 2 approvals of group sre (policy policy-0)"
    assert [entry.reason for entry in status.history] == [
        Transition.PROPOSED, Transition.VALIDATED, Transition.AWAITING_APPROVAL
    ]  # fmt: skip
    assert status.history[0].actor == "alice"
    assert decided(seen).status == status, "waiting is written once"


COUNTS = [
    pytest.param([vote("bob")], "", id="one"),
    pytest.param([vote("alice")], "it is the requester's own", id="self"),
    pytest.param([vote("bob", at=CREATED - timedelta(hours=30))], "older than", id="too old"),
    pytest.param([vote("bob", approver={})], "nothing says who cast it", id="unstamped"),
    pytest.param([vote("bob", actions=["wait"])], "does not cover scale-workload", id="another action"),
    pytest.param([vote("bob", subject={"uid": "other"})], "another object", id="another uid"),
    pytest.param([vote("bob", subject={"name": "other"})], "another object", id="another name"),
    pytest.param([vote("bob", subject={"kind": "ActionWorkflow"})], "another object", id="another kind"),
]  # fmt: skip


@pytest.mark.parametrize(("votes", "why_not"), COUNTS)
def test_a_vote_counts_only_if_everything_fits(votes: Sequence[ActionApproval], why_not: str) -> None:
    seen = voted(waiting(), *votes)
    decision = decided(seen)
    assert (decision.act is not None) is (not why_not)
    ignored = approval_of(seen, NOW).tally.ignored
    assert all(why_not in text for text in ignored.values())
    assert bool(ignored) is bool(why_not)


def test_a_vote_on_another_digest_does_not_count() -> None:
    seen = replace(waiting(), votes=[vote("bob", "sha256:" + "e" * 64)])
    assert decided(seen).act is None


@pytest.mark.parametrize("seconds", [-10, 0, 4.9])
def test_votes_cast_before_the_identity_policies_were_in_force_do_not_count(seconds: float) -> None:
    cast = NOW - timedelta(minutes=1)
    early = Enforcement(cast - timedelta(seconds=seconds), None)
    own = asks(1, allowSelf=True)  # so that it does not matter that who asked is not proven either
    assert decided(voted(waiting(own, enforcement=early), vote("bob", at=cast))).act is None
    enforced = Enforcement(cast - timedelta(seconds=5), None)
    assert decided(voted(waiting(own, enforcement=enforced), vote("bob", at=cast))).act is not None


def test_while_identity_is_not_enforced_no_vote_counts_and_it_says_so() -> None:
    seen = voted(waiting(enforcement=UNPROVEN), vote("bob"))
    assert approved(seen) == "False IdentityNotEnforced"
    assert "ValidatingAdmissionPolicy x is missing" in (seen.proposal.status.message or "")
    assert decided(seen).act is None


ENOUGH = [
    pytest.param((asks(2),), [vote("bob")], False, id="one of two"),
    pytest.param((asks(2),), [vote("bob"), vote("bob", name="again")], False, id="twice by one"),
    pytest.param((asks(2),), [vote("bob"), vote("carol")], True, id="two of two"),
    pytest.param((asks(1, groups=["sre"]),), [vote("bob")], False, id="not of the group"),
    pytest.param((asks(1, groups=["sre"]),), [vote("bob", groups=["dev", "sre"])], True, id="of the group"),
    pytest.param((asks(2, groups=["sre", "dba"]),), [vote("bob", groups=["sre"]), vote("eve", groups=["dba"])], True,
                 id="any of the groups"),
    pytest.param((asks(1, groups=["sre"]), asks(1, groups=["dba"])), [vote("bob", groups=["sre"])], False,
                 id="each policy's group"),
    pytest.param((asks(1, groups=["sre"]), asks(1, groups=["dba"])),
                 [vote("bob", groups=["sre", "dba"])], True, id="one person of both groups"),
    pytest.param((asks(1), asks(3)), [vote("bob"), vote("carol")], False, id="the highest number"),
    pytest.param((asks(1, allowSelf=True),), [vote("alice")], True, id="self allowed"),
    pytest.param((asks(1, allowSelf=True), asks(1, allowSelf=False)), [vote("alice")], False, id="self, one refuses"),
    pytest.param((asks(0, allowSelf=True), asks(1)), [vote("alice")], True, id="self, the other has no opinion"),
    pytest.param((asks(1, validSeconds=30),), [vote("bob")], False, id="validity"),
    pytest.param((asks(1, validSeconds=90), asks(None, validSeconds=30)), [vote("bob")], False, id="least validity"),
]  # fmt: skip


@pytest.mark.parametrize(("policies", "votes", "enough"), ENOUGH)
def test_every_matching_policy_must_be_satisfied(
    policies: Sequence[Json], votes: Sequence[ActionApproval], enough: bool
) -> None:
    decision = decided(voted(waiting(*policies), *votes))
    assert (decision.act is not None) is enough
    if enough:
        assert decision.status is not None
        assert {v.username for v in decision.status.approvals} == {
            v.spec.approver.username for v in votes if v.spec.approver
        }
        told = [entry.reason for entry in decision.status.history]
        assert told.index(Transition.APPROVED) < told.index(Transition.EXECUTING)


@pytest.mark.parametrize(
    ("spec", "needed"), [(ALICE, 1), (AGENT, 2), ({}, 2)], ids=["a person", "a machine", "nobody is named"]
)
def test_machines_may_need_more(spec: Json, needed: int) -> None:
    seen = waiting(asks(1, requiredFromMachines=2), spec=spec)
    assert seen.proposal.status.approval is not None
    assert seen.proposal.status.approval.required == needed


def test_approval_mode_asks_for_everything() -> None:
    seen = waiting(EXECUTE, settings=Settings(owner="operator-1", approval_mode=True))
    assert seen.proposal.status.message == "waits for an approval (OPERATOR_APPROVAL_MODE)"
    assert decided(voted(seen, vote("bob"))).act is not None


@pytest.mark.parametrize("later", [(EXECUTE,), (asks(1, allowSelf=True, validSeconds=10_000, groups=[]),), ()])
def test_what_was_asked_for_can_only_tighten(later: Sequence[Json]) -> None:
    seen = waiting(asks(2, groups=["sre"], validSeconds=600))
    policies = later or (EXECUTE,)
    loosened = view(ALICE, seen.proposal.status, policies=policies, enforcement=PROVEN, findings=None)
    noted = decided(loosened).status
    assert noted is not None
    assert noted.approval is not None
    assert (noted.approval.required, noted.approval.valid_seconds) == (2, 600)
    assert not noted.approval.allow_self
    one = voted(loosened, vote("bob", groups=["sre"]))
    assert decided(one).act is None


def test_a_policy_that_comes_later_adds_to_what_is_asked() -> None:
    seen = waiting(asks(1))
    tightened = view(ALICE, seen.proposal.status, policies=(asks(1), asks(2)), enforcement=PROVEN, findings=None)
    assert decided(voted(tightened, vote("bob"))).act is None
    assert decided(voted(tightened, vote("bob"), vote("carol"))).act is not None


def test_more_policies_than_can_be_noted_ask_for_no_less() -> None:
    """As many as there are, of which most ask the same: the highest of those stands for all."""
    many = [asks(number % 3 + 1, groups=["sre"] if number % 2 else []) for number in range(200)]
    seen = waiting(*many)
    again = decided(seen).status or seen.proposal.status
    assert again.approval is not None
    assert {(quorum.required, quorum.groups) for quorum in again.approval.quorums} == {(3, ()), (3, ("sre",))}
    people = [vote(name, groups=["sre"]) for name in ("bob", "carol", "dora")]
    assert decided(voted(seen, *people[:2])).act is None
    assert decided(voted(seen, *people[:2], vote("eve"))).act is None
    assert decided(voted(seen, *people)).act is not None


def test_more_groups_than_can_be_told_are_still_asked() -> None:
    seen = waiting(*[asks(1, groups=[f"team-{part}-{number}" for number in range(200)]) for part in "ab"])
    assert decided(voted(seen, vote("bob", groups=["team-a-199"]))).act is None
    assert decided(voted(seen, vote("bob", groups=["team-a-199", "team-b-199"]))).act is not None


def test_one_rejection_ends_it_and_names_who() -> None:
    decision = decided(voted(waiting(), vote("bob"), vote("carol", decision="Reject", comment="not now")))
    assert decision.status is not None
    assert decision.status.outcome is Outcome.REJECTED
    assert decision.status.message == "rejected by carol: not now"
    assert decision.status.history[-1].reason is Transition.REJECTED
    assert decision.status.history[-1].actor == "carol"
    assert [v.decision for v in decision.status.approvals] == ["Approve", "Reject"]


def test_a_request_ends_when_nobody_answers_in_time() -> None:
    seen = waiting(asks(1, requestTimeoutSeconds=600))
    begun = NOW - timedelta(minutes=2)
    assert decide(seen, NOW, CHANCE).wake_at == begun + timedelta(seconds=600)
    decision = decided(seen, begun + timedelta(seconds=600))
    assert decision.status is not None
    assert decision.status.outcome is Outcome.EXPIRED
    assert decision.status.conditions[-1].reason or True
    assert "not approved within requestTimeoutSeconds (600 s)" in (decision.status.message or "")


def test_approvals_count_from_not_before() -> None:
    """Validity bounds the time to the first claim, from the later of the approval and notBefore."""
    start = NOW + timedelta(hours=1)
    seen = voted(waiting(asks(1, validSeconds=600), spec={**ALICE, "notBefore": rfc3339(start)}), vote("bob"))
    scheduled = decided(seen)
    assert scheduled.status is not None
    assert scheduled.status.phase is Phase.SCHEDULED
    assert decided(with_status(seen, scheduled.status), start + timedelta(seconds=599)).act is not None
    late = decided(with_status(seen, scheduled.status), start + timedelta(seconds=600))
    assert late.act is None
    assert late.status is not None
    assert late.status.phase is Phase.AWAITING_APPROVAL


def test_whoever_lost_the_right_to_approve_does_not_count() -> None:
    seen = voted(waiting(), vote("bob"))
    decision = decided(replace(seen, access=Access(revoked=frozenset({"uid-bob"}))))
    assert decision.act is None
    assert decision.status is not None
    assert decision.status.phase is Phase.AWAITING_APPROVAL


def test_rights_are_asked_about_right_before_the_claim_and_not_while_it_waits() -> None:
    assert decide(waiting(), NOW, CHANCE).gather is None
    ready = replace(voted(waiting(), vote("bob")), findings=SEEN)
    assert decide(ready, NOW, CHANCE).gather is Gather.ACCESS


def drifted(before: int) -> Any:
    preview = SEEN.preview
    assert preview is not None
    return replace(SEEN, preview=replace(preview, changes=(preview.changes[0].model_copy(update={"before": before}),)))


def test_a_target_that_changed_since_voids_the_approvals() -> None:
    seen = voted(waiting(), vote("bob"))
    decision = decide(replace(seen, findings=drifted(4), access=Access()), NOW, CHANCE)
    assert decision.act is None
    status = decision.status
    assert status is not None
    assert status.phase is Phase.AWAITING_APPROVAL
    assert status.digest != seen.proposal.status.digest
    assert status.preview is not None
    assert status.preview.changes[0].before == 4
    condition = next(c for c in status.conditions if c.type == "Approved")
    assert (condition.status, condition.reason) == ("False", Reason.DRIFTED)
    assert "spec.replicas is 4, not 3" in condition.message
    old_votes = with_status(seen, status, findings=None)
    again = decided(old_votes)
    assert again.act is None, "the votes named what was shown before"
    assert again.status is not None
    assert next(c for c in again.status.conditions if c.type == "Approved").reason is Reason.DRIFTED
    settled = decided(with_status(old_votes, again.status))
    assert settled.status == again.status


def test_voided_approvals_are_told() -> None:
    first = waiting(asks(2))
    one = voted(first, vote("bob"))
    counted = decided(one).status
    assert counted is not None
    assert counted.approval is not None
    assert counted.approval.have == 1
    other = [type_entry("scale-workload", description="does something else"), *SHIPPED_TYPES[1:]]
    types = [entry for entry in SHIPPED_TYPES if entry.type.metadata.name != "scale-workload"] + other[:1]
    swapped = view(ALICE, counted, policies=(asks(2),), types=types, enforcement=PROVEN, findings=None, votes=one.votes)
    assert decide(swapped, NOW, CHANCE).gather is Gather.PREVIEW
    status = decide(replace(swapped, findings=SEEN), NOW, CHANCE).status
    assert status is not None
    assert status.history[-1].reason is Transition.APPROVAL_VOIDED
    assert status.approvals == ()
    assert next(c for c in status.conditions if c.type == "Approved").reason is Reason.DIGEST_CHANGED


def test_policy_may_let_a_drifted_target_go_on() -> None:
    seen = voted(waiting(asks(1, onDrift="Proceed")), vote("bob"))
    decision = decide(replace(seen, findings=drifted(4), access=Access()), NOW, CHANCE)
    assert decision.act is not None
    assert decision.status is not None
    assert decision.status.digest == seen.proposal.status.digest


def test_the_claim_pins_what_puts_back_the_values_of_now_not_those_that_were_shown() -> None:
    seen = voted(waiting(asks(1, onDrift="Proceed")), vote("bob"))
    undo = Undo(action="scale-workload", parameters={"kind": "Deployment", "name": "checkout", "replicas": 4})
    found = drifted(4).preview
    assert found is not None
    now = Findings(preview=replace(found, undo=undo))
    status = decide(replace(seen, findings=now, access=Access()), NOW, CHANCE).status
    assert status is not None
    assert status.attempts
    assert status.undo == undo


def claim(seen: ProposalView) -> ProposalView:
    """The view in the claim's answer."""
    decision = decided(seen)
    assert decision.act is not None
    assert decision.status is not None
    return with_status(seen, decision.status, findings=None, access=None)


def test_a_rejection_seen_after_the_claim_ends_the_attempt_unstarted() -> None:
    claimed = claim(voted(waiting(), vote("bob")))
    attempt = claimed.proposal.status.attempts[-1]
    assert recheck(claimed, attempt, NOW) is None
    rejected = replace(claimed, votes=[*claimed.votes, vote("carol", decision="Reject")])
    assert recheck(rejected, attempt, NOW) is Stop.REJECTED
    assert decide(replace(rejected, running=True), NOW, CHANCE).stop is Stop.REJECTED


def test_what_was_approved_at_the_claim_stays_approved() -> None:
    """Retries run under the approvals pinned at the claim, however old they get and whatever policy says later."""
    claimed = claim(voted(waiting(asks(1, validSeconds=120)), vote("bob")))
    status = claimed.proposal.status
    attempt = status.attempts[-1].model_copy(update={"result": AttemptResult.INTERRUPTED, "finished_at": NOW})
    between = with_status(claimed, status.model_copy(update={"attempts": (attempt,)}))
    decision = decided(replace(between, votes=()), after(600))
    assert decision.act is not None
    assert decision.status is not None
    assert decision.status.approvals == status.approvals


def test_progress_reads_what_it_wrote() -> None:
    status = waiting(asks(2, groups=["sre"])).proposal.status
    assert status.approval is not None
    assert ApprovalProgress.model_validate(status.approval.wire()) == status.approval
