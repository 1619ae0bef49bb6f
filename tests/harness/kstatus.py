"""What kstatus makes of an object of a kind that it does not know: the rules that its documentation publishes.

Source: sigs.k8s.io/cli-utils, pkg/kstatus, README.md (statuses, conditions, the Ready condition, observedGeneration).
Flux waits by it, and so do kpt and `cli-utils`.
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import Any

Json = dict[str, Any]


class Status(StrEnum):
    """The words of kstatus. NotFound and Unknown are of those who look, not of an object."""

    IN_PROGRESS = "InProgress"
    FAILED = "Failed"
    CURRENT = "Current"
    TERMINATING = "Terminating"


def kstatus(found: Json) -> Status:
    """Where an object as the API server gives it stands."""
    if found["metadata"].get("deletionTimestamp"):
        return Status.TERMINATING
    status = found.get("status") or {}
    if status.get("observedGeneration", found["metadata"].get("generation")) != found["metadata"].get("generation"):
        return Status.IN_PROGRESS
    return next(_told(status.get("conditions") or ()), Status.CURRENT)


def _told(conditions: Any) -> Iterator[Status]:
    """What the conditions say: those that are true when something is unusual, in their order; then Ready."""
    unusual = {"Reconciling": Status.IN_PROGRESS, "Stalled": Status.FAILED}
    for condition in conditions:
        if condition["type"] in unusual and condition["status"] == "True":
            yield unusual[condition["type"]]
    for condition in conditions:
        if condition["type"] == "Ready":
            yield Status.CURRENT if condition["status"] == "True" else Status.IN_PROGRESS
