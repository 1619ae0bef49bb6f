"""What a check says of what was seen: true, false, or that it cannot be told. Pure.

Only `true` is taken for true. An expression without an answer, an object that is not there, a server that fails: they
prove neither, so that it is looked again. No message holds anything of what was read: an expression may be about what
its reader may not see, so of a failure only words are told that are ours or stand in the expression.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Any

from controller.api.common import Check
from controller.core.expressions import (
    OBJECT,
    RESPONSE,
    Expression,
    ExpressionFailed,
    ExpressionFault,
    compile_expression,
)
from controller.core.web_address import web_address

MAX_SHOWN = 200
"""Characters of an expression in a message."""
_PATIENCE = frozenset({408, 429})
_WORD = re.compile(r"[^\W_]+(?:_[^\W_]+)*")
_OURS = frozenset({
    "a", "also", "an", "and", "any", "are", "asks", "at", "be", "before", "bool", "bytes", "can", "cannot", "compare",
    "could", "double", "double64", "duration", "dyn", "each", "element", "false", "fewer", "field", "fields", "for",
    "given", "gives", "has", "in", "inside", "int", "is", "it", "iterations", "json", "key", "less", "limit", "list",
    "list_type", "long", "loop", "loops", "map", "more", "much", "no", "not", "null", "null_type", "number",
    "numbers", "object", "of", "often", "on", "one", "only", "operator", "or", "other", "out", "over", "read",
    "reads", "reason", "same", "size", "stands", "status", "string", "text", "than", "that", "the", "there",
    "timestamp", "to", "too", "true", "type", "types", "uint", "value", "values", "what", "whether", "whole", "with",
    "work", "yet",
})  # fmt: skip
"""Words that the messages of expressions are made of."""


class Result(Enum):
    """What a check came to."""

    TRUE = "true"
    FALSE = "false"
    UNTOLD = "cannot tell"


@dataclass(frozen=True)
class Named:
    """A check with where it stands: `preconditions[0]`."""

    path: str
    check: Check

    @property
    def about(self) -> str:
        """`Deployment checkout`, `GET https://hooks.example.com`."""
        if self.check.resource is not None:
            return f"{self.check.resource.kind} {self.check.resource.name}"
        return f"GET {web_address(self.check.http.url).origin}" if self.check.http else ""

    @cached_property
    def expression(self) -> Expression:
        """Raises ExpressionFault."""
        return compile_expression(self.check.expression, OBJECT if self.check.resource is not None else RESPONSE)


@dataclass(frozen=True)
class Seen:
    """What one look gave: the values that the expression is over. None: nothing, and `why`.

    With values and `why`, anything but true proves nothing: the server says itself that it could not answer.
    """

    values: Mapping[str, Any] | None
    why: str = ""


@dataclass(frozen=True)
class Answer:
    """What a check came to, and the sentence that tells it."""

    result: Result
    message: str
    timeout_seconds: int | None = None


def named(field: str, checks: Sequence[Check]) -> tuple[Named, ...]:
    return tuple(Named(f"{field}[{index}]", check) for index, check in enumerate(checks))


def read_objects(checks: Iterable[Check]) -> bool:
    """Whether any of them reads from the API server, so that it needs a runner."""
    return any(check.resource is not None for check in checks)


def response(status: int, document: Any, *, is_json: bool) -> Seen:
    """What the answer to a GET shows. `json` is only there if it was JSON."""
    failing = status in _PATIENCE or status >= 500
    why = f"answered with status {status}" if failing else ""
    return Seen({"status": status, **({"json": document} if is_json else {})}, why)


def answer(one: Named, seen: Seen) -> Answer:
    """What the check comes to by what was seen."""
    result, why = _judge(one, seen)
    timeout, shown = one.check.timeout_seconds, cut(one.check.expression)
    if result is Result.UNTOLD:
        return Answer(result, f"{one.path} cannot be told of {one.about}: {why} ({shown})", timeout)
    said = "is true" if result is Result.TRUE else "is not true"
    return Answer(result, f"{one.path} {said} of {one.about}: {shown}", timeout)


def settling(answers: Sequence[Answer], seconds: float, otherwise: float) -> Answer | None:
    """The one that ends the waiting after so many seconds: not true, and its time is up.

    One that is false comes before one that cannot be told. `otherwise`: the time of those that have none of their own.
    """
    over = [one for one in untrue(answers) if seconds >= _time(one, otherwise)]
    return min(over, key=lambda one: one.result is Result.UNTOLD, default=None)


def next_limit(answers: Sequence[Answer], seconds: float, otherwise: float) -> float:
    """Seconds until the time of the next one is up."""
    return min((_time(one, otherwise) - seconds for one in untrue(answers)), default=0.0)


def untrue(answers: Sequence[Answer]) -> list[Answer]:
    return [one for one in answers if one.result is not Result.TRUE]


def cut(expression: str) -> str:
    """An expression on one line, short enough for a message."""
    line = " ".join(expression.split())
    return line if len(line) <= MAX_SHOWN else f"{line[: MAX_SHOWN - 1]}…"


def _time(one: Answer, otherwise: float) -> float:
    return otherwise if one.timeout_seconds is None else one.timeout_seconds


def _judge(one: Named, seen: Seen) -> tuple[Result, str]:
    if seen.values is None:
        return Result.UNTOLD, seen.why
    try:
        true = one.expression.truth(seen.values)
    except (ExpressionFailed, ExpressionFault) as error:
        return Result.UNTOLD, seen.why or _why(str(error), one, seen.values)
    if true:
        return Result.TRUE, ""
    return (Result.UNTOLD, seen.why) if seen.why else (Result.FALSE, "")


def _why(told: str, one: Named, values: Mapping[str, Any]) -> str:
    if one.check.http is not None and "json" not in values and "no json" in told:
        return "the answer is not JSON"
    return _without_values(told, one.check.expression)


def _without_values(told: str, expression: str) -> str:
    """What is told of a failure, with all words left out that may come from what was read."""
    known = _OURS | set(_WORD.findall(expression))
    return _WORD.sub(lambda word: word[0] if word[0].lower() in known or word[0] in known else "…", told)
