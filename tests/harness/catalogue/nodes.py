"""Cases of the types for nodes. Every run has a node of its own, on which nothing is scheduled by itself."""

from typing import Any

from harness.catalogue.case import Case, Json, Scene
from harness.stage import deployment

TAINT = {"key": "test.actionoperator.dev/own", "effect": "NoSchedule"}
RUN = "test.actionoperator.dev/run"
MAINTENANCE = {"key": "example.com/maintenance", "value": "disk", "effect": "NoSchedule"}


def node(name: str, **spec: object) -> Json:
    """A played node for those who name it."""
    metadata = {"name": name, "annotations": {"kwok.x-k8s.io/node": "fake"}, "labels": {RUN: name}}
    return {"apiVersion": "v1", "kind": "Node", "metadata": metadata, "spec": {"taints": [TAINT]} | spec}


def on_its_node(name: str) -> Json:
    """A Deployment whose two pods run on the node of its name or nowhere."""
    made = deployment(name, 2)
    own = {"nodeSelector": {RUN: name}, "tolerations": [{"key": TAINT["key"], "operator": "Exists"}]}
    made["spec"]["template"]["spec"] |= own | {"volumes": [{"name": "scratch", "emptyDir": {}}]}
    return made


def unschedulable(scene: Scene) -> bool:
    return bool(scene.get("v1", "Node")["spec"].get("unschedulable", False))


def pods_of_node(scene: Scene) -> Any:
    """Whether it is cordoned, and how many pods run on it."""
    found = scene.objects.list("v1", "Pod", f"app={scene.name}")
    running = [one for one in found if one["status"].get("phase") == "Running" and one["spec"].get("nodeName")]
    return unschedulable(scene), len(running)


def maintained(scene: Scene) -> Any:
    """The values of the taint, and whether the node's own is still there."""
    taints = scene.get("v1", "Node")["spec"].get("taints", ())
    values = [taint.get("value") for taint in taints if taint["key"] == MAINTENANCE["key"]]
    return values, TAINT in taints


CASES = (
    Case(
        "cordon-node",
        target="node-1",
        objects=lambda name: (node(name),),
        look=unschedulable,
        before=False,
        after=True,
        bad={"node": "Not A Name", "force": True},
        faults=("parameters.node", "parameters.force"),
    ),
    Case(
        "uncordon-node",
        target="node-1",
        objects=lambda name: (node(name, unschedulable=True),),
        look=unschedulable,
        before=True,
        after=False,
        bad={"node": ""},
        faults=("parameters.node",),
    ),
    Case(
        "drain-node",
        target="node-1",
        objects=lambda name: (node(name), on_its_node(name)),
        look=pods_of_node,
        before=(False, 2),
        after=(True, 0),
        bad={"node": "Not A Name", "gracePeriodSeconds": 0, "evenMirrorPods": True},
        faults=("parameters.node", "parameters.gracePeriodSeconds: must be at least 1", "parameters.evenMirrorPods"),
        effects=3,
    ),
    Case(
        "taint-node",
        target="node-1",
        objects=lambda name: (node(name),),
        look=maintained,
        before=([], True),
        after=(["disk"], True),
        bad={"key": "no key", "effect": "Never", "value": "a b"},
        faults=("parameters.key", "parameters.effect: must be one of", "parameters.value"),
    ),
    Case(
        "untaint-node",
        target="node-1",
        objects=lambda name: (node(name, taints=[MAINTENANCE, TAINT]),),
        look=maintained,
        before=(["disk"], True),
        after=([], True),
        bad={"key": "", "effect": "never"},
        faults=("parameters.key", "parameters.effect: must be one of"),
    ),
)
