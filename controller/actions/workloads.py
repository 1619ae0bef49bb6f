"""What the types for workloads share: where those are served, and how to read from their status what is still
missing. The rules for a finished rollout are those of `kubectl rollout status`.
"""

from typing import Any

from controller.core.errors import EffectFailed
from controller.core.ports import Json, Resource, Verified

WORKLOADS = {
    resource.kind: resource
    for resource in (
        Resource("apps", "v1", "deployments", "Deployment"),
        Resource("apps", "v1", "statefulsets", "StatefulSet"),
        Resource("apps", "v1", "daemonsets", "DaemonSet"),
        Resource("apps", "v1", "replicasets", "ReplicaSet"),
    )
}


def wanted_replicas(workload: Json) -> int:
    """`spec.replicas`, which the API server sets to 1 where it is left out."""
    return int(workload["spec"].get("replicas", 1))


def partition(workload: Json) -> int:
    """The ordinal below which a StatefulSet's rolling update leaves pods as they are; 0 for all other kinds."""
    strategy = workload["spec"].get("updateStrategy", {}).get("rollingUpdate") or {}
    return int(strategy.get("partition", 0))


def all_ready(workload: Json) -> Verified:
    """Whether exactly the wanted replicas run and are ready. Says nothing of which version they run."""
    if not _observed(workload):
        return Verified(False, "its controller has not seen the change yet")
    wanted = wanted_replicas(workload)
    running = _count(workload, "replicas")
    ready = _count(workload, "readyReplicas")
    return Verified(running == ready == wanted, f"{ready} of {wanted} replicas are ready, {running} exist")


def rolled_out(workload: Json) -> Verified:
    """Whether every pod runs the current template and is available.

    Raises EffectFailed when the Deployment itself reports that its progress deadline has passed.
    """
    if not _observed(workload):
        return Verified(False, "its controller has not seen the change yet")
    match workload["kind"]:
        case "Deployment":
            return _deployment_rolled_out(workload)
        case "StatefulSet":
            return _stateful_set_rolled_out(workload)
        case _:
            return _daemon_set_rolled_out(workload)


def seen_by_its_controller(workload: Json, message: str) -> Verified:
    """Whether its controller knows of the last change; what is said then."""
    if not _observed(workload):
        return Verified(False, "its controller has not seen the change yet")
    return Verified(True, message)


def _deployment_rolled_out(workload: Json) -> Verified:
    for condition in workload.get("status", {}).get("conditions", ()):
        if condition["type"] == "Progressing" and condition.get("reason") == "ProgressDeadlineExceeded":
            raise EffectFailed(f"the rollout does not progress: {condition.get('message', '')}")
    wanted = wanted_replicas(workload)
    updated, running = _count(workload, "updatedReplicas"), _count(workload, "replicas")
    available = _count(workload, "availableReplicas")
    done = updated >= wanted and running <= updated and available >= updated
    return Verified(done, f"{updated} of {wanted} pods are new, {max(0, running - updated)} old, {available} available")


def _stateful_set_rolled_out(workload: Json) -> Verified:
    wanted = wanted_replicas(workload)
    updated, ready = _count(workload, "updatedReplicas"), _count(workload, "readyReplicas")
    to_update = max(0, wanted - partition(workload))
    status = workload.get("status", {})
    # With a partition, pods of two revisions stay side by side and the revisions never become equal.
    same = to_update < wanted or status.get("updateRevision") == status.get("currentRevision")
    done = updated >= to_update and ready >= wanted and same
    return Verified(done, f"{updated} of {to_update} pods are new, {ready} of {wanted} ready")


def _daemon_set_rolled_out(workload: Json) -> Verified:
    wanted = _count(workload, "desiredNumberScheduled")
    updated, available = _count(workload, "updatedNumberScheduled"), _count(workload, "numberAvailable")
    return Verified(
        updated >= wanted and available >= wanted,
        f"{updated} of {wanted} pods are new, {available} available",
    )


def _observed(workload: Json) -> bool:
    return _count(workload, "observedGeneration") >= int(workload["metadata"]["generation"])


def _count(workload: Json, name: str) -> int:
    # The API leaves zeros out.
    value: Any = workload.get("status", {}).get(name, 0)
    return int(value)
