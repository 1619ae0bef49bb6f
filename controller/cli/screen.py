"""Where output goes: a terminal with its width and colours, or a pipe with neither. And grids, the one form of tables.

What objects say comes from people and programs that nobody checked, so nothing of it reaches a terminal unseen.
"""

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from typing import TextIO

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.text import Text

UNBOUNDED = 100_000
GAP = 2
# With less room than this, a last column is of no use beside the others.
NARROWEST = 16


def console_for(stream: TextIO) -> Console:
    """Colours as the terminal has them, none with NO_COLOR; neither colours nor a width where it is no terminal."""
    if not stream.isatty():
        return Console(file=stream, width=UNBOUNDED, color_system=None, force_terminal=False, highlight=False)
    if os.environ.get("NO_COLOR"):
        return Console(file=stream, color_system=None, highlight=False)
    return Console(file=stream, highlight=False)


def draw(out: Console, content: RenderableType) -> None:
    """Print it; what is still too wide is left to the terminal, never lost."""
    out.print(content, crop=False)


def screen() -> Console:
    return console_for(sys.stdout)


def shown(text: str, style: str = "") -> Text:
    """Text of unknown origin, safe for a terminal: control and invisible characters are written out."""
    safe = "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)
    return Text(safe, style=style)


def one_line(text: str, style: str = "") -> Text:
    """The same on one line."""
    return shown(" ".join(text.split()), style)


class Last(Enum):
    """What becomes of a last column that is too wide."""

    WRAP = "wrap"
    CUT = "cut"
    RUN_ON = "run on"


class Grid:
    """Columns as wide as their longest cell; the last one takes what is left.

    There it is cut off, or runs on for the terminal to break, or is wrapped under itself; where too little is left for
    that, on lines of its own. The other columns are never cut.
    """

    def __init__(
        self, rows: Sequence[Sequence[Text]], *, header: Sequence[str] = (), last: Last = Last.WRAP, indent: int = 0
    ) -> None:
        self._rows = ([[Text(name, "bold") for name in header]] if header else []) + [list(row) for row in rows]
        self._last = last
        self._indent = indent

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if not self._rows:
            return
        widths = [max(cell.cell_len for cell in column) for column in zip(*self._rows, strict=True)]
        left = self._indent + sum(width + GAP for width in widths[:-1])
        for *cells, last in self._rows:
            start = Text(" " * self._indent)
            for cell, width in zip(cells, widths, strict=False):
                start.append_text(cell).append(" " * (width - cell.cell_len + GAP))
            room = options.max_width - left
            if self._last is not Last.WRAP:
                most = max(options.max_width, left) if self._last is Last.CUT else None
                yield _unwrapped(start.append_text(last), most)
            elif room >= min(NARROWEST, widths[-1]):
                yield from _wrapped(console, start, last, room)
            else:
                yield _unwrapped(start)
                if last.plain not in ("-", ""):
                    below = Text(" " * (self._indent + 2 * GAP))
                    yield from _wrapped(console, below, last, options.max_width - below.cell_len)


Fields = Iterable[tuple[str, Text]]
INDENT = 2


def fields(rows: Fields) -> Grid:
    """Names and what they stand for, indented under a title."""
    return Grid([(Text(name, "dim"), value) for name, value in rows], indent=INDENT)


def section(name: str, body: RenderableType) -> list[RenderableType]:
    """A part of a page with its heading."""
    return [Text(), Text(name, "bold"), body]


class Lines:
    """Text wrapped to the width, with every line indented."""

    def __init__(self, text: Text, indent: int = 0) -> None:
        self._text = text
        self._indent = indent

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from _wrapped(console, Text(" " * self._indent), self._text, options.max_width - self._indent)


def _wrapped(console: Console, start: Text, text: Text, width: int) -> Iterator[Text]:
    """The text in lines of that width: the first one after `start`, the others under it."""
    margin = start.cell_len
    for number, piece in enumerate(list(text.wrap(console, max(width, 1))) or [Text()]):
        yield _unwrapped((start if number == 0 else Text(" " * margin)).append_text(piece))


def _unwrapped(line: Text, width: int | None = None) -> Text:
    """A line as it is, or cut to a width; without blanks at its end."""
    line.rstrip()
    if width is not None:
        line.truncate(width, overflow="ellipsis")
    line.no_wrap, line.overflow = True, "ignore"
    return line
