"""Where an object stands, in a sentence. Pure: the time is given."""

from datetime import datetime

from controller.api.names import Outcome, Phase
from controller.api.proposal import ActionProposal
from controller.api.workflow import ActionWorkflow

NOT_SEEN = "the operator has not looked at it yet"


def phase_of(item: ActionProposal | ActionWorkflow) -> Phase:
    """Its phase; what the operator has not looked at yet is Pending."""
    return item.status.phase or Phase.PENDING


def message_of(item: ActionProposal | ActionWorkflow) -> str:
    """Its message, or that there is none because nobody has looked at it."""
    if item.status.observed_generation < 0 and item.status.phase is None:
        return NOT_SEEN
    return item.status.message or ""


def standing_still(item: ActionProposal | ActionWorkflow) -> str:
    """`Blocked: policy stop has halted actions`, without anything that depends on the time."""
    message = message_of(item)
    return f"{phase_of(item)}: {message}" if message else str(phase_of(item))


def standing(item: ActionProposal | ActionWorkflow, now: datetime) -> str:
    """`Retrying: attempt 1 of 3 failed: HTTP 503; next attempt in 42 s`."""
    said = standing_still(item)
    due = item.status.next_retry_at
    if due is not None and item.status.outcome is None:
        seconds = max(0, round((due - now).total_seconds()))
        said += f"; next attempt in {seconds} s" if seconds else "; the next attempt is due"
    return said


def as_asked(item: ActionProposal | ActionWorkflow) -> bool:
    """Whether it ended as its author wanted: Succeeded, or only observed where a dry run was asked for."""
    outcome = item.status.outcome
    return outcome is Outcome.SUCCEEDED or (outcome is Outcome.OBSERVED and item.spec.mode == "DryRun")
