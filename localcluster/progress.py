"""How long work is reported: lasting lines, and one line that says what is going on now."""

import sys
import time
from typing import Protocol, TextIO


class Progress(Protocol):
    """Somebody who wants to know how it goes."""

    def note(self, text: str) -> None:
        """Take a line that stays."""

    def working(self, text: str) -> None:
        """Take a line that replaces the one before; may come many times a second."""


class Silent:
    """Nobody wants to know."""

    def note(self, text: str) -> None:
        """Ignore the line."""

    def working(self, text: str) -> None:
        """Ignore the line."""


class Lines:
    """Plain lines for a log or a pipe; what goes on now is repeated only now and then."""

    def __init__(self, stream: TextIO | None = None, *, every_seconds: float = 30.0) -> None:
        """Write to `stream` (standard error if None)."""
        self._stream = stream
        self._every_seconds = every_seconds
        self._last = time.monotonic()

    def note(self, text: str) -> None:
        """Write the line."""
        self._last = time.monotonic()
        print(text, file=self._stream or sys.stderr, flush=True)

    def working(self, text: str) -> None:
        """Write the line if nothing was written for a while."""
        if time.monotonic() - self._last >= self._every_seconds:
            self.note(text)
