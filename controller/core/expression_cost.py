"""How much work an expression can be for the values it is given: an upper bound, found without evaluating it.

The CEL library limits iterations only. What one iteration does (compare two long lists) and how values grow (pairs of
pairs of pairs) it does not limit, and while it evaluates nothing else runs. So the tree is walked once with `Shape`s
in place of values: all the values that a place can have, of which the biggest counts. A loop counts its body as often
as its longest list is long. This never decides what an expression gives, only whether it is evaluated at all.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import Any

from controller.core.expression_tree import Call, ListOf, Literal, Loop, MapOf, Name, Node, Select

MAX_WORK = 500_000
"""Units: one element compared, made or looped over, or 16 bytes of text copied. At worst about 0.3 us each."""
MAX_ITERATIONS = 10_000
"""The library's own limit, for all loops of an expression together."""
MAX_VALUES = 50_000
MAX_BYTES = 1_048_576
_UNIT = 16
_PATTERN = 160
"""Work of a regular expression per unit of text and unit of pattern, where it has to try all its parts side by side."""
_MOST_REPEATED = 1_000
"""How often a regular expression may repeat a part, nested ones together: the library's own limit."""


class TooMuch(ValueError):
    """It cannot be evaluated over these values: too many, too big, or no JSON. A sentence for people."""


def check_size(value: Any, path: str) -> None:
    """Raises TooMuch with `path` if a value is too big, or no JSON."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        size = len(text.encode())
    except (ValueError, TypeError, RecursionError) as error:
        raise TooMuch(f"{path} is not JSON: {error}"[:300]) from error
    values = text.count(",") + text.count(":") + 1
    if size > MAX_BYTES or values > MAX_VALUES:
        raise TooMuch(
            f"{path} is too big: about {values} values, {size} bytes; there may be {MAX_VALUES} and {MAX_BYTES}"
        )


def check_work(tree: Node, values: Mapping[str, Any]) -> None:
    """Raises TooMuch if evaluating the tree and reading its result could be more than MAX_WORK.

    `values`: JSON by the name of the variable.
    """
    work = _Work()
    work.spend(work.shape(tree, {name: Shape([value]) for name, value in values.items()}).size)


@dataclass(frozen=True)
class _Made:
    """A value that the expression makes: a text, a list of `element`s, or a map with these `fields`."""

    own: int
    size: int
    length: int = 0
    element: "Shape | None" = None
    fields: Mapping[str, "Shape"] | None = None


class Shape:
    """All the values that a place in an expression can have: JSON as it was given, and what is made."""

    def __init__(self, values: Iterable[Any]) -> None:
        self._values = list(values)
        self._fields: dict[str, Shape] = {}

    @cached_property
    def own(self) -> int:
        """Units of the longest text."""
        return max(map(_own, self._values), default=1)

    @cached_property
    def size(self) -> int:
        """Units of the biggest value with everything in it, as often as it is in it."""
        return max(map(_size, self._values), default=1)

    @cached_property
    def length(self) -> int:
        """Elements of the longest list or map."""
        return max(map(_length, self._values), default=0)

    @cached_property
    def looped(self) -> "Shape":
        """What a loop is given one by one: elements of lists, keys of maps."""
        return Shape(element for value in self._values for element in _elements(value))

    @cached_property
    def part(self) -> "Shape":
        """What an index can give: elements of lists, values of maps."""
        return Shape(part for value in self._values for part in _parts(value))

    def field(self, name: str) -> "Shape":
        """A field of the maps. Nothing where it is in none of them: asking for it ends the evaluation."""
        if name not in self._fields:
            self._fields[name] = Shape(found for value in self._values for found in _field(value, name))
        return self._fields[name]

    def or_else(self, other: "Shape") -> "Shape":
        """The values of both, each once."""
        return Shape({id(value): value for value in (*self, *other)}.values())

    def __len__(self) -> int:
        """How many different values there may be."""
        return len(self._values)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._values)


SCALAR = Shape([])


@dataclass
class _Work:
    done: int = 0
    times: int = 1
    """How often what is looked at now is evaluated."""
    grown: dict[str, Shape] = field(default_factory=dict)
    """By accumulator: what a loop adds to its list each time."""

    def spend(self, units: int) -> None:
        self.done += units * self.times
        if self.done > MAX_WORK:
            raise TooMuch(
                "it could be too much work for the values that it reads; compare less, or loop over less or in fewer "
                "loops inside of each other"
            )

    def shape(self, node: Node, shapes: Mapping[str, Shape]) -> Shape:
        self.spend(1)
        found = self._shape(node, shapes)
        self.done += len(found) // 4  # finding the bound is work, too
        return found

    def _shape(self, node: Node, shapes: Mapping[str, Shape]) -> Shape:
        match node:
            case Literal():
                return Shape([node.value])
            case Name():
                return shapes[node.name]
            case Select():
                operand = self.shape(node.operand, shapes)
                return SCALAR if node.test else operand.field(node.field)
            case ListOf():
                return _listed([self.shape(item, shapes) for item in node.items])
            case MapOf():
                return _mapped({_text(key): self.shape(value, shapes) for key, value in node.entries})
            case Loop():
                return self._loop(node, shapes)
            case Call():
                return self._call(node.function, node.args, shapes)

    def _loop(self, node: Loop, shapes: Mapping[str, Shape]) -> Shape:
        over = self.shape(node.over, shapes)
        start = self.shape(node.start, shapes)
        outside, count = self.times, min(over.length, MAX_ITERATIONS)
        self.times = outside * max(count, 1)
        inside = {**shapes, node.variable: over.looped, node.accumulator: SCALAR}
        self.shape(node.condition, inside)
        self.shape(node.step, inside)
        self.times = outside
        self.shape(node.result, inside)
        added = self.grown.pop(node.accumulator, None)
        return start if added is None else _list_of(added, count, 1 + count * added.size)

    def _call(self, function: str, args: tuple[Node, ...], shapes: Mapping[str, Shape]) -> Shape:
        given = [self.shape(arg, shapes) for arg in args]
        match function:
            case "_+_":
                return self._added(args, *given)
            case "_?_:_":
                return given[1].or_else(given[2])
            case "_[_]":
                name = _text(args[1])
                return given[0].field(name) if name else given[0].part
            case "_==_" | "_!=_":
                self.spend(min(given[0].size, given[1].size))
            case "@in":
                self.spend(given[0].own + given[1].length * min(given[0].size, given[1].looped.size))
            case "matches":
                self.spend(given[0].own * _pattern(args[1], given[1]) * _PATTERN)
            case "contains":
                self.spend(given[0].own * (1 + given[1].own // _UNIT))
            case "dyn":
                return given[0]
            case "string":
                return _text_of(given[0].own + 4)
            case _:
                self.spend(sum(shape.own for shape in given))
        return SCALAR

    def _added(self, args: tuple[Node, ...], one: Shape, other: Shape) -> Shape:
        if isinstance(args[0], Name) and args[0].name.startswith("@") and isinstance(args[1], ListOf):
            self.grown[args[0].name] = other.part  # how a loop makes its list, which is not copied each time
            return SCALAR
        self.spend(one.own + other.own + one.length + other.length)
        both = one.part.or_else(other.part)
        made = _Made(one.own + other.own, one.size + other.size, one.length + other.length, both)
        return Shape([made])


def _listed(items: list[Shape]) -> Shape:
    element = SCALAR
    for item in items:
        element = element.or_else(item)
    return _list_of(element, len(items), 1 + sum(item.size for item in items))


def _list_of(element: Shape, length: int, size: int) -> Shape:
    return Shape([_Made(1, size, length, element)])


def _mapped(fields: Mapping[str, Shape]) -> Shape:
    size = 1 + sum(_own(key) + value.size for key, value in fields.items())
    return Shape([_Made(1, size, len(fields), None, fields)])


def _text_of(units: int) -> Shape:
    return Shape([_Made(units, units)])


def _own(value: Any) -> int:
    match value:
        case str() | bytes():
            return 1 + len(value) // _UNIT
        case _Made():
            return value.own
    return 1


def _size(value: Any) -> int:
    match value:
        case str() | bytes():
            return 1 + len(value) // _UNIT
        case _Made():
            return value.size
        case list():
            return 1 + sum(map(_size, value))
        case dict():
            return 1 + sum(map(_size, value)) + sum(map(_size, value.values()))
    return 1


def _length(value: Any) -> int:
    match value:
        case _Made():
            return value.length
        case list() | dict():
            return len(value)
    return 0


def _elements(value: Any) -> Iterable[Any]:
    match value:
        case _Made():
            return value.fields if value.fields is not None else value.element or ()
        case list() | dict():
            return value
    return ()


def _parts(value: Any) -> Iterable[Any]:
    match value:
        case _Made():
            if value.fields is None:
                return _elements(value)
            return (part for shape in value.fields.values() for part in shape)
        case dict():
            return value.values()
    return _elements(value)


def _field(value: Any, name: str) -> Iterable[Any]:
    match value:
        case _Made():
            return (value.fields or {}).get(name, ())
        case dict() if name in value:
            return (value[name],)
    return ()


def _pattern(node: Node, shape: Shape) -> int:
    """Units of a regular expression with its repetitions written out."""
    pattern = _text(node)
    repeated = prod(max(1, int(count)) for count in re.findall(r"(\d{1,4})\}", pattern)) if pattern else _MOST_REPEATED
    return shape.own * min(repeated, _MOST_REPEATED)


def _text(node: Node | None) -> str:
    return node.value if isinstance(node, Literal) and isinstance(node.value, str) else ""
