"""What the names in an expression stand for: variables, steps, functions; and what is wrong with one.

A step's values are variables of their own (`steps.drain.outcome`), with a type each; there is no variable `steps` that
could be passed on whole. `steps["roll-out"]` is put as ``steps.`roll-out` ``, which is as long, so that places stay.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches

from controller.core.expression_tree import (
    Call,
    ExpressionFault,
    ListOf,
    Literal,
    Loop,
    MapOf,
    Name,
    Node,
    NoSuchStep,
    Select,
    place,
)  # fmt: skip

STEPS = "steps"
STEP_FIELDS: Mapping[str, str] = {"outcome": "STRING", "retryCount": "INT", "outputs": "DYN"}
"""What every step has, and its CEL type."""

OPERATORS = frozenset({
    "_?_:_", "_&&_", "_||_", "!_", "_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_", "_+_", "_-_", "_*_", "_/_", "_%_",
    "-_", "_[_]", "@in", "@not_strictly_false",
})  # fmt: skip
FUNCTIONS = frozenset({
    "bool", "contains", "double", "duration", "dyn", "endsWith", "getDate", "getDayOfMonth", "getDayOfWeek",
    "getDayOfYear", "getFullYear", "getHours", "getMilliseconds", "getMinutes", "getMonth", "getSeconds", "int",
    "matches", "size", "startsWith", "string", "timestamp",
})  # fmt: skip
"""The functions there are. The bound on work (expression_cost) knows each."""
MACROS = ("all", "exists", "exists_one", "filter", "has", "map")
_INDEX = re.compile(r"\[(\s*)([\"'])([^\"'\\]*)\2(\s*)\]")


@dataclass(frozen=True, eq=False)
class Scope:
    """The variables of one place where expressions stand."""

    variables: Mapping[str, str]
    """Name (a dot is part of it: `workflow.name`) to CEL type."""
    steps: bool = False
    """Whether there are steps."""

    def spaces(self) -> dict[str, list[str]]:
        """Names before a dot that are no variables themselves, with what comes after it."""
        found: dict[str, list[str]] = {STEPS: []} if self.steps else {}
        for name in self.variables:
            space, dot, rest = name.partition(".")
            if dot:
                found.setdefault(space, []).append(rest)
        return found


@dataclass(frozen=True)
class Resolved:
    """An expression whose names are known."""

    tree: Node
    """Variables are `Name`s with their whole name."""
    text: str
    """As long as what was written, without `steps["..."]`."""
    types: Mapping[str, str]
    """The variables that it reads, with their CEL types."""
    steps: frozenset[str]
    """The steps that it reads."""


def resolve(text: str, tree: Node, scope: Scope, steps: Iterable[str]) -> Resolved:
    """Raises ExpressionFault for a name that stands for nothing, and for a use that could hide what is read."""
    names = _Names(text, scope, frozenset(steps))
    resolved = names.value(tree, frozenset())
    return Resolved(resolved, "".join(names.written), names.types, frozenset(names.steps_read))


@dataclass(frozen=True)
class _Space:
    """A name before a dot that is no value yet: `steps`, `steps.drain`, `workflow`."""

    at: int
    path: str


@dataclass
class _Names:
    text: str
    scope: Scope
    steps: frozenset[str]
    types: dict[str, str] = field(default_factory=dict)
    steps_read: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.written = list(self.text)
        self.spaces = self.scope.spaces()

    def value(self, node: Node, bound: frozenset[str]) -> Node:
        """The node as a value, its names resolved."""
        found = self._visit(node, bound)
        if not isinstance(found, _Space):
            return found
        if found.path == STEPS:
            raise self._fault(found.at, "steps is no value itself; read one step by its name, like steps.drain.outcome")
        raise self._fault(found.at, f"{found.path} is no value itself; {self._parts(found.path)}")

    def _visit(self, node: Node, bound: frozenset[str]) -> Node | _Space:
        match node:
            case Literal():
                return node
            case Name():
                return node if node.name in bound else self._name(node)
            case Select():
                operand = self._visit(node.operand, bound)
                return self._part(operand, node) if isinstance(operand, _Space) else replace(node, operand=operand)
            case Call():
                return self._call(node, bound)
            case ListOf():
                return replace(node, items=tuple(self.value(item, bound) for item in node.items))
            case MapOf():
                return self._map(node, bound)
            case Loop():
                return self._loop(node, bound)

    def _name(self, node: Name) -> Node | _Space:
        name = node.name.removeprefix(".")
        if name in self.spaces:
            return _Space(node.at, name)
        if name in self.scope.variables:
            return self._variable(node.at, name, self.scope.variables[name])
        there_are = ", ".join(sorted({*self.spaces, *(name for name in self.scope.variables if "." not in name)}))
        near = _near(name, [*self.spaces, *self.scope.variables])
        raise self._fault(node.at, f"there is no variable {name}; {near or f'there are: {there_are}'}")

    def _part(self, space: _Space, node: Select) -> Node | _Space:
        if space.path == STEPS:
            return self._step(space.at, node.field)
        path, known = f"{space.path}.{node.field}", self._types(space.path)
        if node.field not in known:
            near = _near(node.field, known)
            raise self._fault(node.at, f"there is no {path}; {near or self._parts(space.path)}")
        if node.test:
            raise self._fault(
                node.at, f"{path} is always there; has() is for what is inside of it, like has({path}.name)"
            )
        if space.path.startswith(f"{STEPS}."):
            self.steps_read.add(space.path.removeprefix(f"{STEPS}."))
        return self._variable(space.at, path, known[node.field])

    def _step(self, at: int, step: str) -> _Space:
        if step not in self.steps:
            raise NoSuchStep(place(self.text, at), step, self.steps)
        return _Space(at, f"{STEPS}.{step}")

    def _variable(self, at: int, name: str, type_name: str) -> Name:
        self.types[name] = type_name
        return Name(at, name)

    def _call(self, node: Call, bound: frozenset[str]) -> Node | _Space:
        if node.function not in OPERATORS and node.function not in FUNCTIONS:
            near = _near(node.function, [*FUNCTIONS, *MACROS])
            there_are = f"there are: {', '.join(sorted([*FUNCTIONS, *MACROS]))}"
            raise self._fault(
                node.at - len(node.function), f"there is no function {node.function}; {near or there_are}"
            )
        if node.function == "_[_]":
            space = self._visit(node.args[0], bound)
            if isinstance(space, _Space):
                return self._indexed(space, node)
        return replace(node, args=tuple(self.value(arg, bound) for arg in node.args))

    def _indexed(self, space: _Space, node: Call) -> _Space:
        if space.path != STEPS:
            raise self._fault(node.at, f"{space.path} cannot be read with brackets; {self._parts(space.path)}")
        written = _INDEX.match(self.text, node.at)
        index = node.args[1]
        if not written or not isinstance(index, Literal) or index.value != written[3]:
            raise self._fault(
                node.at, 'in the brackets after steps stands the name of a step in quotes, like steps["roll-out"]'
            )
        step = self._step(space.at, written[3])
        self.written[written.start() : written.end()] = f".{written[1]}`{written[3]}`{written[4]} "
        return step

    def _map(self, node: MapOf, bound: frozenset[str]) -> Node:
        if node.message:
            raise self._fault(node.at, f"there is no type {node.message}; write a map, like {{'name': 1}}")
        for key, _ in node.entries:  # a key with the type of its value would double the type with every nested macro
            if not isinstance(key, Literal) or not isinstance(key.value, str):
                raise self._fault(key.at if key else node.at, "the keys of a map are texts in quotes")
        return replace(node, entries=tuple((key, self.value(value, bound)) for key, value in node.entries))

    def _loop(self, node: Loop, bound: frozenset[str]) -> Node:
        if node.variable in self.spaces or node.variable in self.scope.variables:
            raise self._fault(
                node.at, f"the variable of this loop has the name of another, {node.variable}; take another name for it"
            )
        inside = bound | {node.variable, node.accumulator}
        return replace(
            node,
            over=self.value(node.over, bound),
            start=self.value(node.start, bound),
            condition=self.value(node.condition, inside),
            step=self.value(node.step, inside),
            result=self.value(node.result, inside),
        )

    def _types(self, path: str) -> Mapping[str, str]:
        if path.startswith(f"{STEPS}."):
            return STEP_FIELDS
        return {rest: self.scope.variables[f"{path}.{rest}"] for rest in self.spaces[path]}

    def _parts(self, path: str) -> str:
        return f"it has: {', '.join(self._types(path))}"

    def _fault(self, at: int, message: str) -> ExpressionFault:
        return ExpressionFault(f"{place(self.text, at)}: {message}")


def _near(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, sorted(known), 1)
    return f"did you mean {near[0]}?" if near else ""
