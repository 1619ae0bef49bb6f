"""What is owed to readers: transitions that a write of ours may have stored without our hearing of it.

A write can be cut off, or its answer lost. Whether it landed is told by the object itself, once its history has come as
far: by compare-and-swap no earlier write can land after that. Only our own entries are owed, whoever went on since.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from controller.api.common import HistoryEntry
from controller.core.ports import Json, Resource


class Place(NamedTuple):
    """Where an object is, to be read again."""

    resource: Resource
    namespace: str | None
    name: str


@dataclass
class _Debt:
    place: Place
    entries: list[HistoryEntry] = field(default_factory=list)

    @property
    def first(self) -> int:
        return min(entry.n for entry in self.entries)

    def among(self, history: Sequence[HistoryEntry]) -> list[HistoryEntry]:
        return [entry for entry in history if entry in self.entries]


class Owed:
    """By the object's uid: what was written and not told."""

    def __init__(self) -> None:
        self._debts: dict[str, _Debt] = {}
        self._writing: set[str] = set()

    @contextmanager
    def writing(self, place: Place, uid: str, entries: Sequence[HistoryEntry]) -> Iterator[None]:
        """While these are written they are not looked for: who writes them will tell. If it fails, they are owed."""
        if entries:
            self._debts.setdefault(uid, _Debt(place)).entries.extend(entries)
        self._writing.add(uid)
        try:
            yield
        finally:
            self._writing.discard(uid)

    def paid(self, uid: str, history: Sequence[HistoryEntry]) -> list[HistoryEntry]:
        """What is to be told of a write that was heard of, with what an earlier one left."""
        debt = self._debts.pop(uid, None)
        return debt.among(history) if debt else []

    def found(self, raw: Json) -> list[HistoryEntry]:
        """What is to be told of an object that was read. All come here: nothing is parsed where nothing is owed."""
        uid = raw["metadata"]["uid"]
        debt = self._debts.get(uid)
        if debt is None or uid in self._writing:
            return []
        history = [HistoryEntry.model_validate(entry) for entry in (raw.get("status") or {}).get("history") or ()]
        return self.paid(uid, history) if history and history[-1].n >= debt.first else []

    def forget(self, uid: str) -> None:
        """The object is gone."""
        self._debts.pop(uid, None)

    def places(self) -> list[tuple[str, Place]]:
        """The objects, with their uids, that have to be read to know."""
        return [(uid, debt.place) for uid, debt in self._debts.items() if uid not in self._writing]
