"""What a case of the catalogue is: one action type, what it acts on, and how its effect is seen without asking it.

The tests play it: tests/e2e/test_catalogue.py on a quiet operator, tests/faults/test_fault_catalogue.py on one that is
killed, tests/e2e/test_action_examples.py with the example as it stands.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from controller.actions.about import Right
from controller.actions.base import Action
from controller.actions.registry import built_ins
from controller.runtime.clock import utc_now
from hack.action_pages import example
from hack.hook_target import HookTarget
from harness.objects import Objects
from localcluster.errors import RequestFailed

Json = dict[str, Any]
REGISTRY = built_ins(utc_now)
SECONDS = 30.0


@dataclass(frozen=True)
class Scene:
    """One run of a case. `name` is that of the proposal and of what it acts on."""

    objects: Objects
    name: str
    hook: HookTarget
    log: Callable[[], str]
    """The operator's."""

    @property
    def namespace(self) -> str:
        return self.objects.namespace

    def get(self, api_version: str, kind: str) -> Any:
        """The object with the run's name."""
        return self.objects.get(api_version, kind, self.name)


def soon(look: Callable[[], Any], wanted: Any, what: str, *, seconds: float = SECONDS) -> None:
    """Returns when it is so. What is not there yet is waited for too."""
    deadline = time.monotonic() + seconds
    found: Any = None
    while True:
        try:
            found = look()
        except RequestFailed as error:
            found = error
        if found == wanted:
            return
        assert time.monotonic() < deadline, f"{what}: {found!r}, not {wanted!r}, after {seconds:g} s"
        time.sleep(0.1)


def nothing(name: str) -> tuple[Json, ...]:
    """No objects."""
    return ()


def nothing_to_see(scene: Scene) -> None:
    """For effects that leave nothing outside the proposal."""


@dataclass(frozen=True)
class Case:
    """One action type. The harness sees to it that the runner has the rights of its page and no others."""

    action: str
    look: Callable[[Scene], Any] = nothing_to_see
    """What of the world it changes, read past the operator."""
    before: Any = None
    """What `look` gives before; it is waited for. Also after the undo."""
    after: Any = None
    """What `look` gives once it has succeeded."""
    objects: Callable[[str], tuple[Json, ...]] = nothing
    """What there is first, for a run of that name; without a namespace."""
    prepare: Callable[[Scene], None] = nothing_to_see
    """What is done to them before."""
    target: str = "checkout"
    """The word of the example that names what it acts on: the run's name takes its place."""
    parameters: Callable[[Scene], Json] | None = None
    """Instead of those of the example."""
    outputs: Mapping[str, Any] = field(default_factory=dict)
    """Among the proposal's."""
    undone: Any = None
    """What `look` gives after the undo, where that is not `before`."""
    bad: Mapping[str, Any] = field(default_factory=dict)
    """Put over the parameters, it makes them bad."""
    faults: tuple[str, ...] = ()
    """What its message must then say, every one."""
    once: bool = False
    """Never repeated with these parameters: it may end Unknown."""
    effects: int = 1
    """How many different writes of the runner it takes; 0 where the effect is none."""
    calls: int = 0
    """How many requests leave the cluster, for the path `/NAME`."""
    rights: tuple[Right, ...] = ()
    """Beside those of its page, for the kinds that the parameters name."""
    conditional: bool = False
    """Whether its parameters need the rights that the page says are needed only sometimes."""
    policy: Mapping[str, Any] = field(default_factory=dict)
    """Spec of a policy that lets it, beside `mode: Execute`."""
    answer: Any = None
    """What somebody else answers, where it asks."""
    instead: str = ""
    """Where played nodes cannot play it: what is tested instead."""

    def __str__(self) -> str:
        return self.action

    @property
    def type(self) -> Action[Any]:
        return REGISTRY[self.action]

    def needed(self, *, all_of_page: bool) -> tuple[Right, ...]:
        """The rights of the page, those that are needed only sometimes only if asked for or if needed here."""
        page = self.type.about.rights
        return (*(right for right in page if all_of_page or self.conditional or not right.optional), *self.rights)

    def spec(self, scene: Scene, **changes: Any) -> Json:
        """The spec of the example, about this run."""
        spec: Json = yaml.safe_load(example(self.action))["spec"]
        if self.parameters:
            spec["parameters"] = self.parameters(scene)
        else:
            spec["parameters"] = renamed(spec.get("parameters", {}), self.target, scene.name)
        return spec | {"serviceAccountName": scene.name} | changes


def renamed(value: Any, old: str, new: str) -> Any:
    """The value with every text that is exactly `old` replaced."""
    if isinstance(value, dict):
        return {key: renamed(item, old, new) for key, item in value.items()}
    if isinstance(value, list):
        return [renamed(item, old, new) for item in value]
    return new if value == old else value
