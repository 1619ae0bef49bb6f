"""Cases of the types for workloads."""

from collections.abc import Callable
from typing import Any
from unittest.mock import ANY

from harness.catalogue.case import Case, Json, Scene, soon
from harness.stage import deployment

RESTARTED = "kubectl.kubernetes.io/restartedAt"
FIRST, SECOND = "registry.example/app:1", "registry.example/app:2"


def two_replicas(name: str) -> tuple[Json, ...]:
    return (deployment(name, 2),)


def paused(name: str) -> tuple[Json, ...]:
    made = deployment(name, 1)
    made["spec"]["paused"] = True
    return (made,)


def autoscaled(name: str) -> tuple[Json, ...]:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    spec = {"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 3}
    autoscaler = {
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": name}, "spec": spec,
    }  # fmt: skip
    return deployment(name, 2), autoscaler


def cron_job(suspend: bool) -> Callable[[str], tuple[Json, ...]]:
    """Its schedule never comes."""

    def made(name: str) -> tuple[Json, ...]:
        pod = {"restartPolicy": "Never", "containers": [{"name": "main", "image": FIRST}]}
        spec = {"schedule": "0 0 30 2 *", "suspend": suspend, "jobTemplate": {"spec": {"template": {"spec": pod}}}}
        return ({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": name}, "spec": spec},)

    return made


def ready_replicas(scene: Scene) -> Any:
    status = scene.get("apps/v1", "Deployment").get("status", {})
    return status.get("readyReplicas", 0)


def generations_of_pods(scene: Scene) -> Any:
    """How many versions of the template there were, and whether the last one was made by a restart."""
    template = scene.get("apps/v1", "Deployment")["spec"]["template"]["metadata"]
    versions = scene.objects.list("apps/v1", "ReplicaSet", f"app={scene.name}")
    return len(versions), RESTARTED in template.get("annotations", {})


def images_of_pods(scene: Scene) -> Any:
    """What the pods that are ready run."""
    found = scene.objects.list("v1", "Pod", f"app={scene.name}")
    alive = [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]
    ready = [pod for pod in alive if pod.get("status", {}).get("phase") == "Running"]
    return sorted({pod["spec"]["containers"][0]["image"] for pod in ready})


def memory_of_pods(scene: Scene) -> Any:
    """What containers ask for and may use, of the pods that are not ending."""
    found = scene.objects.list("v1", "Pod", f"app={scene.name}")
    alive = [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]
    resources = [pod["spec"]["containers"][0].get("resources", {}) for pod in alive]
    return [(each.get("requests", {}).get("memory"), each.get("limits", {}).get("memory")) for each in resources]


def roll_out_second(scene: Scene) -> None:
    """A second revision, once the first one is out."""
    soon(lambda: images_of_pods(scene), [FIRST], "its first revision")
    patch = [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": SECOND}]
    scene.objects.patch("apps/v1", "Deployment", scene.name, patch)


def is_paused(scene: Scene) -> bool:
    return bool(scene.get("apps/v1", "Deployment")["spec"].get("paused", False))


def bounds(scene: Scene) -> Any:
    spec = scene.get("autoscaling/v2", "HorizontalPodAutoscaler")["spec"]
    return spec["minReplicas"], spec["maxReplicas"]


def is_suspended(scene: Scene) -> bool:
    return bool(scene.get("batch/v1", "CronJob")["spec"]["suspend"])


def jobs_of_cron_job(scene: Scene) -> Any:
    """Whether each of its Jobs has succeeded."""
    owner = scene.get("batch/v1", "CronJob")["metadata"]["uid"]
    found = scene.objects.list("batch/v1", "Job")
    mine = [job for job in found if any(o["uid"] == owner for o in job["metadata"].get("ownerReferences", ()))]
    return [job.get("status", {}).get("succeeded", 0) for job in mine]


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
    Case(
        "rollback-rollout",
        objects=two_replicas,
        prepare=roll_out_second,
        look=images_of_pods,
        before=[SECOND],
        after=[FIRST],
        outputs={"images": {"main": FIRST}},
        bad={"kind": "ReplicaSet", "toRevision": 0},
        faults=("parameters.kind: must be one of", "parameters.toRevision: must be at least 1"),
    ),
    Case(
        "pause-rollout",
        objects=two_replicas,
        look=is_paused,
        before=False,
        after=True,
        outputs={"paused": True},
        bad={"name": "", "kind": "StatefulSet"},
        faults=("parameters.name", "parameters.kind"),
    ),
    Case(
        "resume-rollout",
        objects=paused,
        look=is_paused,
        before=True,
        after=False,
        outputs={"paused": False},
        bad={"name": "Not A Name"},
        faults=("parameters.name",),
    ),
    Case(
        "set-image",
        objects=two_replicas,
        look=images_of_pods,
        before=[FIRST],
        after=[SECOND],
        outputs={"container": "main"},
        bad={"kind": "Job", "image": "no image", "container": "Main"},
        faults=("parameters.kind: must be one of", "parameters.image", "parameters.container"),
    ),
    Case(
        "set-resources",
        objects=lambda name: (deployment(name, 1),),
        look=memory_of_pods,
        before=[(None, None)],
        after=[("256Mi", "512Mi")],
        outputs={"container": "main"},
        bad={"kind": "Job", "limits": {"memory": "much"}},
        faults=("parameters.kind: must be one of", "parameters.limits.memory"),
    ),
    Case(
        "set-hpa-bounds",
        objects=autoscaled,
        look=bounds,
        before=(2, 3),
        after=(4, 12),
        outputs={"minReplicas": 4, "maxReplicas": 12},
        bad={"minReplicas": 0, "maxReplicas": 9000},
        faults=("parameters.minReplicas: must be at least 1", "parameters.maxReplicas: must be at most 5000"),
    ),
    Case(
        "suspend-cronjob",
        target="report",
        objects=cron_job(suspend=False),
        look=is_suspended,
        before=False,
        after=True,
        bad={"name": "", "until": "tomorrow"},
        faults=("parameters.name", "parameters.until"),
    ),
    Case(
        "resume-cronjob",
        target="report",
        objects=cron_job(suspend=True),
        look=is_suspended,
        before=True,
        after=False,
        bad={"name": "Not A Name"},
        faults=("parameters.name",),
    ),
    Case(
        "trigger-cronjob",
        target="report",
        objects=cron_job(suspend=True),
        look=jobs_of_cron_job,
        before=[],
        after=[1],
        once=True,
        outputs={"job": ANY, "uid": ANY},
        bad={"name": "", "at": "noon"},
        faults=("parameters.name", "parameters.at"),
    ),
)
