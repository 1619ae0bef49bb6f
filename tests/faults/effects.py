"""Counts effects without asking the operator: what the hook target received, what the API server's audit log says."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from harness.catalogue import CASES

from hack.hook_target import HookTarget, Received, hook_target
from localcluster.controlplane import ControlPlane

Json = dict[str, Any]
CHANGES = frozenset({"create", "update", "patch", "delete"})
WITHOUT_EFFECT = frozenset(case.action for case in CASES if not case.effects and not case.calls)
"""Types that change nothing but their proposal."""


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

    def stored(self, about: str) -> Iterator[Json]:
        """Changes of the namespace, or of the whole cluster, about objects whose name starts so; no dry runs."""
        with self.cluster.audit_log.open("rb") as log:
            log.seek(self.start)
            for line in log:
                if about.encode() not in line or not line.endswith(b"\n"):
                    continue
                entry = json.loads(line)
                target = entry.get("objectRef") or {}
                if (
                    entry["verb"] in CHANGES
                    and target.get("namespace", self.namespace) == self.namespace
                    and target.get("name", "").startswith(about)
                    and "dryRun" not in entry["requestURI"]
                    and entry["responseStatus"].get("code", 0) < 300
                ):
                    yield entry

    def created(self, resource: str, about: str) -> list[str]:
        """Their names."""
        return [
            entry["objectRef"]["name"]
            for entry in self.stored(about)
            if (entry["verb"], entry["objectRef"]["resource"]) == ("create", resource)
        ]

    def by_runner(self, runner: str, about: str) -> list[Effect]:
        """What that runner changed."""
        return [
            Effect(datetime.fromisoformat(entry["requestReceivedTimestamp"]).timestamp())
            for entry in self.stored(about)
            if (entry.get("impersonatedUser") or {}).get("username")
            == f"system:serviceaccount:{self.namespace}:{runner}"
        ]


def effects_of(proposal: Json, hooks: Hooks, audit: AuditTail) -> list[Effect]:
    """What arrived because of the proposal, oldest first."""
    spec = proposal["spec"]
    if spec["action"] in WITHOUT_EFFECT:
        return []
    if spec["action"] == "http-request":
        return hooks.received(urlsplit(spec["parameters"]["url"]).path)
    if spec["action"].endswith("-custom-http"):
        return hooks.received(f"/{spec['parameters']['path']}")
    about = spec["parameters"].get("name", proposal["metadata"]["name"])
    found = audit.by_runner(spec["serviceAccountName"], about)
    if not proposal["metadata"].get("ownerReferences"):
        return found
    # What takes a step back works on the same object, and begins when the step has ended.
    began, ended = (datetime.fromisoformat(proposal["status"][at]).timestamp() for at in ("startedAt", "completedAt"))
    return [effect for effect in found if began <= effect.at <= ended]
