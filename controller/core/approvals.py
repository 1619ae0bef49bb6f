"""Which votes count, and whether they are enough.

A vote counts only if it names exactly this object and digest and covers every action type of it, if the API server
proved who cast it, if its voter may still approve, is not the requester (unless policy allows), has not voted already,
and if it is not too old. One rejection ends the request. What is asked for is noted when waiting begins; a policy that
changes or goes later can only add to it.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from controller.api import policy as api
from controller.api.approval import ActionApproval
from controller.api.approval import Vote as Choice
from controller.api.common import MAX_QUORUMS, ApprovalProgress, Identity, Quorum, Vote
from controller.api.policy import DriftRule
from controller.core.actors import proven
from controller.core.answers import Question, same_answer
from controller.core.enforcement import Enforcement
from controller.core.policy import Stated

VALID_SECONDS = 86_400
REQUEST_TIMEOUT_SECONDS = 86_400
MACHINE = "system:serviceaccount:"
ASKED_OF_A_VOTE = 8
"""About so many of the actions that a vote names, admission asks whether its voter may approve them."""


@dataclass(frozen=True)
class ApprovalRule:
    """What the matching policies ask for together. Without quorums nothing is asked."""

    quorums: tuple[Quorum, ...] = ()
    allow_self: bool = True
    valid_seconds: int = VALID_SECONDS
    request_timeout_seconds: int = REQUEST_TIMEOUT_SECONDS
    on_drift: DriftRule = DriftRule.REAPPROVE


@dataclass(frozen=True)
class Request:
    """What is voted on, and since when."""

    kind: str
    namespace: str
    name: str
    uid: str
    digest: str | None
    actions: frozenset[str]
    requester: Identity | None
    """None: nothing proves who asked, so it may be anybody."""
    not_before: datetime | None
    question: Question | None = None
    """What every approval has to answer."""


@dataclass(frozen=True)
class Tally:
    """The votes that count, oldest first; the rejection that ends it; what does not count, by name, and why."""

    approvals: tuple[Vote, ...] = ()
    rejection: Vote | None = None
    ignored: Mapping[str, str] = field(default_factory=dict)
    groups: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """The groups of those who approve, by user name."""


def asked_by(rules: Sequence[Stated[api.ApprovalRule]], requester: Identity | None, *, always: bool) -> ApprovalRule:
    """What policies ask of this requester together. `always`: at least one approval for everything."""
    quorums = [Quorum(policy=None, required=1)] if always else []
    for name, rule in ((stated.policy, stated.rule) for stated in rules):
        machines = rule.required_from_machines or 0
        required = max(rule.required or 0, machines if is_machine(requester) else 0)
        if required:
            quorums.append(Quorum(policy=name, required=required, groups=rule.groups or ()))
    own_counts = _agreed(((stated.rule.allow_self, stated.sure) for stated in rules), True)
    proceeds = _agreed(((stated.rule.on_drift, stated.sure) for stated in rules), DriftRule.PROCEED)
    timeouts = ((stated.rule.request_timeout_seconds, stated.sure) for stated in rules)
    return ApprovalRule(
        quorums=_distinct(quorums),
        allow_self=own_counts,
        valid_seconds=shortest(((stated.rule.valid_seconds, stated.sure) for stated in rules), VALID_SECONDS),
        request_timeout_seconds=shortest(timeouts, REQUEST_TIMEOUT_SECONDS),
        on_drift=DriftRule.PROCEED if proceeds else DriftRule.REAPPROVE,
    )


def shortest(given: Iterable[tuple[int | None, bool]], default: int) -> int:
    """The least of the times that are given, each with whether it is sure to apply; one that is not lengthens none."""
    times = [(seconds, sure) for seconds, sure in given if seconds is not None]
    without = min((seconds for seconds, sure in times if sure), default=default)
    return min([without, *(seconds for seconds, _ in times)])


def _agreed(given: Iterable[tuple[object, bool]], leave: object) -> bool:
    """Whether somebody who is sure to apply gives this leave, and nobody with an opinion says otherwise."""
    opinions = [(said, sure) for said, sure in given if said is not None]
    return any(sure for _, sure in opinions) and all(said == leave for said, _ in opinions)


def together(rules: Sequence[ApprovalRule]) -> ApprovalRule:
    """The strictest of several: of all actions of a workflow, or of what was noted and what is asked now."""
    if not rules:
        return ApprovalRule()
    asking = [rule for rule in rules if rule.quorums] or list(rules)
    return ApprovalRule(
        quorums=_distinct(quorum for rule in rules for quorum in rule.quorums),
        allow_self=all(rule.allow_self for rule in asking),
        valid_seconds=min(rule.valid_seconds for rule in asking),
        request_timeout_seconds=min(rule.request_timeout_seconds for rule in asking),
        on_drift=DriftRule.PROCEED
        if all(rule.on_drift is DriftRule.PROCEED for rule in asking)
        else DriftRule.REAPPROVE,
    )


def noted(progress: ApprovalProgress) -> ApprovalRule:
    """What was asked for when waiting began."""
    return ApprovalRule(
        quorums=progress.quorums,
        allow_self=progress.allow_self,
        valid_seconds=progress.valid_seconds,
        request_timeout_seconds=progress.request_timeout_seconds,
        on_drift=DriftRule(progress.on_drift),
    )


def count(
    request: Request,
    votes: Iterable[ActionApproval],
    rule: ApprovalRule,
    enforcement: Enforcement,
    now: datetime,
    revoked: Collection[str] = (),
) -> Tally:
    """Counts the votes. `revoked`: uids of those whose voters were found to have no right to approve it any more."""
    approvals: dict[str, Vote] = {}
    groups: dict[str, frozenset[str]] = {}
    ignored: dict[str, str] = {}
    rejection: Vote | None = None
    for approval in sorted(votes, key=_cast_at):
        who = approval.spec.approver
        if fault := _flaw(request, approval, who, enforcement, revoked):
            ignored[approval.metadata.name] = fault
            continue
        assert who is not None  # noqa: S101  a vote without a voter has a flaw
        vote = Vote(
            name=approval.metadata.name,
            username=who.username,
            decision=approval.spec.decision.value,
            comment=approval.spec.comment,
            at=_cast_at(approval),
            answer=approval.spec.answer if request.question and approval.spec.decision is Choice.APPROVE else None,
        )
        if approval.spec.decision is Choice.REJECT:
            rejection = rejection or vote
        elif fault := _uncounted(request, approval, who, rule, approvals, now):
            ignored[approval.metadata.name] = fault
        else:
            approvals[who.username] = vote
            groups[who.username] = frozenset(who.groups)
    return Tally(tuple(approvals.values()), rejection, ignored, groups)


def unmet(rule: ApprovalRule, tally: Tally) -> tuple[Quorum, ...]:
    """The quorums that are still missing someone."""
    return tuple(quorum for quorum in rule.quorums if have(quorum, tally) < quorum.required)


def have(quorum: Quorum, tally: Tally) -> int:
    """How many of the approvals count for this quorum."""
    if not quorum.groups:
        return len(tally.approvals)
    wanted = frozenset(quorum.groups)
    return sum(1 for vote in tally.approvals if wanted & tally.groups[vote.username])


def expiry(rule: ApprovalRule, tally: Tally, not_before: datetime | None) -> datetime | None:
    """When the first of the approvals runs out, None if there is none."""
    ends = [_valid_until(vote.at, rule, not_before) for vote in tally.approvals]
    return min(ends, default=None)


def is_machine(requester: Identity | None) -> bool:
    """Whether a service account asks. Who is not named may be one."""
    return requester is None or requester.username.startswith(MACHINE)


def _flaw(
    request: Request,
    approval: ActionApproval,
    who: Identity | None,
    enforcement: Enforcement,
    revoked: Collection[str],
) -> str | None:
    """Why a vote of either kind is none at all."""
    subject, namespace = approval.spec.subject, approval.metadata.namespace
    about = (subject.kind.value, namespace, subject.name, subject.uid)
    if about != (request.kind, request.namespace, request.name, request.uid):
        return "it is about another object"
    if approval.spec.decision is Choice.REJECT and not request.actions & set(approval.spec.actions[:ASKED_OF_A_VOTE]):
        return f"it names no action of it among its first {ASKED_OF_A_VOTE}"  # more than that nobody has checked
    if who is None:
        return "nothing says who cast it"
    if enforcement.since is None:
        return f"the API server does not prove who cast it: {enforcement.fault}"
    if not proven(approval.metadata, enforcement):
        return "it was cast before the admission policies that prove who cast it were in force"
    if approval.metadata.uid in revoked:
        return f"{who.username} may not approve this"
    return None


def _uncounted(
    request: Request,
    approval: ActionApproval,
    who: Identity,
    rule: ApprovalRule,
    earlier: Mapping[str, Vote],
    now: datetime,
) -> str | None:
    """Why a true vote for it does not count."""
    if request.digest is None or approval.spec.digest != request.digest:
        return "it approves another digest"
    if missing := sorted(request.actions - set(approval.spec.actions)):
        return f"it does not cover {', '.join(missing)}"
    if not rule.allow_self and request.requester is None:
        return "it may be the requester's own, for nothing proves who asked"
    if not rule.allow_self and request.requester is not None and who.username == request.requester.username:
        return "it is the requester's own"
    if who.username in earlier:
        return f"{who.username} has approved already"
    if now >= _valid_until(_cast_at(approval), rule, request.not_before):
        return f"it is older than {rule.valid_seconds} s"
    return _unanswered(request.question, approval.spec.answer, earlier.values())


def _unanswered(question: Question | None, answer: Any, earlier: Iterable[Vote]) -> str | None:
    """Why it answers nothing that was asked."""
    if question is None:
        return None if answer is None else "it answers, but nothing is asked"
    if fault := question.fault(answer):
        return fault
    first = next(iter(earlier), None)
    if first is not None and not same_answer(first.answer, answer):
        return f"it answers otherwise than {first.username} has"
    return None


def _valid_until(at: datetime, rule: ApprovalRule, not_before: datetime | None) -> datetime:
    start = max(at, not_before) if not_before else at
    return start + timedelta(seconds=rule.valid_seconds)


def _cast_at(approval: ActionApproval) -> datetime:
    created = approval.metadata.creation_timestamp
    if created is None:
        raise ValueError("metadata.creationTimestamp: is missing")
    return created


def _distinct(quorums: Iterable[Quorum]) -> tuple[Quorum, ...]:
    """Of quorums of one policy and the same groups only the highest is kept; of too many to be noted, of any policies.

    Who satisfies the highest of the same groups satisfies all of them.
    """
    all_of_them = tuple(quorums)
    by_policy = _highest(all_of_them, lambda quorum: (quorum.policy, *quorum.groups))
    return by_policy if len(by_policy) <= MAX_QUORUMS else _highest(all_of_them, lambda quorum: quorum.groups)


def _highest(quorums: Iterable[Quorum], key: Callable[[Quorum], object]) -> tuple[Quorum, ...]:
    highest: dict[object, Quorum] = {}
    for quorum in quorums:
        before = highest.get(key(quorum))
        if before is None or before.required < quorum.required:
            highest[key(quorum)] = quorum
    return tuple(highest.values())
