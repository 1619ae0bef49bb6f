"""What is run while writes fail: each workload sets one case up, and checks what came of it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from harness.catalogue.case import Case, Scene
from harness.catalogue.playing import check_effect, playing, proposal_of
from harness.stage import deployment, proposal, workflow

from hack.hook_target import HookTarget

Json = dict[str, Any]

RETRY = {"maxAttempts": 5, "minWaitSeconds": 0.1, "maxWaitSeconds": 0.2}


class Workload(Protocol):
    """`effects`: how many different writes of the runner it takes; `calls`: how many requests leave the cluster."""

    name: str
    effects: int
    calls: int
    ends: Mapping[str, str]
    """How it ends, and its steps by name, where that is not Succeeded; its own end by the name ''."""
    undone: int
    """How many steps are taken back."""

    def set_up(self, scene: Scene) -> AbstractContextManager[list[Json]]:
        """What is to be created; the last one is what is run. What else it takes is there until left."""

    def check(self, scene: Scene, proposals: Sequence[Json]) -> None:
        """What it changed is as wanted. Raises AssertionError."""


@dataclass(frozen=True)
class OfCatalogue:
    """A case of the catalogue. Its runner has only the rights that the type cannot do without."""

    case: Case
    ends: ClassVar[Mapping[str, str]] = {}
    undone: ClassVar[int] = 0

    @property
    def name(self) -> str:
        return self.case.action

    @property
    def effects(self) -> int:
        return self.case.effects

    @property
    def calls(self) -> int:
        return self.case.calls

    @contextmanager
    def set_up(self, scene: Scene) -> Iterator[list[Json]]:
        with playing(scene, self.case, self.case.needed(all_of_page=False)):
            yield [proposal_of(scene, self.case, retry=RETRY)]

    def check(self, scene: Scene, proposals: Sequence[Json]) -> None:
        """As wanted; after an Unknown it may be as before."""
        if proposals[0]["status"]["outcome"] == "Succeeded":
            check_effect(scene, self.case, proposals[0]["status"])


@dataclass(frozen=True)
class Swept:
    """One whose every write is failed. `writes`: how many there are when nothing fails."""

    name: str
    writes: int
    effects: int
    calls: int
    manifests: Callable[[str, HookTarget], list[Json]]
    """For a case of that name."""
    ends: Mapping[str, str] = field(default_factory=dict)
    undone: int = 0

    @contextmanager
    def set_up(self, scene: Scene) -> Iterator[list[Json]]:
        yield self.manifests(scene.name, scene.hook)

    def check(self, scene: Scene, proposals: Sequence[Json]) -> None:
        """Its Deployment, if it has one, is as the last change wanted it, and was changed once by each."""
        done = sorted(proposals, key=lambda raw: raw["status"]["completedAt"])
        changes = [p for raw in done if (p := raw["spec"]["parameters"]).get("kind") == "Deployment"]
        if changes:
            found = scene.get("apps/v1", "Deployment")
            assert found["spec"]["replicas"] == changes[-1].get("replicas", 1), "its replicas are not as wanted"
            assert found["metadata"]["generation"] == 1 + len(changes), "its spec was changed more often than once each"


def retried(name: str, hook: HookTarget) -> list[Json]:
    """An idempotent call whose first answer is lost."""
    parameters = {"method": "PUT", "url": hook.script(f"/{name}", [503]), "body": {"case": name}}
    return [proposal(name, "http-request", parameters, retry=RETRY)]


def scale(name: str, hook: HookTarget) -> list[Json]:
    parameters = {"kind": "Deployment", "name": name, "replicas": 2}
    return [deployment(name, 1), proposal(name, "scale-workload", parameters, retry=RETRY)]


def post(name: str, hook: HookTarget) -> list[Json]:
    """At most once."""
    parameters = {"method": "POST", "url": f"{hook.url}/{name}", "body": {"case": name}}
    return [proposal(name, "http-request", parameters, retry=RETRY)]


def restart(name: str, hook: HookTarget) -> list[Json]:
    parameters = {"kind": "Deployment", "name": name}
    return [deployment(name, 1), proposal(name, "restart-rollout", parameters, retry=RETRY)]


def job(name: str, hook: HookTarget) -> list[Json]:
    """At most once, at the API server."""
    return [proposal(name, "run-job", {"image": "registry.example/tool:1"}, retry=RETRY)]


def three_steps(name: str, hook: HookTarget) -> list[Json]:
    steps = [
        {"name": "tell", "action": "log-message", "parameters": {"message": name}},
        {
            "name": "scale",
            "action": "scale-workload",
            "parameters": {"kind": "Deployment", "name": name, "replicas": 2},
        },
        {"name": "call", "action": "http-request", "parameters": {"method": "PUT", "url": f"{hook.url}/{name}"}},
    ]
    return [deployment(name, 1), workflow(name, steps, retry=RETRY)]


def taken_back(name: str, hook: HookTarget) -> list[Json]:
    """A step that the target refuses for good, so that the one before it is taken back; then a finally step."""
    url = hook.script(f"/{name}", [400] * 20)
    steps = [
        {
            "name": "scale",
            "action": "scale-workload",
            "parameters": {"kind": "Deployment", "name": name, "replicas": 2},
        },
        {"name": "refused", "action": "http-request", "parameters": {"method": "PUT", "url": url}},
    ]
    tidy = [{"name": "tidy", "action": "log-message", "parameters": {"message": name}}]
    return [deployment(name, 1), workflow(name, steps, retry=RETRY, onFailure="Rollback", **{"finally": tidy})]


WORKLOADS = (
    Swept("retried", 7, 0, 2, retried),
    Swept("scale", 5, 1, 0, scale),
    Swept("restart", 5, 1, 0, restart),
    Swept("post", 4, 0, 1, post),
    Swept("job", 5, 1, 0, job),
    Swept("steps", 22, 1, 1, three_steps),
    Swept("taken-back", 30, 2, 1, taken_back, {"": "Failed", "refused": "Failed"}, undone=1),
)
