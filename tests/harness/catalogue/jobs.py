"""Cases of the types for Jobs."""

from typing import Any
from unittest.mock import ANY

from harness.catalogue.case import Case, Json, Scene


def jobs_of(scene: Scene) -> Any:
    """Of the run's proposal: whether each has succeeded."""
    found = scene.objects.list("batch/v1", "Job", f"actionoperator.dev/proposal={scene.name}")
    return [job.get("status", {}).get("succeeded", 0) for job in found]


def suspended_job(name: str) -> tuple[Json, ...]:
    pod = {"restartPolicy": "Never", "containers": [{"name": "main", "image": "registry.example/app:1"}]}
    spec = {"suspend": True, "template": {"spec": pod}}
    return ({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": spec},)


def is_there(scene: Scene) -> bool:
    return scene.objects.find("batch/v1", "Job", scene.name) is not None


CASES = (
    Case(
        "run-job",
        target="run-job",
        look=jobs_of,
        before=[],
        after=[1],
        once=True,
        instead="no container runs: the pod of the Job is played; what it is given is checked in the Job's manifest",
        outputs={"job": ANY, "uid": ANY},
        bad={"image": "", "activeDeadlineSeconds": 0},
        faults=("parameters.image", "parameters.activeDeadlineSeconds"),
    ),
    Case(
        "delete-job",
        target="migrate-checkout",
        objects=suspended_job,
        look=is_there,
        before=True,
        after=False,
        once=True,
        outputs={"uid": ANY},
        bad={"uid": "a/b", "propagation": "Later"},
        faults=("parameters.uid: must match", "parameters.propagation: must be one of"),
    ),
)
