"""What a transition counts for, and its line in the log. The words of an object that become labels are bounded here."""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime

from controller.api.common import HistoryEntry
from controller.api.names import Transition
from controller.core.ports import Json
from controller.core.record import made_by_attempt
from controller.runtime.metrics import Metrics

logger = logging.getLogger("actionoperator.transitions")

UNKNOWN = "unknown"
"""Label of an action type that is not in the catalogue: a label must not grow with what people type."""
OTHER = "other"
MOST_NAMES = 200
"""Even a catalogue may grow without end; the action types beyond this many share a label."""

_ENDS_OF_WAITING = {
    Transition.APPROVED: "Approved",
    Transition.REJECTED: "Rejected",
    Transition.EXPIRED: "Expired",
    Transition.CANCELLED: "Cancelled",
}


class Teller:
    """Counts transitions and logs them. `in_catalogue` says whether an action type of that name is declared."""

    def __init__(self, metrics: Metrics, in_catalogue: Callable[[str], bool]) -> None:
        self._metrics = metrics
        self._in_catalogue = in_catalogue
        self._names: set[str] = set()

    def tell(self, raw: Json, entries: Sequence[HistoryEntry], status: Json) -> None:
        """`entries` are new in the history of the object, `status` is the one that they led to."""
        kind = raw["kind"]
        for entry in entries:
            self._metrics.transitions.labels(kind, entry.reason.value).inc()
            if entry.reason is Transition.RETRY_SCHEDULED:
                self._metrics.retries.labels(self.action(raw)).inc()
            waited = _waited(status, entry)
            if waited is not None:
                self._metrics.approval_wait_seconds.labels(kind, _ENDS_OF_WAITING[entry.reason]).observe(waited)
            _log(raw, entry, status)
        if status.get("outcome") and entries:
            self._metrics.outcomes.labels(kind, self.action(raw), status["outcome"]).inc()

    def attempts_ended(self, raw: Json, before: Json, after: Json) -> None:
        """Counts the attempts that have their result in the one status and had none in the other."""
        open_before = {attempt["id"] for attempt in before.get("attempts") or () if not attempt.get("result")}
        for attempt in after.get("attempts") or ():
            if attempt.get("result") and attempt["id"] in open_before:
                seconds = (_time(attempt["finishedAt"]) - _time(attempt["startedAt"])).total_seconds()
                self._metrics.attempt_seconds.labels(self.action(raw), attempt["result"]).observe(max(0.0, seconds))

    def action(self, raw: Json) -> str:
        """The label for what the object does."""
        name = (raw.get("spec") or {}).get("action")
        if not isinstance(name, str):
            return "workflow"
        if name in self._names:
            return name
        if not self._in_catalogue(name):
            return UNKNOWN
        if len(self._names) >= MOST_NAMES:
            return OTHER
        self._names.add(name)
        return name


def _waited(status: Json, end: HistoryEntry) -> float | None:
    """How many seconds approval was waited for until `end`; None if that ended no waiting."""
    if end.reason not in _ENDS_OF_WAITING:
        return None
    for entry in reversed(status.get("history") or ()):
        if entry["n"] >= end.n:
            continue
        if entry["reason"] == Transition.AWAITING_APPROVAL.value:
            return max(0.0, (end.at - _time(entry["at"])).total_seconds())
        if entry["reason"] == Transition.APPROVED.value:
            return None
    return None


def _log(raw: Json, entry: HistoryEntry, status: Json) -> None:
    """One line for a transition."""
    metadata = raw["metadata"]
    where = f"{metadata['namespace']}/{metadata['name']}" if metadata.get("namespace") else metadata["name"]
    attempts = status.get("attempts") if made_by_attempt(entry.reason) else None
    attempt = attempts[-1] if attempts else None
    told = f" (attempt {attempt['number']}, {attempt['id']})" if attempt else ""
    fields = {
        "kind": raw["kind"],
        "namespace": metadata.get("namespace"),
        "name": metadata["name"],
        "uid": metadata["uid"],
        "reason": entry.reason.value,
        "n": entry.n,
        "actor": entry.actor,
        "phase": status.get("phase"),
        "attempt": attempt["id"] if attempt else None,
        "attemptNumber": attempt["number"] if attempt else None,
    }
    logger.info(
        "%s %s: %s%s: %s", raw["kind"], where, entry.reason.value, told, entry.message, extra={"fields": fields}
    )


def _time(at: str) -> datetime:
    return datetime.fromisoformat(at)
