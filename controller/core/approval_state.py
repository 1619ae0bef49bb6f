"""The approval of one object at one moment: what is asked for, what is there, and how its status tells it."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from controller.api.approval import ActionApproval
from controller.api.common import MAX_GROUPS_TOLD, ApprovalProgress, LifecycleStatus, Quorum, Vote
from controller.api.names import ConditionType, Outcome, Phase, Reason, Transition
from controller.api.workflow import ActionWorkflow
from controller.core.actors import who_asked
from controller.core.approvals import ApprovalRule, Request, Tally, count, expiry, have, noted, together, unmet
from controller.core.covered import covered_actions
from controller.core.enforcement import Enforcement
from controller.core.lifecycle import Moment
from controller.core.status import Standing, bounded, note, settle, with_conditions
from controller.core.verdicts import Finish, Hold

S = TypeVar("S", bound=LifecycleStatus)

MAX_VOTES = 64
MAX_TOLD = 3
VOID = (Reason.DRIFTED, Reason.DIGEST_CHANGED)


@dataclass(frozen=True)
class ApprovalState:
    """`required` False = nobody is asked. `until`: when it has to be looked at again if no vote comes."""

    rule: ApprovalRule
    tally: Tally
    enforcement: Enforcement
    requested_at: datetime
    until: datetime
    requester_known: bool
    """Whether anything proves who asked."""
    asks: bool = False
    """Whether votes have to answer a question."""

    @property
    def required(self) -> bool:
        return bool(self.rule.quorums)

    @property
    def missing(self) -> tuple[Quorum, ...]:
        return unmet(self.rule, self.tally)

    @property
    def rejection(self) -> Vote | None:
        return self.tally.rejection


def approval_state(
    request: Request,
    votes: Iterable[ActionApproval],
    asked: ApprovalRule,
    progress: ApprovalProgress | None,
    enforcement: Enforcement,
    now: datetime,
    revoked: Collection[str] = (),
) -> ApprovalState:
    """Where the approval stands. `progress` is what was noted; `asked` can only add to it."""
    rule = together([noted(progress), asked]) if progress else asked
    tally = count(request, votes, rule, enforcement, now, revoked)
    requested_at = progress.requested_at if progress else now
    until = requested_at + timedelta(seconds=rule.request_timeout_seconds)
    ends = expiry(rule, tally, request.not_before)
    if ends is not None:
        until = ends if not unmet(rule, tally) else min(until, ends)
    return ApprovalState(
        rule, tally, enforcement, requested_at, until, request.requester is not None, request.question is not None
    )


def workflow_approval(
    workflow: ActionWorkflow,
    votes: Iterable[ActionApproval],
    asked: ApprovalRule,
    enforcement: Enforcement,
    now: datetime,
    revoked: Collection[str] = (),
) -> ApprovalState:
    """Where the approval of a workflow stands; it covers every action of it."""
    metadata, spec, status = workflow.metadata, workflow.spec, workflow.status
    request = Request(
        kind=workflow.kind,
        namespace=metadata.namespace or "",
        name=metadata.name,
        uid=metadata.uid,
        digest=status.digest,
        actions=covered_actions(workflow),
        requester=who_asked(spec.requested_by, metadata, enforcement),
        not_before=spec.not_before,
    )
    return approval_state(request, votes, asked, status.approval, enforcement, now, revoked)


def rejection(vote: Vote) -> Finish:
    """The end that one rejection brings."""
    message = f"rejected by {vote.username}" + (f": {vote.comment}" if vote.comment else "")
    return Finish(Outcome.REJECTED, Reason.REJECTED, message, Transition.REJECTED, actor=vote.username)


def unapproved_yet(state: ApprovalState, now: datetime) -> Finish | Hold | None:
    """Wait for what is missing, for as long as a request may wait."""
    if not state.missing:
        return None
    seconds = state.rule.request_timeout_seconds
    if now >= state.requested_at + timedelta(seconds=seconds):
        message = f"not approved within requestTimeoutSeconds ({seconds} s): {_missing(state)}"
        return Finish(Outcome.EXPIRED, Reason.APPROVAL_TIMEOUT, message, Transition.EXPIRED)
    reason, message = _why_waiting(state)
    return Hold(Phase.AWAITING_APPROVAL, reason, message, state.until)


def with_approval(status: S, state: ApprovalState, *, generation: int, now: datetime) -> S:
    """The status with the approval as it stands: numbers, votes, condition Approved, history."""
    before = next((c for c in status.conditions if c.type is ConditionType.APPROVED), None)
    approved = ("True", Reason.NOT_REQUIRED, "no policy asks for an approval")
    if state.rejection:
        approved = ("False", Reason.REJECTED, f"rejected by {state.rejection.username}")
    elif state.missing:
        reason, message = _why_waiting(state)
        if before and before.reason in VOID and not state.tally.approvals:
            reason, message = before.reason, before.message
        approved = ("False", reason, message)
    elif state.required:
        names = ", ".join(vote.username for vote in state.tally.approvals)
        approved = ("True", Reason.APPROVED, f"{'answered' if state.asks else 'approved'} by {names}")
        if before is None or before.status != "True":
            last = max(state.tally.approvals, key=lambda vote: vote.at)
            status = note(status, Transition.APPROVED, approved[2], actor=last.username, at=now)
    votes = (*state.tally.approvals, *([state.rejection] if state.rejection else []))
    status = status.model_copy(
        update={"approval": _progress(state) if state.required else None, "approvals": votes[:MAX_VOTES]}
    )
    condition = (ConditionType.APPROVED, *approved)
    return with_conditions(status, [condition], generation=generation, now=now)


def void(status: S, reason: Reason, message: str, moment: Moment) -> S:
    """The status after what was shown is not what would run any more: votes so far are void, waiting begins anew."""
    if status.approvals:
        status = note(status, Transition.APPROVAL_VOIDED, message, actor=moment.actor, at=moment.now)
    if status.approval:
        anew = status.approval.model_copy(update={"requested_at": moment.now, "have": 0})
        status = status.model_copy(update={"approvals": (), "approval": anew})
    condition = (ConditionType.APPROVED, "False", reason, bounded(message))
    status = with_conditions(status, [condition], generation=moment.generation, now=moment.now)
    standing = Standing(Phase.AWAITING_APPROVAL, Reason.AWAITING_APPROVAL, message)
    return settle(status, standing, generation=moment.generation, now=moment.now)


def _progress(state: ApprovalState) -> ApprovalProgress:
    rule = state.rule
    missing = {group for quorum in state.missing for group in quorum.groups}
    return ApprovalProgress(
        required=max(quorum.required for quorum in rule.quorums),
        have=len(state.tally.approvals),
        groups=tuple(sorted(missing))[:MAX_GROUPS_TOLD],
        expires_at=state.until,
        requested_at=state.requested_at,
        quorums=rule.quorums,
        allow_self=rule.allow_self,
        valid_seconds=rule.valid_seconds,
        request_timeout_seconds=rule.request_timeout_seconds,
        on_drift=rule.on_drift.value,
    )


def _why_waiting(state: ApprovalState) -> tuple[Reason, str]:
    if state.enforcement.since is None:
        message = f"no vote counts, because the API server does not prove who casts it: {state.enforcement.fault}"
        return Reason.IDENTITY_NOT_ENFORCED, bounded(message)
    if not state.requester_known and not state.rule.allow_self:
        message = (
            "no approval counts, because it may be the requester's own: this was made before the admission policies "
            "that prove who asks were in force, or names nobody; propose it again"
        )
        return Reason.IDENTITY_NOT_ENFORCED, message
    return Reason.AWAITING_APPROVAL, bounded(_missing(state))


def _missing(state: ApprovalState) -> str:
    """`waits for 1 more approval of group sre or dba (policy prod)`, one part for each policy that asks."""
    parts = []
    for quorum in state.missing:
        lacking = quorum.required - have(quorum, state.tally)
        noun = "answer" if state.asks else "approval"
        what = f"{lacking} of {quorum.required} {noun}s" if quorum.required > 1 else f"an {noun}"
        groups = f" of group {' or '.join(quorum.groups)}" if quorum.groups else ""
        own = "the question itself" if state.asks else "OPERATOR_APPROVAL_MODE"
        parts.append(f"{what}{groups} ({f'policy {quorum.policy}' if quorum.policy else own})")
    return "waits for " + ", ".join(parts) + _void_answers(state)


def _void_answers(state: ApprovalState) -> str:
    """Which votes on a question do not count, and why: who casts one cannot know before."""
    told = [f"{name} does not count: {why}" for name, why in state.tally.ignored.items()] if state.asks else []
    return "".join(f"; {line}" for line in told[-MAX_TOLD:])
