"""wait: let time pass. Nothing sleeps: the time is up when the clock says so, also after a restart."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated

from pydantic import Field

from controller.actions.about import About, Family
from controller.actions.base import Action, Parameters
from controller.api.base import rfc3339
from controller.api.names import Risk
from controller.core.ports import Done, Operation, PreviewResult, Request, Verified


class WaitParameters(Parameters):
    seconds: Annotated[int, Field(ge=1, le=86_400)]
    """How long to wait, in seconds."""


class Wait(Action[WaitParameters]):
    """The effect is to have begun, which the claim itself records; its purpose is reached when the time is
    up.
    """

    name = "wait"
    description = "Wait a fixed time before what comes next."
    about = About(Family.FLOW)
    risk = Risk.LOW
    needs_runner = False
    timeout_seconds = 90_000
    parameters = WaitParameters

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now

    async def preview(self, request: Request[WaitParameters]) -> PreviewResult:
        return PreviewResult(summary=f"Wait {request.parameters.seconds} s.")

    async def run(self, request: Request[WaitParameters], operation: Operation) -> Done:
        return _begun(request, operation)

    async def observe(self, request: Request[WaitParameters], operation: Operation) -> Done | None:
        return _begun(request, operation)

    async def verify(self, request: Request[WaitParameters], operation: Operation) -> Verified:
        until = _until(request, operation)
        over = self._now() >= until
        return Verified(over, "It is over." if over else f"waits until {rfc3339(until)}", until)


def _until(request: Request[WaitParameters], operation: Operation) -> datetime:
    return operation.time + timedelta(seconds=request.parameters.seconds)


def _begun(request: Request[WaitParameters], operation: Operation) -> Done:
    until = rfc3339(_until(request, operation))
    return Done(f"Wait of {request.parameters.seconds} s, until {until}.", {"until": until})
