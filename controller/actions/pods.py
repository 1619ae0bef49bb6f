"""What the types for pods know of a pod: what keeps it, and what is lost with it. Pure."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from controller.core.ports import Json, Resource

PODS = Resource("", "v1", "pods", "Pod")
DAEMON_SET = "DaemonSet"
MOST_NAMES = 10

GracePeriod = Annotated[int, Field(ge=1, le=86_400)]
LabelSelector = Annotated[str, Field(max_length=1024)]

_MIRROR = "kubernetes.io/config.mirror"
_FINISHED = frozenset({"Succeeded", "Failed"})


def name_of(pod: Json) -> str:
    """`shop/web-1`."""
    return f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"


def uid_of(pod: Json) -> str:
    return str(pod["metadata"]["uid"])


def is_mirror(pod: Json) -> bool:
    """Whether it only shows a static pod of its node, which deleting does not end."""
    return _MIRROR in (pod["metadata"].get("annotations") or {})


def is_finished(pod: Json) -> bool:
    return pod.get("status", {}).get("phase") in _FINISHED


def is_ending(pod: Json) -> bool:
    """Whether it is deleted already and has its grace period, or what its finalizers wait for."""
    return "deletionTimestamp" in pod["metadata"]


def keeper(pod: Json) -> Json | None:
    """The reference to the controller that makes it anew."""
    owners = pod["metadata"].get("ownerReferences") or ()
    return next((owner for owner in owners if owner.get("controller")), None)


def is_of_daemon_set(pod: Json) -> bool:
    owner = keeper(pod)
    return owner is not None and owner["kind"] == DAEMON_SET


def local_data(pod: Json) -> tuple[str, ...]:
    """Names of the volumes whose content goes with it."""
    return tuple(volume["name"] for volume in pod["spec"].get("volumes") or () if "emptyDir" in volume)


def losses(pod: Json) -> tuple[str, ...]:
    """What to know before it is removed."""
    if is_finished(pod):
        return ()
    name, told = name_of(pod), []
    if keeper(pod) is None:
        told.append(f"Pod {name} has no controller: nothing makes it anew")
    if volumes := local_data(pod):
        told.append(f"Pod {name} loses the content of its emptyDir volumes {listed(volumes)}")
    return tuple(told)


def listed(names: Sequence[str], most: int = MOST_NAMES) -> str:
    """`a, b and 3 more`."""
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[:most])} and {len(names) - most} more"


def counted(count: int) -> str:
    """`1 pod`, `3 pods`."""
    return f"{count} pod" if count == 1 else f"{count} pods"
