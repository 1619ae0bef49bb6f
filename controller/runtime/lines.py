"""Rows of objects that wait for a limit to have room. As many are called as there is room, the longest waiting first.

So one free place is one decision, and not one for each of thousands that wait for it.
"""

from collections.abc import Callable

from controller.core.limits import Line
from controller.runtime.store import Key


class Lines:
    """Who waits for what. `call` makes a key due."""

    def __init__(self, call: Callable[[Key], None]) -> None:
        self._call = call
        self._rows: dict[Line, dict[Key, bool]] = {}
        """In the order in which they came; True = called, and not decided about yet."""
        self._line_of: dict[Key, Line] = {}

    def stands(self, key: Key, line: Line | None) -> Line | None:
        """After a decision: the key stands there now, None = nowhere; if it did before, it keeps its turn.

        Returns where it stood before.
        """
        before = self._line_of.get(key)
        if before is not None and before != line:
            self._leave(key, before)
        if line is not None:
            self._rows.setdefault(line, {})[key] = False
            self._line_of[key] = line
        return before

    def of_policy(self, policy: str) -> list[Line]:
        return [line for line in self._rows if line.policy == policy]

    def waiting(self, line: Line) -> int:
        return len(self._rows.get(line, ()))

    def call(self, line: Line, room: int) -> None:
        """Calls so many, those who were called before and have not come yet counted."""
        row = self._rows.get(line, {})
        left = room - sum(row.values())
        for key, called in row.items():
            if left <= 0:
                return
            if not called:
                row[key] = True
                left -= 1
                self._call(key)

    def clear(self) -> None:
        self._rows.clear()
        self._line_of.clear()

    def _leave(self, key: Key, line: Line) -> None:
        del self._line_of[key]
        row = self._rows[line]
        del row[key]
        if not row:
            del self._rows[line]
