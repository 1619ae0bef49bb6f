"""ask: a person answers a question before things go on.

Waiting for the answer is waiting for an approval: it holds no worker, and nothing runs until the answer is there. The
vote that carries it is given to `run`, which only returns it.
"""

from typing import Annotated, Self

from pydantic import Field, model_validator

from controller.actions.about import About, Family
from controller.actions.base import MAX_TEXT, Action, Parameters, cut
from controller.api.base import OpaqueMap
from controller.api.names import Risk
from controller.core.answers import Question
from controller.core.errors import PermanentFailure
from controller.core.ports import Done, Operation, PreviewResult, Request, Verified


class AskParameters(Parameters):
    question: Annotated[str, Field(min_length=1, max_length=MAX_TEXT)]
    """What is asked, in one or two sentences."""
    answers: OpaqueMap | None = Field(default=None, alias="schema")
    """JSON Schema of the answer, the same subset as for parameters, but of any type. At most 2 KiB of JSON fit."""
    options: Annotated[tuple[Annotated[str, Field(min_length=1, max_length=256)], ...], Field(max_length=32)] = ()
    """The texts to choose from, instead of `schema`. With neither, any text of up to 1024 characters will do."""

    @model_validator(mode="after")
    def _askable(self) -> Self:
        if self.answers is not None and self.options:
            raise ValueError("options: give either schema or options")
        if len(set(self.options)) < len(self.options):
            raise ValueError("options: the same text is given twice")
        if fault := self.asked.schema_fault:
            raise ValueError(fault)
        return self

    @property
    def asked(self) -> Question:
        return Question(self.answers, self.options)


class Ask(Action[AskParameters]):
    name = "ask"
    description = "Wait until a person answers a question; the answer is in the outputs."
    about = About(Family.FLOW)
    risk = Risk.LOW
    needs_runner = False
    asks = True
    timeout_seconds = 60
    parameters = AskParameters

    def question(self, parameters: AskParameters) -> Question:
        return parameters.asked

    async def preview(self, request: Request[AskParameters]) -> PreviewResult:
        return PreviewResult(cut(f"Ask: {request.parameters.question}"))

    async def run(self, request: Request[AskParameters], operation: Operation) -> Done:
        return _answered(request)

    async def observe(self, request: Request[AskParameters], operation: Operation) -> Done | None:
        return _answered(request)

    async def verify(self, request: Request[AskParameters], operation: Operation) -> Verified:
        return Verified(True)


def _answered(request: Request[AskParameters]) -> Done:
    answer = request.answer
    if answer is None:
        raise PermanentFailure("nobody answered; propose it again")
    return Done(f"Answered by {answer.by}.", {"answer": answer.value, "by": answer.by})
