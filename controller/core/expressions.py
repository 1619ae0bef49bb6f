"""Expressions in CEL (cel.dev), the one module that knows the library: compiled once, then asked for truth or value.

Nothing here fails open. The library gives an evaluation error back as a value whose plain form is a truthy text; here
every answer is checked for its type, and what is not an answer is ExpressionFailed. An expression is compiled where
only those variables exist that it was found to read, so that it cannot read others. Page: docs/spec/expressions.md.
The library is loaded with the first expression: who has none does not pay for it.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import Any

from controller.core.digest import canonical
from controller.core.expression_cost import TooMuch, check_size, check_work
from controller.core.expression_keys import keys_there
from controller.core.expression_names import Scope, resolve
from controller.core.expression_tree import ExpressionFault, Node, NoSuchStep, tree_of
from controller.core.expression_words import failure_words, fault_words, type_words

__all__ = [
    "MAX_LENGTH", "MAX_OUTPUT_BYTES", "OBJECT", "RESPONSE", "STEPS", "Expression", "ExpressionFailed",
    "ExpressionFault", "Gives", "NoSuchStep", "compile_expression",
]  # fmt: skip

MAX_LENGTH = 2048
"""Characters of an expression, as in the schema."""
MAX_OUTPUT_BYTES = 65_536
"""Of a value, as canonical JSON."""

STEPS = Scope(
    {"workflow.parameters": "DYN", "workflow.name": "STRING", "workflow.namespace": "STRING"},
    steps=True,
)
"""In a workflow: `when` and `computed`."""
OBJECT = Scope({"object": "DYN"})
"""A check on a live object."""
RESPONSE = Scope({"status": "INT", "json": "DYN"})
"""A check on the answer to an HTTP GET."""

_LIBRARY_ERRORS = (RuntimeError, ValueError, TypeError, LookupError, ArithmeticError, MemoryError)
_NO_JSON = frozenset({"TIMESTAMP", "DURATION", "BYTES"})
_CACHED = 512
"""Compiled expressions: a workflow of 100 steps is decided again with each event."""


class ExpressionFailed(Exception):
    """There is no answer: it cannot be told whether it is true, or what it gives. A sentence for people."""


class Gives(Enum):
    """What an expression is for."""

    TRUTH = "truth"
    VALUE = "value"


@dataclass(frozen=True)
class Expression:
    """A compiled expression."""

    text: str
    reads: frozenset[str]
    """The steps that it reads; there is no way for it to read another."""
    _variables: tuple[str, ...] = field(repr=False)
    _tree: Node = field(repr=False)
    _program: Any = field(repr=False)

    @property
    def static(self) -> bool:
        """Whether it reads no step at all."""
        return not self.reads

    def truth(self, values: Mapping[str, Any]) -> bool:
        """Whether it is true. `values`: JSON in the form of the scope, `{"steps": {"drain": {"outcome": ...}}}`.

        Raises ExpressionFailed.
        """
        with _failing():
            kind, plain = self._evaluate(values)
        if kind == "BOOL" and plain is True:
            return True
        if kind == "BOOL" and plain is False:
            return False
        raise ExpressionFailed(f"it gives {type_words(kind)}, not true or false")

    def value(self, values: Mapping[str, Any]) -> Any:
        """What it gives, as JSON: at most MAX_OUTPUT_BYTES. Raises ExpressionFailed."""
        with _failing():
            kind, plain = self._evaluate(values)
            if kind in _NO_JSON:
                raise ExpressionFailed(_no_json(kind))
            value = _json(plain)
            size = len(_bytes(value))
        if size > MAX_OUTPUT_BYTES:
            raise ExpressionFailed(f"it gives too much: {size} bytes as JSON, and there may be {MAX_OUTPUT_BYTES}")
        return value

    def _evaluate(self, values: Mapping[str, Any]) -> tuple[str, Any]:
        """Type and plain form of the answer."""
        data = {name: _given(values, name) for name in self._variables}
        for name, value in data.items():
            check_size(value, name)
        check_work(self._tree, data)
        answer = self._program.eval(data=data)
        kind, plain = answer.type().name(), answer.plain_value()
        if kind in {"ERROR", "UNKNOWN"}:
            raise ExpressionFailed(failure_words(str(plain)) + keys_there(self._tree, data, str(plain)))
        return kind, plain


def compile_expression(
    text: str, scope: Scope, steps: frozenset[str] = frozenset(), *, gives: Gives = Gives.TRUTH
) -> Expression:
    """Read, resolve and type-check an expression. `steps`: the names of the steps that there are.

    Raises ExpressionFault.
    """
    return _compile(text, scope, steps, gives)


@lru_cache(maxsize=_CACHED)
def _compile(text: str, scope: Scope, steps: frozenset[str], gives: Gives) -> Expression:
    if len(text) > MAX_LENGTH:
        raise ExpressionFault(f"too long: {len(text)} characters, and there may be {MAX_LENGTH}")
    if not text.strip():
        raise ExpressionFault("there is nothing in it; write an expression, or take the field out")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ExpressionFault("there are characters in it that are not Unicode")
    resolved = resolve(text, tree_of(_compiled(text, {}, check=False).serialize()), scope, steps)
    program = _compiled(resolved.text, resolved.types, check=True)
    kind = program.return_type().name()
    if gives is Gives.TRUTH and kind not in {"BOOL", "DYN"}:
        raise ExpressionFault(f"must give true or false, and gives {type_words(kind)}; compare it with something")
    if gives is Gives.VALUE and kind in _NO_JSON:
        raise ExpressionFault(_no_json(kind))
    return Expression(text, resolved.steps, tuple(sorted(resolved.types)), resolved.tree, program)


@lru_cache(maxsize=64)
def _environment(types: tuple[tuple[str, str], ...]) -> Any:
    """Where only these variables exist. The first one loads the library."""
    from cel_expr_python import cel

    return cel.NewEnv(variables={name: getattr(cel.Type, kind) for name, kind in types})


def _compiled(text: str, types: Mapping[str, str], *, check: bool) -> Any:
    """The library's expression; without `check` only parsed, whatever its names are."""
    try:
        return _environment(tuple(sorted(types.items()))).compile(text, disable_check=not check)
    except _LIBRARY_ERRORS as error:
        raise ExpressionFault(fault_words(str(error))) from error


@contextmanager
def _failing() -> Iterator[None]:
    try:
        yield
    except TooMuch as error:
        raise ExpressionFailed(str(error)) from error
    except _LIBRARY_ERRORS as error:
        raise ExpressionFailed(failure_words(str(error))) from error


def _given(values: Mapping[str, Any], name: str) -> Any:
    value: Any = values
    for part in name.split("."):
        if not isinstance(value, Mapping) or part not in value:
            raise ExpressionFailed(f"there is no {name} yet")
        value = value[part]
    return value


def _json(plain: Any) -> Any:
    match plain:
        case None | bool() | int() | float() | str():
            return plain
        case list():
            return [_json(item) for item in plain]
        case dict() if all(isinstance(key, str) for key in plain):
            return {key: _json(item) for key, item in plain.items()}
    raise ExpressionFailed("there is something in what it gives that JSON does not have; write string(...) around it")


def _bytes(value: Any) -> bytes:
    try:
        return canonical(value)
    except ValueError as error:
        raise ExpressionFailed(f"it gives a number that JSON does not have: {error}") from error


def _no_json(kind: str) -> str:
    return f"gives {type_words(kind)}, which JSON does not have; write string(...) around it"
