"""The decision about one proposal: finished, running, concluded, or before its next claim."""

from datetime import datetime, timedelta

from controller.api.common import Change, Preview
from controller.api.names import Phase, Reason, Transition
from controller.api.proposal import Attempt, ProposalStatus
from controller.core.attempt_report import Effect, Report, Stop
from controller.core.attempts import claim, replace_last
from controller.core.conclude import conclude, moment
from controller.core.decision import Act, Decision, Work
from controller.core.digest import canonical, digest, request_digest, sha256
from controller.core.gates import (
    cancelled,
    end_of,
    first_refusal,
    halted,
    idempotent,
    next_deadline,
    suspended,
)
from controller.core.lifecycle import blocked, effective_mode, in_order, proposed, refused, waiting
from controller.core.ports import PreviewResult
from controller.core.status import Standing, bounded, note, settle
from controller.core.validation import executor_name
from controller.core.verdicts import Block, Fetch, Finish, Hold, Postpone
from controller.core.view import Chance, ProposalView, TypeEntry

MAX_CHANGES = 64
MAX_WARNINGS = 16
MAX_VALUE_BYTES = 1024
CLAIM_AGAIN = timedelta(seconds=15)


def decide(view: ProposalView, now: datetime, chance: Chance) -> Decision[ProposalStatus]:
    """What to do about the proposal now. Deciding twice at one instant gives the same."""
    if view.proposal.status.outcome is not None:
        return Decision()
    attempt = view.open_attempt
    if attempt is not None and view.report is not None and view.report.attempt_id == attempt.id:
        return Decision(conclude(view, view.report, now, chance), wake_at=now)
    if view.proposal.metadata.deletion_timestamp is not None:
        return Decision(stop=Stop.CANCELLED if view.running else None)  # on its way out: nothing starts any more
    if attempt is None:
        return _before_claim(view, now, chance)
    if view.running:
        return Decision(stop=stop_running(view, now))
    if view.unstarted:
        return Decision(act=Act(_first_work(attempt), attempt))
    return _recover(view, attempt, now, chance)


def stop_running(view: ProposalView, now: datetime) -> Stop | None:
    """Why the attempt under way must be asked to stop, if it must. A running attempt's own deadline is its runner's."""
    if cancelled(view, now):
        return Stop.CANCELLED
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
        case Finish() as finish:
            seen = _proposed(view, now) if finish.transition is Transition.VALIDATION_FAILED else _seen(view, now)
            return Decision(refused(seen, finish, moment(view, now)))
        case Hold(phase, reason, message, until):
            return Decision(_wait(view, Standing(phase, reason, message), now), wake_at=min(until, end_of(view)))
        case Block() as block:
            wake_at = block.wake_at(next_deadline(view), now)
            return Decision(_wait(view, blocked(block), now), wake_at=wake_at, line=block.line)


def _claim(view: ProposalView, now: datetime, chance: Chance) -> Decision[ProposalStatus]:
    entry = view.type
    if entry is None:
        raise AssertionError("the gates let a proposal through whose type is gone")
    status = _seen(view, now)
    attempts = claim(
        status.attempts,
        owner=view.world.settings.owner,
        type_digest=entry.digest,
        idempotent=idempotent(view),
        timeout_seconds=view.timeout_seconds,
        end=end_of(view),
        now=now,
        chance=chance,
    )
    attempt = attempts[-1]
    status = status.model_copy(
        update={
            "attempts": attempts,
            "started_at": status.started_at or now,
            "runner": _acts_as(view, entry),
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
    return Decision(status, act=Act(_first_work(attempt), attempt))


def _first_work(attempt: Attempt) -> Work:
    return Work.RUN if attempt.done_at is None else Work.VERIFY


def _wait(view: ProposalView, standing: Standing, now: datetime) -> ProposalStatus:
    return waiting(view.proposal.status, _seen(view, now), standing, moment(view, now))


def _proposed(view: ProposalView, now: datetime) -> ProposalStatus:
    return proposed(view.proposal.status, view.proposal.spec, moment(view, now))


def _seen(view: ProposalView, now: datetime) -> ProposalStatus:
    """The status with what was found out about the proposal so far: Proposed, Validated, preview, digests."""
    status = _proposed(view, now)
    entry = view.type
    findings = view.findings
    if view.claimed or entry is None or findings is None or findings.preview is None:
        return status
    first = status.digest is None
    status = _with_preview(view, status, entry, findings.preview, now)
    return in_order(status, moment(view, now)) if first else status


def _with_preview(
    view: ProposalView, status: ProposalStatus, entry: TypeEntry, result: PreviewResult, now: datetime
) -> ProposalStatus:
    spec, runner = view.proposal.spec, _acts_as(view, entry)
    request = request_digest(
        kind=view.proposal.kind,
        namespace=view.proposal.metadata.namespace or "",
        spec=view.raw_spec,
        types={spec.action: entry.raw_spec},
        runner=runner,
        timings={"": (view.timeout_seconds, view.retry)},
    )
    preview = _unless_the_same(status.preview, preview_status(result, now))
    return status.model_copy(
        update={
            "preview": preview,
            "request_digest": request,
            "digest": digest(request, preview.changes),
            "risk": entry.type.spec.risk,
            "mode": effective_mode(spec.mode, view.policy.mode),
            "runner": runner,
            "undo": result.undo,
        }
    )


def _unless_the_same(known: Preview | None, new: Preview) -> Preview:
    """What is known already is not written again, only because it was seen again."""
    return known if known and known == new.model_copy(update={"computed_at": known.computed_at}) else new


def _small(change: Change) -> Change:
    """The change with values that are too long to keep told by their digest: drift still shows."""
    values = {"before": change.before, "after": change.after}
    long = {name: sha256(value) for name, value in values.items() if len(canonical(value)) > MAX_VALUE_BYTES}
    return change.model_copy(update=long) if long else change


def _acts_as(view: ProposalView, entry: TypeEntry) -> str | None:
    """The runner, for actions that touch the API server."""
    traits = view.world.catalogue.built_ins.traits(executor_name(entry), view.proposal.spec.parameters)
    return view.runner if traits.needs_runner else None


def preview_status(result: PreviewResult, now: datetime) -> Preview:
    return Preview(
        summary=bounded(result.summary),
        changes=tuple(_small(change) for change in result.changes[:MAX_CHANGES]),
        warnings=tuple(bounded(warning) for warning in result.warnings[:MAX_WARNINGS]),
        computed_at=now,
    )


def claim_refused(view: ProposalView, message: str, now: datetime) -> Decision[ProposalStatus]:
    """After admission refused the claim: it waits for what refused it to change.

    It is tried again all the same: admission follows a policy by about a second, so the policy's own event may come
    too early, and what refuses may be no policy of ours.
    """
    block = Block(Reason.CLAIM_REFUSED, "admission", f"the API server refuses the claim: {message}")
    seen = view.proposal.status if view.validated else _seen(view, now)  # a new preview each time would be a write
    status = waiting(view.proposal.status, seen, blocked(block), moment(view, now))
    return Decision(status, wake_at=min(now + CLAIM_AGAIN, next_deadline(view)))
