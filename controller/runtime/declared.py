"""Writes the status of action types, policies and runbooks, and tells when a policy's mode or kill switch changes."""

import logging
from datetime import datetime

from controller.api.names import ConditionType, Transition
from controller.api.policy import ActionPolicy
from controller.core.actors import UNKNOWN, changer
from controller.core.declared import policy_status, runbook_status, settled_at, type_status
from controller.core.mergepatch import merge_patch
from controller.core.ports import Json, Resource
from controller.core.record import EventRecord, EventSubject
from controller.core.shard import Shard
from controller.core.world import Executors
from controller.kube.api import Api
from controller.kube.events import EventWriter
from controller.kube.resources import POLICIES, RUNBOOKS, TYPES
from controller.kube.status import patch_status
from controller.runtime.audit import AuditLog, record
from controller.runtime.clock import Clock
from controller.runtime.declarations import Declarations, Place
from controller.runtime.store import Key
from controller.runtime.usage import LiveUsage

logger = logging.getLogger(__name__)


class DeclaredReconciler:
    """Types, policies and runbooks of our shard; limits of other policies are tended only.

    Policies seen before are remembered, to tell what changed.
    """

    def __init__(
        self,
        *,
        api: Api,
        declarations: Declarations,
        executors: Executors,
        events: EventWriter,
        audit: AuditLog,
        clock: Clock,
        usage: LiveUsage,
        shard: Shard,
    ) -> None:
        self._api = api
        self._declarations = declarations
        self._executors = executors
        self._events = events
        self._audit = audit
        self._clock = clock
        self._usage = usage
        self._shard = shard
        self._seen: dict[str, ActionPolicy] = {}

    async def reconcile(self, key: Key) -> datetime | None:
        """Brings the status up to date; when to look again. Raises the errors of our own writes."""
        match key.plural:
            case TYPES.plural:
                await self._type(key)
            case RUNBOOKS.plural:
                return await self._runbook(key)
            case POLICIES.plural:
                await self._policy(key)
        return None

    async def _runbook(self, key: Key) -> datetime | None:
        entry = self._declarations.runbooks.get(Place(key.namespace, key.name))
        if entry is None or not self._declarations.knows_namespace(key.namespace):
            return None
        about, old = entry.runbook.metadata, entry.runbook.status
        if not self._shard.fits(about.labels):
            return None
        world, now = self._declarations.world(key.namespace), self._clock()
        status = runbook_status(entry, world, now)
        await self._write(RUNBOOKS, key.name, about.resource_version, old.wire(), status.wire(), key.namespace)
        settling = any(condition.type is ConditionType.RECONCILING for condition in status.conditions)
        return settled_at(entry, world, now) if settling else None

    async def _type(self, key: Key) -> None:
        entry = self._declarations.types.get(key.name)
        if entry and self._shard.fits(entry.type.metadata.labels):
            status = type_status(entry, self._executors, self._clock())
            await self._write(
                TYPES, key.name, entry.type.metadata.resource_version, entry.type.status.wire(), status.wire()
            )

    async def _policy(self, key: Key) -> None:
        policy = self._declarations.policies.get(key.name)
        before = self._seen.pop(key.name, None)
        last = self._declarations.gone.pop(key.name, None)
        if policy is None:
            self._tell_deleted(before, last or before)
            return
        self._usage.tend(key.name)
        if not self._shard.fits(policy.metadata.labels):
            return
        self._seen[key.name] = policy
        self._tell_changes(before, policy)
        await self._usage.prepare(policy)
        status = policy_status(policy, self._declarations.unreadable.get(key.name), self._clock())
        status = status.model_copy(update={"breaker": self._usage.breaker_to_write(policy)})
        stored = await self._write(
            POLICIES, key.name, policy.metadata.resource_version, policy.status.wire(), status.wire()
        )
        if stored is not None:
            self._declarations.put_policy(stored)  # its status is written by limits too, and they need its version

    def _tell_deleted(self, before: ActionPolicy | None, last: ActionPolicy | None) -> None:
        """`last`: as it was when it was deleted. Only a change names who made it, a deletion does not."""
        if before is None or last is None or not before.spec.halt:
            return
        if last.metadata.uid == before.metadata.uid and not last.spec.halt:
            self._tell_changes(before, last)
            return
        message = f"policy {before.metadata.name} was deleted: it halts no longer"
        self._tell(before, Transition.KILL_SWITCH, message, UNKNOWN, version=f"{before.metadata.generation}.deleted")

    def _tell_changes(self, before: ActionPolicy | None, policy: ActionPolicy) -> None:
        name, who = policy.metadata.name, changer(policy.metadata, self._declarations.enforcement)
        if bool(policy.spec.halt) != bool(before and before.spec.halt):
            verb = "halts" if policy.spec.halt else "no longer halts"
            self._tell(policy, Transition.KILL_SWITCH, f"policy {name} {verb} actions", who)
        if before and policy.spec.mode is not before.spec.mode:
            told = f"policy {name}: mode is {policy.spec.mode or 'not set'}, was {before.spec.mode or 'not set'}"
            self._tell(policy, Transition.MODE_CHANGE, told, who)

    def _tell(self, policy: ActionPolicy, reason: Transition, message: str, actor: str, *, version: str = "") -> None:
        now, metadata, info = self._clock(), policy.metadata, ActionPolicy.INFO
        message = f"{message}, by {actor}"
        logger.warning("%s", message)
        subject = EventSubject(policy.api_version, info.kind, metadata.name, None, metadata.uid)
        self._events.write(
            EventRecord(subject, None, reason.value, reason.value, metadata.generation, now, message, warning=True)
        )
        raw = {"kind": info.kind, "metadata": {"name": metadata.name, "uid": metadata.uid}}
        suffix = f"{version or metadata.generation}.{reason.value}"
        data = {"reason": reason.value, "actor": actor, "message": message}
        self._audit.write(record(raw, suffix, reason.value, now, data))

    async def _write(
        self, resource: Resource, name: str, version: str, old: Json, new: Json, namespace: str | None = None
    ) -> Json | None:
        """The object as stored, None if there was nothing to write."""
        patch = merge_patch(old, new)
        if not patch:
            return None
        return await patch_status(
            self._api,
            resource,
            namespace,
            name,
            resource_version=version,
            patch=patch,
            landed=lambda found: not merge_patch(found.get("status") or {}, new),
        )
