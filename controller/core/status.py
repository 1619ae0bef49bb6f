"""How a status is written: transitions noted in history, and where the object stands told in phase and conditions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from controller.api.common import Blocked, Condition, HistoryEntry, LifecycleStatus, TracedStatus
from controller.api.names import ConditionType, Mode, Outcome, Phase, Reason, Transition

S = TypeVar("S", bound=LifecycleStatus)
T = TypeVar("T", bound=TracedStatus)

HISTORY_LENGTH = 20
MAX_NOTE = 1000


@dataclass(frozen=True)
class Standing:
    """Where an object stands. With an outcome it is final; `reason` then says why, else what it waits for."""

    phase: Phase
    reason: Reason
    message: str
    outcome: Outcome | None = None
    blocked: Blocked | None = None
    actor: str | None = None
    """Who brought it there, if it was not the operator."""


def bounded(text: str, most: int = MAX_NOTE) -> str:
    """Cut to what the schema takes, with control characters made visible."""
    if not text.isprintable():
        text = "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text)
    return text if len(text) <= most else text[: most - 1] + "…"


def note(status: T, transition: Transition, message: str, *, actor: str, at: datetime) -> T:
    """The status with one more history entry; the oldest beyond 20 is dropped, `n` counts on."""
    n = last_entry(status) + 1
    entry = HistoryEntry(n=n, at=at, reason=transition, actor=bounded(actor, 256), message=bounded(message))
    return status.model_copy(update={"history": (*status.history, entry)[-HISTORY_LENGTH:]})


def last_entry(status: TracedStatus) -> int:
    """The number of the newest transition, 0 if there is none."""
    return status.history[-1].n if status.history else 0


def entries_after(n: int, status: TracedStatus) -> list[HistoryEntry]:
    """The transitions that came after number `n`."""
    return [entry for entry in status.history if entry.n > n]


def settle(status: S, standing: Standing, *, generation: int, now: datetime) -> S:
    """The status with phase, outcome, message and conditions that say where the object stands."""
    final = standing.outcome is not None
    updated = status.model_copy(
        update={
            "observed_generation": generation,
            "phase": standing.phase,
            "outcome": standing.outcome,
            "message": bounded(standing.message),
            "blocked": standing.blocked,
            "next_retry_at": None if final else status.next_retry_at,
            "completed_at": now if final else None,
        }
    )
    asked_dry_run = getattr(status, "mode", None) is Mode.DRY_RUN
    wanted = _summary(standing, asked_dry_run)
    return with_conditions(updated, wanted, generation=generation, now=now)


def with_conditions(
    status: T,
    wanted: Sequence[tuple[ConditionType, str | None, Reason, str]],
    *,
    generation: int,
    now: datetime,
) -> T:
    """The status with these conditions set (status None = removed), the others kept at the new generation."""
    changed = {kind: (value, reason, message) for kind, value, reason, message in wanted}
    before = {condition.type: condition for condition in status.conditions}
    conditions: list[Condition] = []
    for kind in ConditionType:
        old = before.get(kind)
        if kind in changed:
            value, reason, message = changed[kind]
            if value is None:
                continue
            since = old.last_transition_time if old and old.status == value else now
            conditions.append(
                Condition(
                    type=kind,
                    status=value,
                    reason=reason,
                    message=bounded(message),
                    last_transition_time=since,
                    observed_generation=generation,
                )
            )
        elif old:
            conditions.append(old.model_copy(update={"observed_generation": generation}))
    return status.model_copy(update={"conditions": tuple(conditions)})


def _summary(standing: Standing, asked_dry_run: bool) -> list[tuple[ConditionType, str | None, Reason, str]]:
    """Succeeded, Ready, Reconciling and Stalled. Never Reconciling and Stalled together: kstatus takes the first.

    While it is live, Reconciling says by its reason how it waits, the others what for: `Blocked` and `Frozen`.
    """
    reason, message = standing.reason, standing.message
    reconciling: str | None = None
    stalled: str | None = None
    match standing.outcome:
        case None:
            succeeded, ready, reconciling = "Unknown", "Unknown", "True"
        case Outcome.SUCCEEDED:
            succeeded, ready = "True", "True"
        case Outcome.OBSERVED:
            succeeded, ready = "True" if asked_dry_run else "False", "True"
        case _:
            succeeded, ready, stalled = "False", "False", "True"
    return [
        (ConditionType.SUCCEEDED, succeeded, reason, message),
        (ConditionType.READY, ready, reason, message),
        (ConditionType.RECONCILING, reconciling, _RECONCILING.get(standing.phase, reason), message),
        (ConditionType.STALLED, stalled, reason, message),
    ]


_RECONCILING = {
    Phase.AWAITING_APPROVAL: Reason.AWAITING_APPROVAL,
    Phase.SCHEDULED: Reason.SCHEDULED,
    Phase.BLOCKED: Reason.BLOCKED,
    Phase.RETRYING: Reason.PROGRESSING_WITH_RETRY,
}

PHASE_OF = {outcome: Phase(outcome.value) for outcome in Outcome}
