"""Writes status and then tells about it: the one patch, compare-and-swap, then audit records and Events."""

import asyncio

from controller.api.common import HistoryEntry, TracedStatus
from controller.core.errors import Conflict, Repeatable
from controller.core.mergepatch import merge_patch
from controller.core.ports import Json, Resource, Target
from controller.core.record import NORMAL_EVENTS, WARNING_EVENTS, EventRecord, EventSubject, announced
from controller.core.status import entries_after, last_entry
from controller.kube.api import Api
from controller.kube.events import EventWriter
from controller.kube.status import patch_status
from controller.runtime.audit import AuditLog, transition_record
from controller.runtime.telling import Teller


class Recorder:
    """The operator's pen."""

    def __init__(self, api: Api, events: EventWriter, audit: AuditLog, teller: Teller) -> None:
        self._api = api
        self._events = events
        self.audit = audit
        self._teller = teller
        self._unheard: dict[str, int] = {}
        """By uid: up to which transition is told of objects with a write that may have landed without our hearing."""

    async def write(
        self,
        resource: Resource,
        raw: Json,
        old: TracedStatus,
        new: TracedStatus,
        related: Target | None = None,
    ) -> Json:
        """Writes the status if it differs; the object as stored. Raises what `patch_status` raises."""
        wire = new.wire()
        patch = merge_patch(raw.get("status") or {}, wire)
        if not patch:
            return raw
        metadata = raw["metadata"]
        try:
            stored = await patch_status(
                self._api,
                resource,
                metadata.get("namespace"),
                metadata["name"],
                resource_version=metadata["resourceVersion"],
                patch=patch,
                landed=lambda found: merge_patch(found.get("status") or {}, wire) == {},
            )
        except Conflict:
            raise
        except (Repeatable, asyncio.CancelledError):
            self._unheard.setdefault(metadata["uid"], last_entry(old))
            raise
        self._teller.attempts_ended(raw, raw.get("status") or {}, wire)
        told = self._unheard.pop(metadata["uid"], last_entry(old))
        self._tell(stored, entries_after(told, new), wire, related)
        return stored

    async def write_message(self, resource: Resource, raw: Json, message: str) -> Json:
        """Writes the message alone and leaves all else as it is, for a status that cannot be read."""
        if (raw.get("status") or {}).get("message") == message:
            return raw
        metadata = raw["metadata"]
        return await patch_status(
            self._api,
            resource,
            metadata.get("namespace"),
            metadata["name"],
            resource_version=metadata["resourceVersion"],
            patch={"message": message},
            landed=lambda found: (found.get("status") or {}).get("message") == message,
        )

    def unheard(self, uid: str) -> bool:
        """Whether a write of ours may have landed on the object that is not told of yet."""
        return uid in self._unheard

    def catch_up(self, raw: Json) -> None:
        """Tells what a write of ours that landed unheard has put into this object's history."""
        told = self._unheard.get(raw["metadata"]["uid"])
        if told is None:
            return
        wire = raw.get("status") or {}
        entries = entries_after(told, TracedStatus.model_validate(wire))
        if entries:
            self._unheard[raw["metadata"]["uid"]] = entries[-1].n
            self._tell(raw, entries, wire, None)
        if wire.get("outcome"):
            self._unheard.pop(raw["metadata"]["uid"])

    def tell_only(self, raw: Json, entry: HistoryEntry, status: Json) -> None:
        """Tells of a transition that no status can hold any more: the object is gone."""
        self._unheard.pop(raw["metadata"]["uid"], None)
        self._tell(raw, [entry], status, None)

    def _tell(self, raw: Json, entries: list[HistoryEntry], status: Json, related: Target | None) -> None:
        for entry in entries:
            self.audit.write(transition_record(raw, entry, status))
        for entry in announced(entries):
            self._events.write(event_of(raw, entry, related))
        self._teller.tell(raw, entries, status)


def event_of(raw: Json, entry: HistoryEntry, related: Target | None) -> EventRecord:
    """The Event of a transition."""
    metadata = raw["metadata"]
    return EventRecord(
        subject=EventSubject(
            raw["apiVersion"], raw["kind"], metadata["name"], metadata.get("namespace"), metadata["uid"]
        ),
        related=related,
        action=raw.get("spec", {}).get("action") or raw["kind"],
        reason=entry.reason.value,
        n=entry.n,
        at=entry.at,
        note=entry.message or entry.reason.value,
        warning=entry.reason in WARNING_EVENTS and entry.reason not in NORMAL_EVENTS,
    )
