"""What `doctor` says: a finding for each thing it looked at, with what mends it; as a page, and as data. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from rich.console import Group, RenderableType
from rich.text import Text

from controller.cli.screen import Grid, Last, shown
from controller.core.ports import Json

INDENT = 4


class State(StrEnum):
    OK = "ok"
    NOTE = "note"
    BROKEN = "broken"
    SKIPPED = "not looked at"


@dataclass(frozen=True)
class Finding:
    """One thing: how it is, in words, and what to do, a line for each step."""

    about: str
    state: State
    said: str
    mend: Sequence[str] = ()


def ok(about: str, said: str) -> Finding:
    return Finding(about, State.OK, said)


def skipped(about: str, said: str) -> Finding:
    return Finding(about, State.SKIPPED, said)


def note(about: str, said: str, *mend: str) -> Finding:
    return Finding(about, State.NOTE, said, mend)


def broken(about: str, said: str, *mend: str) -> Finding:
    return Finding(about, State.BROKEN, said, mend)


_SIGNS = {
    State.OK: ("✓", "green"),
    State.NOTE: ("!", "yellow"),
    State.BROKEN: ("✗", "bold red"),
    State.SKIPPED: ("-", "dim"),
}


def page(found: Sequence[Finding]) -> Group:
    """All of them, each with its sign, and a sum at the end."""
    parts: list[RenderableType] = []
    width = max((len(finding.about) for finding in found), default=0)
    for finding in found:
        sign, style = _SIGNS[finding.state]
        head = Text(f"{sign} ", style).append_text(shown(finding.about.ljust(width), "bold"))
        parts.append(Grid([(head, shown(finding.said))]))
        # Commands are for copying: where they are too long, the terminal breaks them, not we.
        parts += [Grid([(shown(f"-> {step}", "cyan"),)], last=Last.RUN_ON, indent=INDENT) for step in finding.mend]
    count = {state: sum(finding.state is state for finding in found) for state in State}
    said = f"{count[State.BROKEN]} broken" if count[State.BROKEN] else "nothing is broken"
    said += f", {count[State.NOTE]} worth a look" if count[State.NOTE] else ""
    said += f", {count[State.SKIPPED]} not looked at" if count[State.SKIPPED] else ""
    return Group(*parts, Text(), Text(said, "bold red" if count[State.BROKEN] else "bold"))


def as_data(found: Sequence[Finding]) -> Iterator[Json]:
    """The findings for programs."""
    for one in found:
        yield {"about": one.about, "state": one.state.value, "message": one.said, "mend": list(one.mend)}
