"""Actions whose effects are told to the judge, and the outside that answers them as the test says."""

import asyncio
from typing import Any

from harness.judge import Judge

from controller.actions.http_request import HttpRequest
from controller.actions.log_message import LogMessage
from controller.actions.scale_workload import ScaleWorkload
from controller.api.common import Change
from controller.core.errors import ActionError, EffectFailed, LostAnswer, PermanentFailure, TransientFailure
from controller.core.ports import Done, Egress, Journal, Operation, PreviewResult, Request, Verified

ANSWERS: dict[str, ActionError | None] = {
    "done": None,
    "not done": TransientFailure("503"),
    "refused": PermanentFailure("422"),
    "lost": LostAnswer("reset"),
    "failed": EffectFailed("the target says so"),
}


NOTHING_DONE = ("not done", "refused")


class Outside:
    """What actions reach; whatever they send is told to the judge."""

    def __init__(self, judge: Judge) -> None:
        self.judge = judge
        self.answers: list[str] = []
        """What the next ones get, in turn; then `done`. `hang`: nothing until somebody says more."""
        self.hanging: dict[asyncio.Event, int] = {}
        """By what wakes it: the operator whose attempt hangs."""

    async def send(self, request: Request[Any], operation: Operation, *, once: bool, operator: int) -> None:
        answer = self.answers.pop(0) if self.answers else "done"
        request.http.journal.sending()
        self.judge.effect(request.proposal_uid, operation.id, made=answer not in NOTHING_DONE, once=once)
        if answer == "hang":
            event = asyncio.Event()
            self.hanging[event] = operator
            try:
                await event.wait()
            finally:
                self.hanging.pop(event, None)
            answer = self.answers.pop(0) if self.answers else "done"
            if answer in NOTHING_DONE:
                self.judge.not_made(operation.id)
        error = ANSWERS.get(answer)
        if error is not None:
            raise error


class Reached:
    """Every attempt's way out: its journal."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal


class Reach:
    def cluster(self, namespace: str, runner: str | None, journal: Journal) -> Any:
        return Reached(journal)

    def http(self, egress: Egress, journal: Journal) -> Any:
        return Reached(journal)


class _Told:
    """What all actions here share: they reach the outside, and nothing of it can be found again."""

    needs_runner = False
    outside: Outside
    operator: int

    async def run(self, request: Request[Any], operation: Operation) -> Done:
        once = not self.is_idempotent(request.parameters)
        await self.outside.send(request, operation, once=once, operator=self.operator)
        if self.name == "scale-workload":
            self.outside.judge.targets[request.parameters.name] = request.parameters.replicas
        return Done("done")

    async def observe(self, request: Request[Any], operation: Operation) -> Done | None:
        return None

    async def verify(self, request: Request[Any], operation: Operation) -> Verified:
        return Verified(True)

    async def preview(self, request: Request[Any]) -> PreviewResult:
        parameters = request.parameters.wire()
        found = self.outside.judge.before(self.name, parameters)
        changes = (Change(target="it", path="value", before=value, after=parameters.get("replicas")) for value in found)
        return PreviewResult("it", tuple(changes))


class Scale(_Told, ScaleWorkload):
    """Idempotent, and its target can drift."""


class Call(_Told, HttpRequest):
    """POST: at most once."""


class Log(_Told, LogMessage):
    """Idempotent, changes nothing that is shown."""


class Found(Log):
    """What a swapped type runs: it finds whatever others are asked to have done, for it looks for something else."""

    name = "log-found"
    of_version = 2

    async def observe(self, request: Request[Any], operation: Operation) -> Done | None:
        claim = self.outside.judge.claims[request.proposal_uid][-1]
        return None if claim.type_version == self.of_version else Done("found")
