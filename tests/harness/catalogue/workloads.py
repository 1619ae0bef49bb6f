"""Cases of the types for workloads."""

from typing import Any

from harness.catalogue.case import Case, Json, Scene
from harness.stage import deployment

RESTARTED = "kubectl.kubernetes.io/restartedAt"


def two_replicas(name: str) -> tuple[Json, ...]:
    return (deployment(name, 2),)


def ready_replicas(scene: Scene) -> Any:
    status = scene.get("apps/v1", "Deployment").get("status", {})
    return status.get("readyReplicas", 0)


def generations_of_pods(scene: Scene) -> Any:
    """How many versions of the template there were, and whether the last one was made by a restart."""
    template = scene.get("apps/v1", "Deployment")["spec"]["template"]["metadata"]
    versions = scene.objects.list("apps/v1", "ReplicaSet", f"app={scene.name}")
    return len(versions), RESTARTED in template.get("annotations", {})


CASES = (
    Case(
        "scale-workload",
        objects=two_replicas,
        look=ready_replicas,
        before=2,
        after=4,
        outputs={"replicas": 4},
        bad={"kind": "Pod", "replicas": 90_000, "size": 1},
        faults=("parameters.kind: must be one of", "parameters.replicas: must be at most 5000", "parameters.size"),
    ),
    Case(
        "restart-rollout",
        objects=two_replicas,
        look=generations_of_pods,
        before=(1, False),
        after=(2, True),
        bad={"kind": "Job", "name": "Not A Name"},
        faults=("parameters.kind: must be one of", "parameters.name"),
    ),
)
