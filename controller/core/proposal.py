"""The decision about one proposal: finished, running, concluded, or before its next claim."""

from dataclasses import replace
from datetime import datetime, timedelta

from controller.api.names import Mode, Phase, Reason, Transition
from controller.api.proposal import Attempt, ProposalStatus
from controller.core.actors import requester
from controller.core.approval_state import void, with_approval
from controller.core.approval_view import approval_of, rejection_of
from controller.core.attempt_report import Effect, Report, Stop
from controller.core.attempts import claim, effect_made, replace_last
from controller.core.conclude import conclude, moment
from controller.core.decision import Act, Decision, Work
from controller.core.digest import digest, sha256
from controller.core.ending_gates import cancelled, idempotent
from controller.core.gates import STILL, first_refusal
from controller.core.leave_gates import halted, suspended
from controller.core.lifecycle import blocked, effective_mode, in_order, proposed, refused, waiting
from controller.core.ports import PreviewResult
from controller.core.progress import tell_progress
from controller.core.request import acts_as, proposal_request
from controller.core.shown import all_changes, preview_status, unless_the_same
from controller.core.status import Standing, note, settle
from controller.core.verdicts import Block, Fetch, Finish, Hold, Postpone, Renew
from controller.core.view import Chance, ProposalView
from controller.core.world import TypeEntry

CLAIM_AGAIN = timedelta(seconds=15)


def decide(view: ProposalView, now: datetime, chance: Chance) -> Decision[ProposalStatus]:
    """What to do about the proposal now. Deciding twice at one instant gives the same."""
    if view.proposal.status.outcome is not None:
        return Decision()
    attempt = view.open_attempt
    if attempt is not None and view.report is not None and view.report.attempt_id == attempt.id:
        if view.report.met:
            return _after_preconditions(view, attempt, view.report, now, chance)
        return Decision(conclude(view, view.report, now, chance), wake_at=now)
    if view.proposal.metadata.deletion_timestamp is not None:
        return Decision(stop=Stop.CANCELLED if view.running else None)  # on its way out: nothing starts any more
    if attempt is None:
        return _before_claim(view, now, chance)
    if view.running:
        stop = stop_running(view, now)
        return Decision(stop=stop) if stop else tell_progress(view, attempt, now)
    if view.unstarted:
        return Decision(act=Act(_first_work(view, attempt), attempt))
    return _recover(view, attempt, now, chance)


def stop_running(view: ProposalView, now: datetime) -> Stop | None:
    """Why the attempt under way must be asked to stop, if it must. A running attempt's own deadline is its runner's."""
    if cancelled(view, now):
        return Stop.CANCELLED
    if rejection_of(view, now):
        return Stop.REJECTED
    return Stop.HALTED if halted(view, now) else None


def recheck(view: ProposalView, attempt: Attempt, now: datetime) -> Stop | None:
    """Step 2 of the attempt protocol: why an attempt just claimed must not start after all."""
    if suspended(view, now) or view.type is None or view.type.digest != attempt.type_digest:
        return Stop.HALTED
    if now >= attempt.deadline:
        return Stop.TIMEOUT
    return stop_running(view, now)


def _recover(view: ProposalView, attempt: Attempt, now: datetime, chance: Chance) -> Decision[ProposalStatus]:
    """The process that claimed the attempt is gone: take it over, then find out what it did.

    Judged by what the claim recorded: a type that changed since says nothing about what the old one did.
    """
    owner = view.world.settings.owner
    status = view.proposal.status
    if attempt.owner != owner:
        status = status.model_copy(update={"attempts": replace_last(status.attempts, owner=owner)})
        message = f"attempt {attempt.number} taken over"
        status = note(status, Transition.TAKEN_OVER, message, actor=owner, at=now)
        standing = Standing(Phase.RUNNING, Reason.PROGRESSING, message)
        status = settle(status, standing, generation=view.proposal.metadata.generation, now=now)
        return Decision(status, wake_at=now)
    if _first_work(view, attempt) is Work.CHECK:
        message = "the operator was restarted while preconditions were waited for; nothing was done"
        report = Report(attempt.id, Effect.NOT_DONE, now, message=message, stop=Stop.CRASHED)
        return Decision(conclude(view, report, now, chance), wake_at=now)
    if view.type is None or view.type.digest != attempt.type_digest:
        message = "the operator was restarted during the attempt and the action type has changed since"
        effect = Effect.DONE if attempt.done_at else Effect.UNCLEAR
        report = Report(attempt.id, effect, now, message=message, stop=Stop.CRASHED)
        return Decision(conclude(view, report, now, chance), wake_at=now)
    return Decision(act=Act(Work.OBSERVE, attempt))


def _before_claim(view: ProposalView, now: datetime, chance: Chance) -> Decision[ProposalStatus]:
    match first_refusal(view, now):
        case None:
            return _claim(view, now, chance)
        case Fetch(what):
            return Decision(gather=what)
        case Postpone(until):
            return Decision(wake_at=until)
        case Renew() as renew:
            return Decision(_renewed(view, renew, now), wake_at=now)
        case Finish() as finish:
            seen = _proposed(view, now) if finish.transition is Transition.VALIDATION_FAILED else _seen(view, now)
            return Decision(refused(seen, finish, moment(view, now)))
        case Hold(phase, reason, message, until):
            return Decision(_wait(view, Standing(phase, reason, message), now), wake_at=min(until, view.end))
        case Block() as block:
            wake_at = block.wake_at(view.next_deadline, now)
            return Decision(_wait(view, blocked(block), now), wake_at=wake_at, line=block.line)


def _claim(view: ProposalView, now: datetime, chance: Chance) -> Decision[ProposalStatus]:
    entry = view.type
    if entry is None:
        raise AssertionError("the gates let a proposal through whose type is gone")
    status = _with_undo(view, _seen(view, now))
    attempts = claim(
        status.attempts,
        owner=view.world.settings.owner,
        type_digest=entry.digest,
        idempotent=idempotent(view),
        timeout_seconds=view.timeout_seconds + (0 if effect_made(status.attempts) else view.waiting_seconds),
        end=view.end,
        now=now,
        chance=chance,
    )
    attempt = attempts[-1]
    status = status.model_copy(
        update={
            "attempts": attempts,
            "started_at": status.started_at or now,
            "risk": entry.type.spec.risk,
            "runner": acts_as(view, entry),
            "next_retry_at": None,
        }
    )
    transition = Transition.EXECUTING if attempt.number == 1 else Transition.RETRYING
    what = status.preview.summary if status.preview else view.proposal.spec.action
    message = f"attempt {attempt.number}: {what}"
    status = note(status, transition, message, actor=view.world.settings.actor, at=now)
    status = settle(
        status,
        Standing(Phase.RUNNING, Reason.PROGRESSING, message),
        generation=view.proposal.metadata.generation,
        now=now,
    )
    return Decision(status, act=Act(_first_work(view, attempt), attempt))


def _first_work(view: ProposalView, attempt: Attempt) -> Work:
    if attempt.done_at is not None:
        return Work.VERIFY
    return Work.CHECK if view.proposal.spec.preconditions and attempt.preconditions_met_at is None else Work.RUN


def _after_preconditions(
    view: ProposalView, attempt: Attempt, report: Report, now: datetime, chance: Chance
) -> Decision[ProposalStatus]:
    """All preconditions are true. Much may have changed while they were waited for, so what holds for a claim is asked
    again; then the effect has the attempt's whole time. Written before anything is sent: without it, nothing was.
    """
    stop = recheck(view, attempt, now)
    kept = None if stop else next((verdict for gate in STILL if (verdict := gate(view, now))), None)
    if stop or kept:
        message = kept.message if isinstance(kept, Block) else "kept from starting after its preconditions were met"
        ended = replace(report, stop=stop or Stop.HALTED, message=message)
        return Decision(conclude(view, ended, now, chance), wake_at=now)
    deadline = min(now + timedelta(seconds=view.timeout_seconds), view.end)
    attempts = replace_last(view.proposal.status.attempts, preconditions_met_at=now, deadline=deadline)
    status = view.proposal.status.model_copy(update={"attempts": attempts})
    standing = Standing(Phase.RUNNING, Reason.PROGRESSING, f"attempt {attempt.number}: its preconditions are met")
    status = settle(status, standing, generation=view.proposal.metadata.generation, now=now)
    return Decision(status, act=Act(Work.RUN, attempts[-1]))


def _wait(view: ProposalView, standing: Standing, now: datetime) -> ProposalStatus:
    return waiting(view.proposal.status, _seen(view, now), standing, moment(view, now))


def _proposed(view: ProposalView, now: datetime) -> ProposalStatus:
    spec, metadata = view.proposal.spec, view.proposal.metadata
    who = requester(spec.requested_by, metadata, view.world.enforcement)
    return proposed(view.proposal.status, spec, who, moment(view, now))


def _seen(view: ProposalView, now: datetime) -> ProposalStatus:
    """The status with what was found out about the proposal so far: Proposed, Validated, preview, digests, approval."""
    status = _proposed(view, now)
    if view.claimed:
        return status
    asked = approval_of(view, now)
    first = status.digest is None
    if view.type and view.findings and view.findings.preview and (first or not asked.required):
        status = _with_preview(view, status, view.type, view.findings.preview, now)
        if first:
            status = in_order(status, moment(view, now))
    if status.digest is None or status.mode is not Mode.EXECUTE:
        return status
    return with_approval(status, asked, generation=view.proposal.metadata.generation, now=now)


def _with_undo(view: ProposalView, status: ProposalStatus) -> ProposalStatus:
    """What puts things back, by the last look before the first claim: approvals may be of an earlier one."""
    if view.claimed or view.findings is None or view.findings.preview is None:
        return status
    return status.model_copy(update={"undo": view.findings.preview.undo})


def _renewed(view: ProposalView, renew: Renew, now: datetime) -> ProposalStatus:
    """The status after what was shown is not what would run: shown anew, the votes so far void."""
    if view.type is None or view.findings is None or view.findings.preview is None:
        raise AssertionError("a gate asks for a new look without a preview to show")
    status = _with_preview(view, view.proposal.status, view.type, view.findings.preview, now)
    return void(status, renew.reason, renew.message, moment(view, now))


def _with_preview(
    view: ProposalView, status: ProposalStatus, entry: TypeEntry, result: PreviewResult, now: datetime
) -> ProposalStatus:
    request = sha256(proposal_request(view, entry))
    preview = unless_the_same(status.preview, preview_status(result, now))
    return status.model_copy(
        update={
            "preview": preview,
            "request_digest": request,
            "digest": digest(request, all_changes(result)),
            "risk": entry.type.spec.risk,
            "mode": effective_mode(view.proposal.spec.mode, view.policy.mode),
            "runner": acts_as(view, entry),
            "undo": result.undo,
        }
    )


def claim_refused(view: ProposalView, message: str, now: datetime) -> Decision[ProposalStatus]:
    """After admission refused the claim: it waits for what refused it to change.

    It is tried again all the same: admission follows a policy by about a second, so the policy's own event may come
    too early, and what refuses may be no policy of ours.
    """
    block = Block(Reason.CLAIM_REFUSED, "admission", f"the API server refuses the claim: {message}")
    seen = view.proposal.status if view.validated else _seen(view, now)  # a new preview each time would be a write
    status = waiting(view.proposal.status, seen, blocked(block), moment(view, now))
    return Decision(status, wake_at=min(now + CLAIM_AGAIN, view.next_deadline))
