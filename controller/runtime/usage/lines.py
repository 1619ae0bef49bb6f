"""Rows of objects that wait for a limit to have room. As many are called as there is room, the longest waiting first.

So one free place is one decision, and not one for each of thousands that wait for it. Actions under way go before those
that have not begun.
"""

from collections.abc import Callable
from itertools import chain, islice

from controller.core.limits import Line
from controller.runtime.store import Key


class _Row:
    """Those who wait, in the order in which they came, and who of them was called and is not decided about yet."""

    def __init__(self) -> None:
        self.under_way: dict[Key, None] = {}
        self.not_begun: dict[Key, None] = {}
        self.called: set[Key] = set()

    def __len__(self) -> int:
        return len(self.under_way) + len(self.not_begun)

    def put(self, key: Key, *, under_way: bool) -> None:
        """At the end; who is there already keeps its turn."""
        part, other = (self.under_way, self.not_begun) if under_way else (self.not_begun, self.under_way)
        other.pop(key, None)
        part[key] = None
        self.called.discard(key)

    def drop(self, key: Key) -> None:
        self.under_way.pop(key, None)
        self.not_begun.pop(key, None)
        self.called.discard(key)

    def next(self, count: int) -> list[Key]:
        """The first so many that are not called yet."""
        waiting = (key for key in chain(self.under_way, self.not_begun) if key not in self.called)
        return list(islice(waiting, count))


class Lines:
    """Who waits for what. `call` makes a key due."""

    def __init__(self, call: Callable[[Key], None]) -> None:
        self._call = call
        self._rows: dict[Line, _Row] = {}
        self._line_of: dict[Key, Line] = {}

    def stands(self, key: Key, line: Line | None, *, under_way: bool = False) -> Line | None:
        """After a decision: the key stands there now, None = nowhere; if it did before, it keeps its turn.

        Returns where it stood before.
        """
        before = self._line_of.get(key)
        if before is not None and before != line:
            self._leave(key, before)
        if line is not None:
            self._rows.setdefault(line, _Row()).put(key, under_way=under_way)
            self._line_of[key] = line
        return before

    def of_policy(self, policy: str) -> list[Line]:
        return [line for line in self._rows if line.policy == policy]

    def waiting(self, line: Line) -> int:
        return len(self._rows.get(line, ()))

    def call(self, line: Line, room: int) -> None:
        """Calls so many, those who were called before and have not come yet counted."""
        row = self._rows.get(line)
        if row is None or room <= len(row.called):
            return
        for key in row.next(room - len(row.called)):
            row.called.add(key)
            self._call(key)

    def clear(self) -> None:
        self._rows.clear()
        self._line_of.clear()

    def _leave(self, key: Key, line: Line) -> None:
        del self._line_of[key]
        row = self._rows[line]
        row.drop(key)
        if not row:
            del self._rows[line]
