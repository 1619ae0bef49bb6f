"""Cases of the types for Jobs."""

from typing import Any
from unittest.mock import ANY

from harness.catalogue.case import Case, Scene


def jobs_of(scene: Scene) -> Any:
    """Of the run's proposal: whether each has succeeded."""
    found = scene.objects.list("batch/v1", "Job", f"actionoperator.dev/proposal={scene.name}")
    return [job.get("status", {}).get("succeeded", 0) for job in found]


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
)
