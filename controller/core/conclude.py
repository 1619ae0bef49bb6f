"""What follows from an attempt's report: its result, and the proposal's outcome or next retry.

| effect        | idempotent                                   | at most once                         |
| ------------- | -------------------------------------------- | ------------------------------------ |
| done, verified | Succeeded                                   | Succeeded                            |
| done, not verified | later attempts only verify              | later attempts only verify           |
| done, cannot be verified | Failed                            | Failed                               |
| done, cannot be told | later attempts only verify; exhausted: Unknown | the same                    |
| not done, transient | retry, same operation                  | retry, same operation                |
| not done, permanent | Failed                                 | Failed                               |
| failed        | retry, new operation                         | Failed                               |
| unclear       | retry, same operation; exhausted: Unknown    | Unknown                              |
"""

from dataclasses import dataclass
from datetime import datetime

from controller.api.names import AttemptResult, Outcome, Phase, Reason, Transition
from controller.api.proposal import Attempt, ProposalStatus
from controller.core.approval_view import canceller_of, rejection_of
from controller.core.attempt_report import Effect, Report, Stop
from controller.core.attempts import any_unclear, replace_last
from controller.core.backoff import next_retry_at, should_retry
from controller.core.lifecycle import Moment, ended
from controller.core.status import Standing, bounded, note, settle
from controller.core.view import Chance, ProposalView

UNCLEAR = "whether it took effect is not known: look at the target before you propose it again"


@dataclass(frozen=True)
class Ending:
    """How the attempt ended. With an outcome it is the last one; else it is repeated, and counts or not."""

    result: AttemptResult
    reason: Reason
    message: str
    outcome: Outcome | None = None
    counts: bool = True


def conclude(view: ProposalView, report: Report, now: datetime, chance: Chance) -> ProposalStatus:
    """The status that records the report of the open attempt."""
    attempt = view.proposal.status.attempts[-1]
    ending = judge(attempt, report)
    status = _record(view.proposal.status, attempt, report, ending)
    if ending.outcome is not None:
        outcome, reason, message = ending.outcome, ending.reason, ending.message
        if report.effect is Effect.NOT_DONE and any_unclear(status.attempts):
            outcome, reason = Outcome.UNKNOWN, Reason.OUTCOME_UNKNOWN
            message = f"{message}; {UNCLEAR}"
        return ended(status, outcome, reason, message, moment(view, now), actor=_ended_by(view, report, now))
    if not ending.counts:
        return _interrupted(view, status, ending, now)
    return _retry_or_exhaust(view, status, ending, report, now, chance)


def judge(attempt: Attempt, report: Report) -> Ending:
    """The ending that the table above gives, stops from outside included."""
    known = attempt.done_at is not None and report.effect in (Effect.NOT_DONE, Effect.UNCLEAR)
    match Effect.DONE if known else report.effect:
        case Effect.DONE:
            return _judge_done(report)
        case Effect.NOT_DONE:
            return _judge_not_done(report)
        case Effect.FAILED:
            if attempt.idempotent and not (report.stop and report.stop.by_people):
                return Ending(AttemptResult.FAILED, Reason.EFFECT_FAILED, report.message)
            return Ending(AttemptResult.FAILED, Reason.EFFECT_FAILED, report.message, Outcome.FAILED)
        case Effect.UNCLEAR:
            return _judge_unclear(attempt, report)


def _judge_done(report: Report) -> Ending:
    if report.verified:
        return Ending(AttemptResult.SUCCEEDED, Reason.SUCCEEDED, report.message, Outcome.SUCCEEDED)
    if report.stop is not None and report.stop.by_people:
        message = f"{report.stop.value.lower()} after its effect was made; status.undo, if there is one, puts it back"
        return Ending(AttemptResult.FAILED, Reason.EFFECT_MADE, message, Outcome.CANCELLED)
    if report.stop is Stop.HALTED:
        return Ending(AttemptResult.INTERRUPTED, Reason.HALTED, "halted while it was verified", counts=False)
    if report.stop is Stop.CRASHED:
        return Ending(AttemptResult.INTERRUPTED, Reason.OPERATOR_RESTARTED, report.message, counts=False)
    if not report.transient:
        message = f"done, but it cannot be verified: {report.message}"
        return Ending(AttemptResult.FAILED, Reason.NOT_VERIFIED, message, Outcome.FAILED)
    if report.reason is Reason.CANNOT_TELL:
        message = f"done, but whether it did what it is for cannot be told: {report.message}"
        return Ending(AttemptResult.FAILED, Reason.CANNOT_TELL, message)
    return Ending(AttemptResult.FAILED, Reason.NOT_VERIFIED, f"done, but not verified in time: {report.message}")


def _judge_not_done(report: Report) -> Ending:
    if report.stop is Stop.CANCELLED:
        return Ending(AttemptResult.NOT_DONE, Reason.CANCELLED, "cancelled before it took effect", Outcome.CANCELLED)
    if report.stop is Stop.REJECTED:
        return Ending(AttemptResult.NOT_DONE, Reason.REJECTED, "rejected before it took effect", Outcome.REJECTED)
    if report.stop is Stop.HALTED:
        message = report.message if report.met else "halted before it took effect"
        return Ending(AttemptResult.INTERRUPTED, Reason.HALTED, message, counts=False)
    if report.stop is Stop.CRASHED:
        return Ending(AttemptResult.INTERRUPTED, Reason.OPERATOR_RESTARTED, report.message, counts=False)
    if report.transient:
        return Ending(AttemptResult.NOT_DONE, Reason.TRANSIENT_FAILURE, report.message)
    return Ending(AttemptResult.NOT_DONE, report.reason or Reason.PERMANENT_FAILURE, report.message, Outcome.FAILED)


def _judge_unclear(attempt: Attempt, report: Report) -> Ending:
    unknown = f"{report.message}; {UNCLEAR}"
    if not attempt.idempotent or (report.stop and report.stop.by_people):
        return Ending(AttemptResult.UNKNOWN, Reason.OUTCOME_UNKNOWN, unknown, Outcome.UNKNOWN)
    if report.stop in (Stop.CRASHED, Stop.HALTED):
        return Ending(AttemptResult.INTERRUPTED, Reason.OUTCOME_UNKNOWN, report.message, counts=False)
    return Ending(AttemptResult.UNKNOWN, Reason.OUTCOME_UNKNOWN, report.message)


def _record(status: ProposalStatus, attempt: Attempt, report: Report, ending: Ending) -> ProposalStatus:
    done_at = attempt.done_at or (report.done_at or report.at if report.effect is Effect.DONE else None)
    if report.effect is Effect.FAILED:
        done_at = None  # what was made has failed: a repeat makes it anew
    attempts = replace_last(
        status.attempts,
        finished_at=report.at,
        done_at=done_at,
        result=ending.result,
        reason=ending.reason,
        message=bounded(ending.message),
    )
    outputs = report.done.outputs if report.done and report.done.outputs else status.outputs
    return status.model_copy(update={"attempts": attempts, "outputs": outputs})


def _retry_or_exhaust(
    view: ProposalView, status: ProposalStatus, ending: Ending, report: Report, now: datetime, chance: Chance
) -> ProposalStatus:
    count = (status.retry_count or 0) + 1
    status = status.model_copy(update={"retry_count": count})
    retry = view.retry_under_way
    most = 1 if retry.retry_on == "Never" else retry.max_attempts
    if not should_retry(retry, count):
        message = f"attempt {count} of {most} failed and no more are left: {ending.message}"
        status = note(status, Transition.RETRY_EXHAUSTED, message, actor=view.world.settings.actor, at=now)
        unclear = any_unclear(status.attempts)
        unknown = unclear or ending.reason is Reason.CANNOT_TELL
        outcome = Outcome.UNKNOWN if unknown else Outcome.FAILED
        reason = Reason.OUTCOME_UNKNOWN if unknown else Reason.ATTEMPTS_EXHAUSTED
        if unclear:
            message += f"; {UNCLEAR}"
        return ended(status, outcome, reason, message, moment(view, now))
    due = next_retry_at(now, retry, count, chance.jitter, report.retry_after_seconds)
    message = f"attempt {count} of {most} failed: {ending.message}"
    status = status.model_copy(update={"next_retry_at": due})
    told = f"{message}; next attempt at {due:%Y-%m-%d %H:%M:%S} UTC"
    status = note(status, Transition.RETRY_SCHEDULED, told, actor=view.world.settings.actor, at=now)
    standing = Standing(Phase.RETRYING, Reason.PROGRESSING_WITH_RETRY, message)
    return settle(status, standing, generation=view.proposal.metadata.generation, now=now)


def _interrupted(view: ProposalView, status: ProposalStatus, ending: Ending, now: datetime) -> ProposalStatus:
    status = note(status, Transition.INTERRUPTED, ending.message, actor=view.world.settings.actor, at=now)
    standing = Standing(Phase.PENDING, Reason.PROGRESSING, f"interrupted: {ending.message}")
    return settle(status, standing, generation=view.proposal.metadata.generation, now=now)


def _ended_by(view: ProposalView, report: Report, now: datetime) -> str | None:
    """The person who asked it to stop, if one did."""
    if report.stop is Stop.CANCELLED:
        return canceller_of(view)
    vote = rejection_of(view, now) if report.stop is Stop.REJECTED else None
    return vote.username if vote else None


def moment(view: ProposalView, now: datetime) -> Moment:
    return Moment(now, view.proposal.metadata.generation, view.world.settings.actor)
