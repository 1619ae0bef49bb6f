"""How many live objects are in which phase, and since when: counted as they change, so that nobody who asks has to read
the objects.
"""

from collections.abc import Hashable, Iterator
from datetime import datetime
from typing import Generic, NamedTuple, TypeVar

from controller.api.names import Phase
from controller.core.ports import Json
from controller.kube.resources import SCHEDULES

K = TypeVar("K", bound=Hashable)

NO_PHASE = ""
"""Of schedules, which have none."""
_PHASES = frozenset(phase.value for phase in Phase)


class Counted(NamedTuple):
    """The objects of a kind that are in a phase: how many, and the last transition of the one that rests longest."""

    plural: str
    phase: str
    objects: int
    oldest: float
    """Seconds of the epoch."""


class Census(Generic[K]):
    """By kind and phase, the keys of the objects with the time of their last transition."""

    def __init__(self) -> None:
        self._since: dict[tuple[str, str], dict[K, float]] = {}

    def put(self, plural: str, key: K, raw: Json) -> str:
        """Counts the object; the phase it is in."""
        status = raw.get("status") or {}
        phase = NO_PHASE if plural == SCHEDULES.plural else _phase(status)
        self._since.setdefault((plural, phase), {})[key] = _last_transition(raw, status)
        return phase

    def remove(self, plural: str, phase: str, key: K) -> None:
        """Counts the object no longer."""
        self._since[plural, phase].pop(key, None)

    def counted(self) -> Iterator[Counted]:
        """Every kind and phase that there ever was an object of."""
        for (plural, phase), since in self._since.items():
            yield Counted(plural, phase, len(since), min(since.values(), default=float("inf")))


def _phase(status: Json) -> str:
    """Only words of the API, whatever another version may have written."""
    phase = status.get("phase") or Phase.PENDING.value
    return phase if phase in _PHASES else Phase.UNKNOWN.value


def _last_transition(raw: Json, status: Json) -> float:
    history = status.get("history") or ()
    return _seconds(history[-1].get("at") if history else raw["metadata"].get("creationTimestamp"))


def _seconds(at: str | None) -> float:
    """Infinite where it is not said."""
    return datetime.fromisoformat(at).timestamp() if at else float("inf")
