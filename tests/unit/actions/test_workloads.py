"""When a workload counts as ready or rolled out, by its status."""

from typing import Any

import pytest

from controller.actions.workloads import all_ready, rolled_out
from controller.core.errors import EffectFailed


def workload(kind: str, spec: dict[str, Any] | None = None, **status: Any) -> dict[str, Any]:
    """Of generation 4, three replicas wanted."""
    return {
        "kind": kind,
        "metadata": {"generation": 4},
        "spec": {"replicas": 3} | (spec or {}),
        "status": {"observedGeneration": 4} | status,
    }


UP = {"replicas": 3, "readyReplicas": 3, "updatedReplicas": 3, "availableReplicas": 3}
STATEFUL = UP | {"updateRevision": "b", "currentRevision": "b"}
DAEMONS = {"desiredNumberScheduled": 3, "updatedNumberScheduled": 3, "numberAvailable": 3}
PARTITION = {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}}


@pytest.mark.parametrize(
    ("status", "ready"),
    [
        (UP, True),
        (UP | {"observedGeneration": 3}, False),
        (UP | {"readyReplicas": 2}, False),
        (UP | {"replicas": 4}, False),
        (UP | {"updatedReplicas": 1}, True),
        ({}, False),
    ],
)
def test_ready(status: dict[str, Any], ready: bool) -> None:
    assert all_ready(workload("StatefulSet", **status)).ok is ready


def test_no_replicas_wanted_and_none_there_is_ready() -> None:
    assert all_ready(workload("Deployment", {"replicas": 0})).ok
    assert not all_ready(workload("Deployment", {"replicas": 0}, replicas=1)).ok


@pytest.mark.parametrize(
    ("kind", "spec", "status", "done"),
    [
        ("Deployment", {}, UP, True),
        ("Deployment", {}, UP | {"observedGeneration": 3}, False),
        ("Deployment", {}, UP | {"updatedReplicas": 2}, False),
        ("Deployment", {}, UP | {"replicas": 4}, False),
        ("Deployment", {}, UP | {"availableReplicas": 2}, False),
        ("StatefulSet", {}, STATEFUL, True),
        ("StatefulSet", {}, STATEFUL | {"currentRevision": "a"}, False),
        ("StatefulSet", {}, STATEFUL | {"readyReplicas": 2}, False),
        ("StatefulSet", PARTITION, STATEFUL | {"currentRevision": "a", "updatedReplicas": 1}, True),
        ("StatefulSet", PARTITION, STATEFUL | {"currentRevision": "a", "updatedReplicas": 0}, False),
        ("DaemonSet", {}, DAEMONS, True),
        ("DaemonSet", {}, DAEMONS | {"updatedNumberScheduled": 2}, False),
        ("DaemonSet", {}, DAEMONS | {"numberAvailable": 2}, False),
    ],
)
def test_rolled_out(kind: str, spec: dict[str, Any], status: dict[str, Any], done: bool) -> None:
    seen = rolled_out(workload(kind, spec, **status))
    assert seen.ok is done
    assert seen.message


def test_a_deployment_that_gave_up_has_failed_once_it_has_seen_the_change() -> None:
    condition = {"type": "Progressing", "reason": "ProgressDeadlineExceeded", "message": "timed out"}
    with pytest.raises(EffectFailed, match="timed out"):
        rolled_out(workload("Deployment", conditions=[condition]))
    assert not rolled_out(workload("Deployment", conditions=[condition], observedGeneration=3)).ok
