"""An expression's syntax tree, read from the form in which the CEL library hands it out.

The library parses; this reads what it parsed, so that there is no second grammar. The form is the protobuf message
`cel.expr.ParsedExpr` (github.com/google/cel-spec, proto/cel/expr/syntax.proto) inside a `google.protobuf.Any`; the
field numbers below are from there. Macros are expanded: `all`, `exists`, `exists_one`, `map` and `filter` are `Loop`s.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TypeAlias


class ExpressionFault(ValueError):
    """What is wrong with an expression as it was written, where, and how to mend it: one sentence for people."""


class NoSuchStep(ExpressionFault):
    """A step is named that there is not."""

    def __init__(self, where: str, step: str, known: Iterable[str]) -> None:
        self.where, self.step = where, step
        super().__init__(self.offering(known))

    def offering(self, steps: Iterable[str]) -> str:
        """The same, with those that may stand there instead."""
        names = sorted(steps)
        near = get_close_matches(self.step, names, 1)
        others = f"there are: {', '.join(names)}" if names else "nor any that comes before this one"
        return f"{self.where}: there is no step {self.step}; {f'did you mean {near[0]}?' if near else others}"


@dataclass(frozen=True)
class Literal:
    at: int
    value: str | bytes | None
    """None for numbers, booleans and null: nobody asks which."""


@dataclass(frozen=True)
class Name:
    at: int
    name: str


@dataclass(frozen=True)
class Select:
    """`operand.field`; with `test`, `has(operand.field)`."""

    at: int
    operand: "Node"
    field: str
    test: bool


@dataclass(frozen=True)
class Call:
    """A function or an operator (`_+_`, `_[_]`); what it is called on is the first of `args`."""

    at: int
    function: str
    args: tuple["Node", ...]


@dataclass(frozen=True)
class ListOf:
    at: int
    items: tuple["Node", ...]


@dataclass(frozen=True)
class MapOf:
    """A map, or with `message` a protobuf message, which has no keys."""

    at: int
    message: str
    entries: tuple[tuple["Node | None", "Node"], ...]


@dataclass(frozen=True)
class Loop:
    """A macro over the elements of a list or the keys of a map."""

    at: int
    variable: str
    over: "Node"
    accumulator: str
    """A name that nobody can write (`@result`)."""
    start: "Node"
    condition: "Node"
    step: "Node"
    result: "Node"


Node: TypeAlias = Literal | Name | Select | Call | ListOf | MapOf | Loop
"""`at` is where it stands in the text, counted in characters from 0: of a `Select` the dot, of a `Call` its operator or
opening bracket."""


def tree_of(serialized: bytes) -> Node:
    """The tree of a serialized expression. Raises ExpressionFault for a form that is not known here."""
    parsed = _Message(_Message(serialized).message(2))
    at = {}
    for entry in _Message(parsed.message(3)).messages(4):
        position = _Message(entry)
        at[position.number(1)] = position.number(2)
    return _node(_Message(parsed.message(2)), at)


def place(text: str, at: int) -> str:
    """`line 1, column 5`, for a position in the text."""
    before = text[: max(at, 0)]
    return f"line {before.count(chr(10)) + 1}, column {len(before) - before.rfind(chr(10))}"


def _node(expr: "_Message", positions: dict[int, int]) -> Node:
    at = positions.get(expr.number(2), 0)

    def child(message: _Message, number: int) -> Node:
        return _node(_Message(message.message(number)), positions)

    kind, body = expr.only(range(3, 10))
    match kind:
        case 3:
            return Literal(at, _constant(body))
        case 4:
            return Name(at, body.text(1))
        case 5:
            return Select(at, child(body, 1), body.text(2), bool(body.number(3)))
        case 6:
            args = [_node(_Message(arg), positions) for number in (1, 3) for arg in body.messages(number)]
            return Call(at, body.text(2), tuple(args))
        case 7:
            return ListOf(at, tuple(_node(_Message(item), positions) for item in body.messages(1)))
        case 8:
            entries = [_Message(entry) for entry in body.messages(2)]
            pairs = tuple((child(entry, 3) if entry.has(3) else None, child(entry, 4)) for entry in entries)
            return MapOf(at, body.text(1), pairs)
        case _ if not body.has(8):
            over, start, condition, step, result = (child(body, number) for number in (2, 4, 5, 6, 7))
            return Loop(at, body.text(1), over, body.text(3), start, condition, step, result)
    raise ExpressionFault("loops with two variables are not known here; use one")


def _constant(body: "_Message") -> str | bytes | None:
    if body.has(6):
        return body.text(6)
    return body.message(7) if body.has(7) else None


class _Message:
    """A protobuf message in its wire form (protobuf.dev/programming-guides/encoding)."""

    def __init__(self, data: bytes) -> None:
        self._fields = list(_fields(data))

    def has(self, number: int) -> bool:
        return any(found == number for found, _ in self._fields)

    def number(self, number: int) -> int:
        """A number; 0 if it is absent, as protobuf leaves zeros out."""
        return next((value for found, value in self._fields if found == number and isinstance(value, int)), 0)

    def messages(self, number: int) -> list[bytes]:
        return [value for found, value in self._fields if found == number and isinstance(value, bytes)]

    def message(self, number: int) -> bytes:
        return next(iter(self.messages(number)), b"")

    def text(self, number: int) -> str:
        return self.message(number).decode()

    def only(self, numbers: range) -> tuple[int, "_Message"]:
        """The one field of a union. Raises ExpressionFault if there is none."""
        for number, value in self._fields:
            if number in numbers and isinstance(value, bytes):
                return number, _Message(value)
        raise ExpressionFault("there is a part in it that is not known here; write it in another way")


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        match key & 7:
            case 0:
                value, at = _varint(data, at)
                yield key >> 3, value
            case 2:
                length, at = _varint(data, at)
                yield key >> 3, data[at : at + length]
                at += length
            case wire:
                length = 8 if wire == 1 else 4
                yield key >> 3, data[at : at + length]
                at += length


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at
