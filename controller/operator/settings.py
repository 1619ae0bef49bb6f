"""How the process is set up, from options and environment."""

import os
import socket
import uuid
from pathlib import Path

from controller.api.base import OPERATOR
from controller.core.settings import Settings
from controller.core.shard import Shard
from controller.kube.lease import Timing
from controller.runtime.assembly import Options

IN_POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


def options(
    *,
    namespace: str | None,
    lease_namespace: str | None,
    lease_name: str | None,
    identity: str | None,
    lease_seconds: float,
    grace_seconds: float,
    drain_seconds: float,
    approval_mode: bool,
    selector: str,
) -> Options:
    """The options of a run. Raises ValueError where they contradict each other."""
    shard = Shard.parse(selector) if selector else Shard()
    if shard.selector and not lease_name:
        raise ValueError("a shard leads by a Lease of its own: give --lease-name beside --selector")
    process = uuid.uuid4().hex[:8]
    holder = identity or f"{socket.gethostname()}-{process}"
    return Options(
        settings=Settings(
            grace_seconds=grace_seconds, owner=f"{holder}/{process}", shard=shard, approval_mode=approval_mode
        ),
        identity=holder,
        namespace=namespace,
        lease_namespace=lease_namespace or namespace or own_namespace() or OPERATOR,
        lease_name=lease_name or OPERATOR,
        lease_timing=Timing(lease_seconds, lease_seconds * 2 / 3, lease_seconds * 2 / 15),
        drain_seconds=drain_seconds,
    )


def own_namespace() -> str | None:
    """The namespace of the pod we run in."""
    named = os.environ.get("POD_NAMESPACE")
    if named:
        return named
    return IN_POD_NAMESPACE.read_text().strip() if IN_POD_NAMESPACE.exists() else None
