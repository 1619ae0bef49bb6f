"""Where output goes: a terminal with its width and colours, or a pipe with neither. And grids, the one form of tables.

What objects say comes from people and programs that nobody checked, so nothing of it reaches a terminal unseen.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from typing import TextIO

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

UNBOUNDED = 100_000
GAP = 2
# Below this, a wrapped last column gets lines of its own.
NARROWEST_WRAP = 24


def console_for(stream: TextIO) -> Console:
    """Colours as the terminal has them, none with NO_COLOR; neither colours nor a width where it is no terminal."""
    if not stream.isatty():
        return Console(file=stream, width=UNBOUNDED, color_system=None, force_terminal=False, highlight=False)
    if os.environ.get("NO_COLOR"):
        return Console(file=stream, color_system=None, highlight=False)
    return Console(file=stream, highlight=False)


def screen() -> Console:
    return console_for(sys.stdout)


def shown(text: str, style: str = "") -> Text:
    """Text of unknown origin, safe for a terminal: control and invisible characters are written out."""
    safe = "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)
    return Text(safe, style=style)


def one_line(text: str, style: str = "") -> Text:
    """The same on one line."""
    return shown(" ".join(text.split()), style)


class Grid:
    """Columns as wide as their longest cell. The last one takes what is left: cut off, or wrapped under itself."""

    def __init__(
        self, rows: Sequence[Sequence[Text]], *, header: Sequence[str] = (), wrap: bool = False, indent: int = 0
    ) -> None:
        self._rows = ([[Text(name, "bold") for name in header]] if header else []) + [list(row) for row in rows]
        self._wrap = wrap
        self._indent = indent

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if not self._rows:
            return
        count = len(self._rows[0])
        widths = [max(row[column].cell_len for row in self._rows) for column in range(count - 1)]
        left = self._indent + sum(width + GAP for width in widths)
        for row in self._rows:
            start = Text(" " * self._indent)
            for cell, width in zip(row, widths, strict=False):
                start.append_text(cell).append(" " * (width - cell.cell_len + GAP))
            yield from self._lines(console, start, row[-1], left, options.max_width)

    def _lines(self, console: Console, start: Text, last: Text, left: int, width: int) -> Iterator[Text]:
        room = width - left
        if not self._wrap:
            start.append_text(last)
            start.rstrip()
            start.truncate(width, overflow="ellipsis")
            start.no_wrap = True
            yield start
            return
        pieces = list(last.wrap(console, max(room, NARROWEST_WRAP))) or [Text()]
        for number, piece in enumerate(pieces):
            line = start.append_text(piece) if number == 0 else Text(" " * left).append_text(piece)
            line.rstrip()
            line.no_wrap, line.overflow = True, "ignore"
            yield line


class Lines:
    """Text wrapped to the width, with every line indented."""

    def __init__(self, text: Text, indent: int = 0) -> None:
        self._text = text
        self._indent = indent

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for piece in self._text.wrap(console, max(options.max_width - self._indent, NARROWEST_WRAP)):
            line = Text(" " * self._indent).append_text(piece)
            line.rstrip()
            line.no_wrap, line.overflow = True, "ignore"
            yield line
