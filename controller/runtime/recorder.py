"""Writes status and then tells about it: the one patch, compare-and-swap, then audit records and Events."""

from controller.api.common import HistoryEntry, TracedStatus
from controller.core.errors import NotFound
from controller.core.mergepatch import merge_patch
from controller.core.ports import Json, Resource, Target
from controller.core.record import NORMAL_EVENTS, WARNING_EVENTS, EventRecord, EventSubject, announced
from controller.core.status import entries_after, last_entry
from controller.kube.api import Api
from controller.kube.events import EventWriter
from controller.kube.status import patch_status
from controller.runtime.audit import AuditLog, transition_record
from controller.runtime.owed import Owed, Place
from controller.runtime.telling import Teller


class Recorder:
    """The operator's pen."""

    def __init__(self, api: Api, events: EventWriter, audit: AuditLog, teller: Teller) -> None:
        self._api = api
        self._events = events
        self.audit = audit
        self._teller = teller
        self._owed = Owed()

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
        place = Place(resource, metadata.get("namespace"), metadata["name"])
        with self._owed.writing(place, metadata["uid"], entries_after(last_entry(old), new)):
            stored = await patch_status(
                self._api,
                resource,
                metadata.get("namespace"),
                metadata["name"],
                resource_version=metadata["resourceVersion"],
                patch=patch,
                landed=lambda found: merge_patch(found.get("status") or {}, wire) == {},
            )
        self._teller.attempts_ended(raw, raw.get("status") or {}, wire)
        self._tell(stored, self._owed.paid(metadata["uid"], new.history), wire, related)
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

    def catch_up(self, raw: Json) -> None:
        """Tells what a write of ours that landed unheard has put into this object's history."""
        if entries := self._owed.found(raw):
            self._tell(raw, entries, raw.get("status") or {}, None)

    async def tell_owed(self) -> None:
        """Tells what landed of the writes that were not heard of. Raises what a read raises; the rest stays owed."""
        for uid, place in self._owed.places():
            try:
                raw = await self._api.get(place.resource, place.name, namespace=place.namespace)
            except NotFound:
                self._owed.forget(uid)
                continue
            if raw["metadata"]["uid"] == uid:
                self.catch_up(raw)
            else:
                self._owed.forget(uid)

    def tell_only(self, raw: Json, entry: HistoryEntry, status: Json) -> None:
        """Tells of a transition that no status can hold any more: the object is gone."""
        self._owed.forget(raw["metadata"]["uid"])
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
