"""Cases of the types for pods."""

from typing import Any

from harness.catalogue.case import Case, Json, Scene

IMAGE = "registry.example/app:1"


def pod(name: str) -> Json:
    """One that nothing makes anew."""
    spec = {"containers": [{"name": "main", "image": IMAGE}], "terminationGracePeriodSeconds": 1}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def failing_job(name: str, label: str) -> Json:
    """Its one pod fails and stays."""
    labels = {"app": label, "localcluster.actionoperator.dev/outcome": "fail"}
    template = {
        "metadata": {"labels": labels},
        "spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": IMAGE}]},
    }
    spec = {"template": template, "backoffLimit": 0}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": spec}


def is_ready(scene: Scene) -> bool:
    found = scene.objects.find("v1", "Pod", scene.name)
    return found is not None and found["status"].get("phase") == "Running"


def failed_pods(scene: Scene) -> Any:
    """The phases of the pods that are left."""
    found = scene.objects.list("v1", "Pod", f"app={scene.name}")
    return [one["status"].get("phase") for one in found]


def those_of_the_jobs(scene: Scene) -> Json:
    return {"labelSelector": f"app={scene.name}", "maxPods": 20}


CASES = (
    Case(
        "delete-pod",
        target="web-0",
        objects=lambda name: (pod(name),),
        look=is_ready,
        before=True,
        after=False,
        once=True,
        bad={"uid": "not a uid", "gracePeriodSeconds": 0, "namespace": "kube-system"},
        faults=("parameters.uid", "parameters.gracePeriodSeconds: must be at least 1", "parameters.namespace"),
    ),
    Case(
        "evict-pod",
        target="web-0",
        objects=lambda name: (pod(name),),
        look=is_ready,
        before=True,
        after=False,
        once=True,
        bad={"name": "Not A Name"},
        faults=("parameters.name",),
    ),
    Case(
        "delete-failed-pods",
        parameters=those_of_the_jobs,
        objects=lambda name: (failing_job(name, name), failing_job(f"{name}-too", name)),
        look=failed_pods,
        before=["Failed", "Failed"],
        after=[],
        bad={"maxPods": 0, "phase": "Running"},
        faults=("parameters.maxPods: must be at least 1", "parameters.phase"),
        effects=2,
    ),
)
