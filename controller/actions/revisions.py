"""The revisions of a workload that its controller keeps: ReplicaSets of a Deployment, else ControllerRevisions.

Source of the rules: `kubectl rollout history` and `kubectl rollout undo` (k8s.io/kubectl, polymorphichelpers).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from controller.actions.base import cut
from controller.actions.workloads import WORKLOADS
from controller.core.ports import Cluster, Json, Resource

CONTROLLER_REVISIONS = Resource("apps", "v1", "controllerrevisions", "ControllerRevision")
NUMBER = "deployment.kubernetes.io/revision"
_HASH = "pod-template-hash"


@dataclass(frozen=True)
class Revision:
    """One version of the pod template. The number becomes the newest when it is rolled back to."""

    number: int
    template: Json

    def __str__(self) -> str:
        """`revision 3 (main registry.example/app:2)`."""
        return cut(f"revision {self.number} ({', '.join(f'{name} {image}' for name, image in images(self.template))})")


async def history(cluster: Cluster, workload: Json) -> tuple[Revision, ...]:
    """Its revisions, oldest first."""
    owned = workload["metadata"]["uid"]
    resource = WORKLOADS["ReplicaSet"] if workload["kind"] == "Deployment" else CONTROLLER_REVISIONS
    listed = await cluster.list(resource, label_selector=selector(workload["spec"]["selector"]))
    mine = [
        found for found in listed if any(owner["uid"] == owned and owner.get("controller") for owner in _owners(found))
    ]
    return tuple(sorted(_revisions(mine), key=lambda revision: revision.number))


def selector(label_selector: Json) -> str:
    """A LabelSelector as a query."""
    parts = [f"{key}={value}" for key, value in (label_selector.get("matchLabels") or {}).items()]
    for expression in label_selector.get("matchExpressions") or ():
        key, values = expression["key"], ",".join(expression.get("values") or ())
        match expression["operator"]:
            case "In":
                parts.append(f"{key} in ({values})")
            case "NotIn":
                parts.append(f"{key} notin ({values})")
            case "Exists":
                parts.append(key)
            case _:
                parts.append(f"!{key}")
    return ",".join(parts)


def images(template: Json) -> Iterator[tuple[str, str]]:
    """Name and image of each container, init containers first."""
    for kind in ("initContainers", "containers"):
        for container in template["spec"].get(kind) or ():
            yield container["name"], container.get("image", "")


def _revisions(found: list[Json]) -> Iterator[Revision]:
    for item in found:
        if "revision" in item:
            template = {key: value for key, value in item["data"]["spec"]["template"].items() if key != "$patch"}
            yield Revision(int(item["revision"]), template)
        elif number := (item["metadata"].get("annotations") or {}).get(NUMBER):
            yield Revision(int(number), _without_hash(item["spec"]["template"]))


def _without_hash(template: Json) -> Json:
    metadata: dict[str, Any] = dict(template.get("metadata") or {})
    metadata["labels"] = {key: value for key, value in (metadata.get("labels") or {}).items() if key != _HASH}
    return {**template, "metadata": metadata}


def _owners(found: Json) -> list[Json]:
    return list(found["metadata"].get("ownerReferences") or ())
