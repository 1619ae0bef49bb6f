"""log-message: one line in the operator's log, to try things out or to mark a place in a workflow."""

import logging
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from controller.actions.about import About, Family
from controller.actions.base import Action, Parameters
from controller.api.names import Risk
from controller.core.ports import Done, Operation, PreviewResult, Request, Verified

_log = logging.getLogger("actionoperator.log_message")


class Level(StrEnum):
    DEBUG = "Debug"
    INFO = "Info"
    WARNING = "Warning"
    ERROR = "Error"


class LogMessageParameters(Parameters):
    message: Annotated[str, Field(min_length=1, max_length=1024)]
    """The text. It is written as one line, with control characters made visible."""
    level: Level = Level.INFO
    """Debug, Info, Warning or Error."""


class LogMessage(Action[LogMessageParameters]):
    """Repeating it writes the line again, which does no harm; so a lost one is written again."""

    name = "log-message"
    description = "Write one line to the operator's log."
    about = About(Family.FLOW)
    risk = Risk.LOW
    needs_runner = False
    parameters = LogMessageParameters

    async def preview(self, request: Request[LogMessageParameters]) -> PreviewResult:
        return PreviewResult(summary=f"Write one line of level {request.parameters.level} to the operator's log.")

    async def run(self, request: Request[LogMessageParameters], operation: Operation) -> Done:
        level = logging.getLevelNamesMapping()[request.parameters.level.upper()]
        line = visible(request.parameters.message)
        _log.log(level, "%s", line, extra={"namespace": request.namespace, "proposal": request.proposal})
        return Done("Wrote the message to the operator's log.")

    async def observe(self, request: Request[LogMessageParameters], operation: Operation) -> Done | None:
        return None

    async def verify(self, request: Request[LogMessageParameters], operation: Operation) -> Verified:
        return Verified(True)


def visible(text: str) -> str:
    """`text` on one line: what does not print (line ends, terminal escapes, direction marks) is escaped."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )
