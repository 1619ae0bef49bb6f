"""Custom types to be run while writes fail: one of each executor, made anew for each case."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

from harness.catalogue.case import Scene
from harness.stage import API, deployment, proposal
from workloads import RETRY

Json = dict[str, Any]
NAMED = {"type": "string", "maxLength": 63, "fixed": True}


@dataclass(frozen=True)
class OfCustomType:
    """An action of a custom type with one parameter, which names what it acts on."""

    name: str
    effects: int = 1
    calls: int = 0
    parameter: str = "name"
    ends: ClassVar[Mapping[str, str]] = {}
    undone: ClassVar[int] = 0

    @contextmanager
    def set_up(self, scene: Scene) -> Iterator[list[Json]]:
        made = action_type(scene.name, self.parameter, executor(self.name, scene), idempotent=self.calls > 0)
        scene.objects.create(made)
        try:
            objects = [deployment(scene.name, 1)] if self.name == "custom-patch" else []
            yield [*objects, proposal(scene.name, scene.name, {self.parameter: scene.name}, retry=RETRY)]
        finally:
            scene.objects.delete(made)

    def check(self, scene: Scene, proposals: Sequence[Json]) -> None:
        """As wanted; after an Unknown it may be as before."""
        if self.name == "custom-patch" and proposals[0]["status"]["outcome"] == "Succeeded":
            annotations = scene.get("apps/v1", "Deployment")["metadata"]["annotations"]
            assert annotations["example.com/case"] == scene.name
            operation = proposals[0]["status"]["attempts"][-1]["operation"]
            assert annotations["actionoperator.dev/operation"] == operation


def action_type(name: str, parameter: str, runs: Json, *, idempotent: bool) -> Json:
    return {
        "apiVersion": API, "kind": "ActionType", "metadata": {"name": name},
        "spec": {
            "description": "One of the cases.", "risk": "Low", "idempotent": idempotent, "executor": runs,
            "parameters": {"type": "object", "required": [parameter], "properties": {parameter: NAMED}},
        },
    }  # fmt: skip


def executor(kind: str, scene: Scene) -> Json:
    if kind == "custom-http":
        place = {"fromParameter": "path"}
        return {"http": {"method": "PUT", "url": scene.hook.url, "path": [place], "body": {"case": place}}}
    place = {"fromParameter": "name"}
    if kind == "custom-job":
        container = {"name": "main", "image": "registry.example/tool:1", "env": [{"name": "CASE", "value": place}]}
        return {"job": {"template": {"spec": {"template": {"spec": {"containers": [container]}}}}}}
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": place}
    patch = {"metadata": {"annotations": {"example.com/case": place}}}
    return {"patch": {"target": target, "type": "merge", "patch": patch}}


AT_MOST_ONCE = ("-custom-job", "-custom-patch")
CUSTOM = (
    OfCustomType("custom-http", effects=0, calls=1, parameter="path"),
    OfCustomType("custom-job"),
    OfCustomType("custom-patch"),
)
