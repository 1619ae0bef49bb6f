"""What the types for the pod template of a workload share: naming it, reading it, and when a change has arrived."""

from enum import StrEnum
from typing import TypeVar

from controller.actions.about import Right
from controller.actions.base import Parameters
from controller.actions.objects import ObjectName, read, target_of
from controller.actions.workloads import WORKLOADS, partition, rolled_out, seen_by_its_controller
from controller.core.ports import Json, Request, Target, Verified

R = TypeVar("R", bound="RolloutParameters")

RIGHT = Right("apps", ("deployments", "statefulsets", "daemonsets"), ("get", "patch"))
ATTEMPTS = 4
"""Of a change that others' writes come between."""


class RolloutKind(StrEnum):
    DEPLOYMENT = "Deployment"
    STATEFUL_SET = "StatefulSet"
    DAEMON_SET = "DaemonSet"


class RolloutParameters(Parameters):
    kind: RolloutKind
    """Deployment, StatefulSet or DaemonSet."""
    name: ObjectName
    """Name of the workload, in the proposal's namespace."""


async def read_rollout(request: Request[R]) -> tuple[Json, Target]:
    """The workload. Raises NotFound."""
    resource, name = WORKLOADS[request.parameters.kind], request.parameters.name
    workload = await read(request.cluster, resource, name, request.namespace)
    return workload, target_of(resource, name, request.namespace, workload)


def is_paused(workload: Json) -> bool:
    return bool(workload["spec"].get("paused"))


def replaces_on_delete(workload: Json) -> bool:
    return bool(workload["spec"].get("updateStrategy", {}).get("type") == "OnDelete")


def held_back(workload: Json, target: Target) -> tuple[str, ...]:
    """Why a changed template will not reach all pods by itself, as warnings."""
    if is_paused(workload):
        return (f"{target} is paused: its pods are replaced only after resume-rollout",)
    if replaces_on_delete(workload):
        return (f"{target} has update strategy OnDelete: its pods are replaced only when they are deleted",)
    if kept := partition(workload):
        return (f"{target} has partition {kept}: only pods from ordinal {kept} on are replaced",)
    return ()


def arrived(workload: Json) -> Verified:
    """Whether the template has reached all pods that it reaches by itself. Raises EffectFailed."""
    if is_paused(workload):
        return seen_by_its_controller(workload, "It is paused: its pods are replaced when it is resumed.")
    if replaces_on_delete(workload):
        return seen_by_its_controller(workload, "Its pods are replaced when they are deleted (OnDelete).")
    return rolled_out(workload)
