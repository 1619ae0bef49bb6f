"""Action types of other packages, by entry points of the group `action_operator.actions`.

For who builds an image of their own: a package beside the operator in it brings an entry point whose name is that of
the type and whose value makes an `Action`. What cannot be loaded is told and left out; it stops no other. A name that
is taken stays with who has it: nothing that is installed can take the place of a built-in type.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from controller.actions.base import Action
from controller.actions.catalogue import parameters_schema
from controller.core.parameters import schema_fault

GROUP = "action_operator.actions"
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


@dataclass(frozen=True)
class Plugins:
    """What was found: the actions that work, and of each other why not, in words that name it."""

    actions: tuple[Action[Any], ...] = ()
    broken: tuple[str, ...] = ()


def installed() -> tuple[EntryPoint, ...]:
    """The entry points of the packages beside this one, by name."""
    return tuple(sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value)))


def load(points: Iterable[EntryPoint], taken: Collection[str]) -> Plugins:
    """Loads each. `taken`: names of the built-in types."""
    actions: dict[str, Action[Any]] = {}
    broken = []
    for point in points:
        try:
            actions[point.name] = _load(point, {*taken, *actions})
        except (Exception, SystemExit) as error:  # noqa: BLE001  whatever it is, it is this plug-in's alone
            package = f" of {point.dist.name} {point.dist.version}" if point.dist else ""
            said = str(error) or "no reason given"
            broken.append(f"plug-in {point.name}{package} ({point.value}) is left out: {type(error).__name__}: {said}")
    return Plugins(tuple(actions.values()), tuple(broken))


def _load(point: EntryPoint, taken: Collection[str]) -> Action[Any]:
    if not _NAME.fullmatch(point.name):
        raise ValueError("the entry point's name must be that of an ActionType: lower-case letters, digits and dashes")
    if point.name in taken:
        raise ValueError("there is a type of that name already; choose another")
    action = point.load()()
    if not isinstance(action, Action):
        raise TypeError(f"it must make a controller.actions.base.Action, and made {type(action).__name__}")
    if action.name != point.name:
        raise ValueError(f"its entry point must be named as the action: {action.name}")
    if fault := schema_fault(parameters_schema(action)):
        raise ValueError(fault)
    return action
