"""Cases of the types for objects of any kind."""

from collections.abc import Callable
from typing import Any
from unittest.mock import ANY

from harness.catalogue.case import Case, Json, Scene
from harness.stage import deployment

ALLOWED = {"kinds": {"allowed": ["apps/Deployment", "ConfigMap"]}}


def one_replica(name: str) -> tuple[Json, ...]:
    return (deployment(name, 1),)


def flags(name: str) -> tuple[Json, ...]:
    return ({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"gifts": "on"}},)


def key(field: str, name: str) -> Callable[[Scene], Any]:
    return lambda scene: scene.get("apps/v1", "Deployment")["metadata"].get(field, {}).get(name)


def progress_deadline(scene: Scene) -> Any:
    return scene.get("apps/v1", "Deployment")["spec"]["progressDeadlineSeconds"]


def data(scene: Scene) -> Any:
    return scene.get("v1", "ConfigMap")["data"]


def is_there(scene: Scene) -> bool:
    return scene.objects.find("v1", "ConfigMap", scene.name) is not None


CASES = (
    Case(
        "label-resource",
        objects=one_replica,
        look=key("labels", "example.com/freeze"),
        after="true",
        policy=ALLOWED,
        conditional=True,
        outputs={"previous": ANY},
        bad={"set": {"a b": "c"}},
        faults=("parameters.set: 'a b' is not a valid key",),
    ),
    Case(
        "annotate-resource",
        objects=one_replica,
        look=key("annotations", "example.com/owner"),
        after="team checkout",
        policy=ALLOWED,
        conditional=True,
        bad={"set": {"kubernetes.io/change-cause": "c"}},
        faults=("kubernetes.io/change-cause is reserved for Kubernetes",),
    ),
    Case(
        "patch-resource",
        objects=one_replica,
        look=progress_deadline,
        before=600,
        after=900,
        policy=ALLOWED,
        conditional=True,
        once=True,
        bad={"type": "merge"},
        faults=("operations: merge takes patch",),
    ),
    Case(
        "apply-manifest",
        target="checkout-flags",
        objects=flags,
        look=data,
        before={"gifts": "on"},
        after={"gifts": "on", "express": "off"},
        policy=ALLOWED,
        conditional=True,
        outputs={"uid": ANY},
        bad={"manifest": {"kind": "ConfigMap"}},
        faults=("parameters.manifest: metadata",),
    ),
    Case(
        "delete-resource",
        target="checkout-flags",
        objects=flags,
        look=is_there,
        before=True,
        after=False,
        policy=ALLOWED,
        conditional=True,
        once=True,
        outputs={"uid": ANY},
        bad={"apiVersion": "v1/x/y", "propagation": "Later"},
        faults=("parameters.apiVersion", "parameters.propagation: must be one of"),
    ),
)
