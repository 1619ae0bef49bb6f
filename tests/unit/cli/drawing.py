"""What is drawn, as text: into a pipe, or onto a terminal of some width."""

import io
from typing import Any

from rich.console import Console, RenderableType

from controller.api.proposal import ActionProposal
from controller.api.workflow import ActionWorkflow
from controller.cli.items import Item, Model
from controller.cli.screen import console_for, draw

KINDS: dict[str, type[ActionProposal] | type[ActionWorkflow]] = {
    "ActionProposal": ActionProposal,
    "ActionWorkflow": ActionWorkflow,
}


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def item(manifest: dict[str, Any]) -> Item:
    return Item(KINDS[manifest["kind"]], manifest)


def model(manifest: dict[str, Any]) -> Model:
    read = item(manifest).model
    assert read is not None
    return read


def piped(content: RenderableType) -> list[str]:
    """The lines that a program reads."""
    out = io.StringIO()
    draw(console_for(out), content)
    return out.getvalue().splitlines()


def on_terminal(content: RenderableType, width: int) -> list[str]:
    """The lines on a terminal of that width, without its colours."""
    out = io.StringIO()
    draw(Console(file=out, width=width, color_system=None, highlight=False), content)
    return out.getvalue().splitlines()
