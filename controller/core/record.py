"""What is told to the outside about a transition: the Kubernetes Event and the audit record, both made from history."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from controller.api.common import HistoryEntry
from controller.api.names import Transition
from controller.core.ports import Target

NORMAL_EVENTS = frozenset(
    {
        Transition.PROPOSED,
        Transition.VALIDATED,
        Transition.AWAITING_APPROVAL,
        Transition.APPROVED,
        Transition.EXECUTING,
        Transition.COMPLETED,
        Transition.CANCELLED,
        Transition.OBSERVED,
        Transition.WORKFLOW_CREATED,
        Transition.STEP_SKIPPED,
        Transition.ROLLED_BACK,
        Transition.MODE_CHANGE,
        Transition.RUN_CREATED,
    }
)
WARNING_EVENTS = frozenset(
    {
        Transition.VALIDATION_FAILED,
        Transition.REJECTED,
        Transition.APPROVAL_VOIDED,
        Transition.FAILED,
        Transition.RETRY_SCHEDULED,
        Transition.RETRY_EXHAUSTED,
        Transition.EXPIRED,
        Transition.OUTCOME_UNKNOWN,
        Transition.ROLLBACK_FAILED,
        Transition.BLOCKED,
        Transition.KILL_SWITCH,
        Transition.RUN_SKIPPED,
    }
)

# Told only where the object then waits: an action that just works has two Events, Executing and Completed.
_PRELUDE = frozenset({Transition.PROPOSED, Transition.VALIDATED})
_ONWARD = frozenset(
    {
        Transition.EXECUTING,
        Transition.WORKFLOW_CREATED,
        Transition.OBSERVED,
        Transition.VALIDATION_FAILED,
        Transition.CANCELLED,
        Transition.EXPIRED,
    }
)

_BEFORE_ATTEMPTS = frozenset(
    {Transition.PROPOSED, Transition.VALIDATED, Transition.AWAITING_APPROVAL, Transition.APPROVED}
)
"""Transitions that come before an attempt, though the first one may be claimed by the write that tells of them."""


_BESIDE_ATTEMPTS = _BEFORE_ATTEMPTS | {
    Transition.VALIDATION_FAILED, Transition.APPROVAL_VOIDED, Transition.SCHEDULED, Transition.BLOCKED
}  # fmt: skip
"""Transitions that no attempt makes, also where they come after one."""


def made_by_attempt(reason: Transition) -> bool:
    """Whether a transition is the doing of the newest attempt."""
    return reason not in _BESIDE_ATTEMPTS


def about_attempt(reason: Transition) -> bool:
    """Whether a transition may be one of the newest attempt."""
    return reason not in _BEFORE_ATTEMPTS


@dataclass(frozen=True)
class EventSubject:
    """The object that an Event is about."""

    api_version: str
    kind: str
    name: str
    namespace: str | None
    uid: str


@dataclass(frozen=True)
class EventRecord:
    """One Event to be written; its name follows from subject, `n` and reason, so that writing twice is one Event."""

    subject: EventSubject
    related: Target | None
    action: str
    reason: str
    n: int
    at: datetime
    note: str
    warning: bool


def announced(entries: Sequence[HistoryEntry]) -> list[HistoryEntry]:
    """Those of the entries of one status write that become Events."""
    reasons = {entry.reason for entry in entries}
    silent = _PRELUDE if reasons & _ONWARD else frozenset[Transition]()
    if Transition.RETRY_EXHAUSTED in reasons:
        silent = silent | {Transition.FAILED, Transition.OUTCOME_UNKNOWN}
    return [entry for entry in entries if entry.reason in NORMAL_EVENTS | WARNING_EVENTS and entry.reason not in silent]
