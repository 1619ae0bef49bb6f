"""What the demo prints: scenes, commands, what happened, what was found. At most 100 columns wide.

On a terminal the line that says what is going on now is overwritten; elsewhere only lasting lines are printed.
"""

import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.text import Text

WIDTH = 100
_INDENT = "   "

Live = Callable[[str], None]


def _wrapped(text: str, width: int) -> list[str]:
    """Lines of at most that width; names with dashes stay whole, to be copied."""
    return textwrap.wrap(text, width, break_on_hyphens=False)


class Narrator:
    """Prints to standard output."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False, markup=False, emoji=False)
        self.console.width = min(WIDTH, self.console.width) if self.console.is_terminal else WIDTH
        self._scenes = 0

    @property
    def scenes(self) -> int:
        return self._scenes

    def title(self, text: str) -> None:
        self.console.print(Text(text, style="bold"))

    def scene(self, title: str) -> None:
        self._scenes += 1
        self.console.print()
        self.console.print(Text(f"{self._scenes}  {title}", style="bold cyan"))

    def command(self, text: str, *, by: str = "") -> None:
        """`by`: who types it."""
        self.console.print(Text(f"{_INDENT}{by}$ {text}", style="bold"))

    def text(self, text: str, style: str = "dim") -> None:
        for line in _wrapped(text, self.console.width - len(_INDENT)):
            self.console.print(Text(_INDENT + line, style=style))

    def event(self, time: str, what: str, message: str, style: str = "") -> None:
        """One transition, its message hanging beside it."""
        head = f"{_INDENT}{time}  {what:<16}  "
        lines = _wrapped(message, self.console.width - len(head)) or [""]
        for number, line in enumerate(lines):
            text = Text(head if number == 0 else " " * len(head), style=style)
            self.console.print(text.append(line, style="dim" if number or not style else ""))

    def found(self, text: str) -> None:
        """Something that is as it should be."""
        lines = _wrapped(text, self.console.width - len(_INDENT) - 2)
        for number, line in enumerate(lines):
            mark = Text(f"{_INDENT}✓ " if number == 0 else f"{_INDENT}  ", style="green")
            self.console.print(mark.append(line, style="default"))

    def failed(self, text: str) -> None:
        self.console.print()
        for number, line in enumerate(text.splitlines()):
            self.console.print(Text(("✗ " if number == 0 else "  ") + line, style="red"))

    def table(self, columns: Sequence[str], groups: Sequence[Sequence[Sequence[str]]]) -> None:
        """Rows in groups with an empty line after each."""
        rows = [columns, *(row for group in groups for row in group)]
        widths = [max(len(row[n]) for row in rows) for n in range(len(columns))]

        def line(row: Sequence[str]) -> str:
            cells = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            return f"{_INDENT}{cells}".rstrip()

        self.console.print(Text(line(columns), style="bold underline"))
        for group in groups:
            for row in group:
                self.console.print(Text(line(row)))
            self.console.print()

    @contextmanager
    def live(self, text: str) -> Iterator[Live]:
        """A line that says what is going on, gone at the end."""
        if not self.console.is_terminal:
            yield lambda _: None
            return
        with self.console.status(Text(text)) as status:
            yield lambda now: status.update(Text(now))
