"""What the types for nodes share: their parameters, reading a node, keeping new pods off it."""

from typing import TypeVar

from controller.actions.base import Parameters
from controller.actions.objects import ObjectName, read, target_of
from controller.core.ports import Json, Request, Resource, Target

NODE = Resource("", "v1", "nodes", "Node", namespaced=False)
UNSCHEDULABLE = "spec.unschedulable"


class NodeParameters(Parameters):
    node: ObjectName
    """Name of the node."""


N = TypeVar("N", bound=NodeParameters)


async def read_node(request: Request[N]) -> tuple[Json, Target]:
    """Raises NotFound with the parameter to look at."""
    name = request.parameters.node
    node = await read(request.cluster, NODE, name, None)
    return node, target_of(NODE, name, None, node)


async def set_unschedulable(request: Request[N], value: bool, *, dry_run: bool = False) -> Json:
    """The changed node. Setting it again changes nothing."""
    body = {"spec": {"unschedulable": value}}
    return await request.cluster.patch(NODE, request.parameters.node, body, dry_run=dry_run)


def is_unschedulable(node: Json) -> bool:
    # The API leaves false out.
    return bool(node["spec"].get("unschedulable", False))
