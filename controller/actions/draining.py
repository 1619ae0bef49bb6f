"""What becomes of each pod of a node that is drained, by the rules of `kubectl drain`. Pure.

Source: Kubernetes, `k8s.io/kubectl/pkg/drain/filters.go`. Mirror pods and pods of DaemonSets stay; finished pods go
whatever they had; of the others, those that would lose data or not come back stop the whole, before anything is done.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from pydantic import Field

from controller.actions.nodes import NodeParameters
from controller.actions.pods import (
    GracePeriod,
    LabelSelector,
    is_ending,
    is_finished,
    is_mirror,
    is_of_daemon_set,
    keeper,
    listed,
    local_data,
    name_of,
)
from controller.core.ports import Json


class DrainNodeParameters(NodeParameters):
    ignore_daemon_sets: bool = True
    """Leave pods of DaemonSets where they are. If false, a node that has some is not drained."""
    delete_empty_dir_data: bool = False
    """Also evict pods with emptyDir volumes, whose content is lost."""
    force: bool = False
    """Also evict pods that have no controller, so that nothing makes them anew."""
    pod_selector: LabelSelector = ""
    """Evict only pods with these labels, as `kubectl get pods -l` takes it."""
    grace_period_seconds: GracePeriod | None = None
    """How long each pod may take to end. Default: what the pod itself says."""
    skip_wait_for_delete_timeout_seconds: Annotated[int, Field(ge=0, le=86_400)] = 0
    """Do not wait for pods whose deletion is overdue by more than this. 0: wait for all."""


@dataclass(frozen=True)
class Plan:
    """The pods of a node at one moment."""

    evict: tuple[Json, ...]
    ending: tuple[Json, ...]
    """Deleted or evicted already, and to be waited for."""
    stay: tuple[Json, ...]
    refused: tuple[str, ...]
    """Why it must not be drained: pods, and the parameter that would let them go."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left to do or to wait for."""
        return not (self.evict or self.ending or self.refused)


def plan_of(pods: Iterable[Json], parameters: DrainNodeParameters, now: datetime) -> Plan:
    """By the names of pods and namespaces, so that the same pods give the same plan."""
    evict: list[Json] = []
    ending: list[Json] = []
    stay: list[Json] = []
    for pod in sorted(pods, key=name_of):
        if is_mirror(pod) or is_of_daemon_set(pod):
            stay.append(pod)
        elif not is_ending(pod):
            evict.append(pod)
        elif not _overdue(pod, parameters.skip_wait_for_delete_timeout_seconds, now):
            ending.append(pod)
    return Plan(tuple(evict), tuple(ending), tuple(stay), tuple(_faults(evict, stay, parameters)))


def _faults(evict: list[Json], stay: list[Json], parameters: DrainNodeParameters) -> Iterable[str]:
    running = [pod for pod in evict if not is_finished(pod)]
    if not parameters.ignore_daemon_sets:
        yield from _fault(filter(is_of_daemon_set, stay), "belong to DaemonSets", "ignoreDaemonSets")
    if not parameters.delete_empty_dir_data:
        yield from _fault(filter(local_data, running), "have emptyDir volumes", "deleteEmptyDirData")
    if not parameters.force:
        yield from _fault((pod for pod in running if keeper(pod) is None), "have no controller", "force")


def _fault(pods: Iterable[Json], what: str, parameter: str) -> Iterable[str]:
    if names := list(map(name_of, pods)):
        yield f"{listed(names)} {what}: set parameters.{parameter} to true if they may {_FATE[parameter]}"


_FATE = {
    "ignoreDaemonSets": "stay there",
    "deleteEmptyDirData": "go with their data",
    "force": "go for good",
}


def _overdue(pod: Json, skip_seconds: int, now: datetime) -> bool:
    if not skip_seconds:
        return False
    # deletionTimestamp is the moment of the request and the grace period.
    due = datetime.fromisoformat(pod["metadata"]["deletionTimestamp"])
    return now - due > timedelta(seconds=skip_seconds)
