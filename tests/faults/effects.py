"""Counts effects without asking the operator: what the hook target received, what the API server's audit log says."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from harness.stage import RUNNER

from hack.hook_target import HookTarget, Received, hook_target
from localcluster.controlplane import ControlPlane

Json = dict[str, Any]


@dataclass(frozen=True)
class Effect:
    """One try to change the world that arrived. `key` is its operation, where the target is told."""

    at: float
    key: str | None = None


@dataclass
class Hooks:
    """A hook target whose callers can be told when a request came in and is not answered yet."""

    target: HookTarget
    on_receipt: dict[str, Callable[[int], None]] = field(default_factory=dict)
    """By path: called with the number of the request, from 1, before it is answered."""

    def received(self, path: str) -> list[Effect]:
        return [Effect(request.at, request.key) for request in self.target.seen(path)]


@contextmanager
def hooks() -> Iterator[Hooks]:
    """Serves until left."""
    with hook_target() as target:
        told, take = Hooks(target), target.take

        def taken(request: Received) -> int:
            status = take(request)
            if call := told.on_receipt.get(request.path):
                call(len(target.seen(request.path)))
            return status

        target.take = taken
        yield told


@dataclass(frozen=True)
class AuditTail:
    """What the API server recorded since this was made."""

    cluster: ControlPlane
    namespace: str
    start: int

    @classmethod
    def of(cls, cluster: ControlPlane, namespace: str) -> "AuditTail":
        return cls(cluster, namespace, cluster.audit_log.stat().st_size)

    def stored(self, verb: str, resource: str, about: str) -> list[Json]:
        """Requests in the namespace that succeeded, dry runs left out, about objects whose name starts so."""
        found = []
        with self.cluster.audit_log.open("rb") as log:
            log.seek(self.start)
            for line in log:
                if about.encode() not in line or not line.endswith(b"\n"):
                    continue
                entry = json.loads(line)
                target = entry.get("objectRef") or {}
                path = "/".join(part for part in (target.get("resource"), target.get("subresource")) if part)
                if (
                    (entry["verb"], path, target.get("namespace")) == (verb, resource, self.namespace)
                    and target.get("name", "").startswith(about)
                    and "dryRun" not in entry["requestURI"]
                    and entry["responseStatus"].get("code", 0) < 300
                ):
                    found.append(entry)
        return found

    def by_runner(self, verb: str, resource: str, about: str) -> list[Effect]:
        """What the runner changed."""
        runner = f"system:serviceaccount:{self.namespace}:{RUNNER}"
        return [
            Effect(datetime.fromisoformat(entry["requestReceivedTimestamp"]).timestamp())
            for entry in self.stored(verb, resource, about)
            if (entry.get("impersonatedUser") or {}).get("username") == runner
        ]


def effects_of(proposal: Json, hooks: Hooks, audit: AuditTail) -> list[Effect]:
    """What arrived because of the proposal, oldest first."""
    parameters = proposal["spec"]["parameters"]
    match proposal["spec"]["action"]:
        case "http-request":
            return hooks.received(urlsplit(parameters["url"]).path)
        case "scale-workload":
            return audit.by_runner("patch", "deployments/scale", parameters["name"])
        case "restart-rollout":
            return audit.by_runner("patch", "deployments", parameters["name"])
        case "run-job":
            return audit.by_runner("create", "jobs", proposal["metadata"]["name"])
    return []
