"""Cases of the types for nodes. Every run has a node of its own, on which nothing is scheduled by itself."""

from harness.catalogue.case import Case, Json, Scene

TAINT = {"key": "test.actionoperator.dev/own", "effect": "NoSchedule"}


def node(name: str, **spec: object) -> Json:
    """A played node for those who name it."""
    metadata = {"name": name, "annotations": {"kwok.x-k8s.io/node": "fake"}}
    return {"apiVersion": "v1", "kind": "Node", "metadata": metadata, "spec": {"taints": [TAINT]} | spec}


def unschedulable(scene: Scene) -> bool:
    return bool(scene.get("v1", "Node")["spec"].get("unschedulable", False))


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
)
