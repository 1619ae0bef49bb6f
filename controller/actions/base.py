"""What all built-in action types share: their parameters model and the parts that most of them do alike.

An action type knows the ports of its request and nothing else: no session, no status, no clock but the one it
is given.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import ConfigDict, ValidationError

from controller.actions.about import About
from controller.api.base import ApiModel
from controller.core.answers import Question
from controller.core.ports import Executor, Operation, P, Request

FIXED = frozenset({"kind", "name", "namespace", "node", "url"})
"""Parameters that name a target: what was approved must be what is touched."""

MAX_TEXT = 1024


class Parameters(ApiModel):
    """The parameters of one action type. Unknown ones are faults; a field's docstring is its description."""

    model_config = ConfigDict(extra="forbid")


class ParameterFaultsError(ValueError):
    """Parameters that an action type cannot take. `faults` names every one: `parameters.replicas: ...`."""

    def __init__(self, faults: tuple[str, ...]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


class Action(Executor[P]):
    """A built-in action type, with the answers that fit most types. What it must say itself stands in `Executor`."""

    version: ClassVar[int] = 1
    about: ClassVar[About]
    idempotent: ClassVar[bool] = True
    needs_runner: ClassVar[bool] = True
    fixed: ClassVar[frozenset[str]] = FIXED
    timeout_seconds: ClassVar[int] = 300
    inverses: ClassVar[frozenset[str]] = frozenset()
    """Names of the types that its own undo may use."""
    asks: ClassVar[bool] = False
    """Whether it starts only when a person has answered a question."""
    parameters: type[P]

    def parse(self, parameters: Mapping[str, Any]) -> P:
        """The parameters of a spec, by their wire names. Raises ParameterFaultsError with all faults."""
        return parse_as(self.parameters, parameters)

    def is_idempotent(self, parameters: P) -> bool:
        """Whether a lost answer may be repeated with these parameters."""
        return self.idempotent

    def acts_as_runner(self, parameters: P) -> bool:
        """Whether it touches the API server with these parameters."""
        return self.needs_runner

    def generic_kind(self, parameters: P) -> str | None:
        """The kind that policies must allow (`core.kinds.kind_name`); None for a type that is for certain kinds."""
        return None

    def question(self, parameters: P) -> Question | None:
        """The answers that it asks for, if it asks."""
        return None

    async def stop(self, request: Request[P], operation: Operation) -> None:
        """Nothing of most actions is still under way once their effect is made."""


def parse_as(model: type[P], parameters: Mapping[str, Any]) -> P:
    """The parameters as that model reads them, by their wire names. Raises ParameterFaultsError with all faults."""
    try:
        return model.model_validate(dict(parameters), by_alias=True, by_name=False)
    except ValidationError as error:
        raise ParameterFaultsError(_faults(error)) from None


def cut(text: str, limit: int = MAX_TEXT) -> str:
    """`text`, or its beginning and an ellipsis, so that it fits a bounded field of status."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _faults(error: ValidationError) -> tuple[str, ...]:
    return tuple(
        _fault([_visible(str(part)) for part in fault["loc"]], fault["msg"].removeprefix("Value error, "))
        # Never the values: a header or a variable that is refused may be a credential.
        for fault in error.errors(include_url=False, include_input=False, include_context=False)
    )


def _fault(location: list[str], message: str) -> str:
    # A check of the whole model names the field itself: `body: GET has none`.
    return f"{'.'.join(['parameters', *location])}: {message}" if location else f"parameters.{message}"


def _visible(part: str) -> str:
    """A key as the user wrote it, but on one line."""
    return part if part.isprintable() else repr(part)[1:-1]
