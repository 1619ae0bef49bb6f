"""Writes status and then tells about it: the one patch, compare-and-swap, then audit records and Events."""

from controller.api.common import HistoryEntry, LifecycleStatus
from controller.core.mergepatch import merge_patch
from controller.core.ports import Json, Resource, Target
from controller.core.record import NORMAL_EVENTS, WARNING_EVENTS, EventRecord, EventSubject, announced
from controller.core.status import new_entries
from controller.kube.api import Api
from controller.kube.events import EventWriter
from controller.kube.status import patch_status
from controller.runtime.audit import AuditLog, transition_record
from controller.runtime.metrics import Metrics


class Recorder:
    """The operator's pen."""

    def __init__(self, api: Api, events: EventWriter, audit: AuditLog, metrics: Metrics) -> None:
        self._api = api
        self._events = events
        self.audit = audit
        self._metrics = metrics

    async def write(
        self,
        resource: Resource,
        raw: Json,
        old: LifecycleStatus,
        new: LifecycleStatus,
        related: Target | None = None,
    ) -> Json:
        """Writes the status if it differs; the object as stored. Raises what `patch_status` raises."""
        wire = new.wire()
        patch = merge_patch(raw.get("status") or {}, wire)
        if not patch:
            return raw
        metadata = raw["metadata"]
        stored = await patch_status(
            self._api,
            resource,
            metadata.get("namespace"),
            metadata["name"],
            resource_version=metadata["resourceVersion"],
            patch=patch,
            landed=lambda found: merge_patch(found.get("status") or {}, wire) == {},
        )
        self._tell(stored, new_entries(old, new), wire, related)
        return stored

    def tell_only(self, raw: Json, entry: HistoryEntry, status: Json) -> None:
        """Tells of a transition that no status can hold any more: the object is gone."""
        self._tell(raw, [entry], status, None)

    def _tell(self, raw: Json, entries: list[HistoryEntry], status: Json, related: Target | None) -> None:
        for entry in entries:
            self._metrics.transitions.labels(raw["kind"], entry.reason.value).inc()
            self.audit.write(transition_record(raw, entry, status))
        for entry in announced(entries):
            self._events.write(event_of(raw, entry, related))
        if status.get("outcome") and entries:
            # Only names that the catalogue knew: a label must not grow with what people type.
            action = (raw["spec"].get("action") or "workflow") if status.get("digest") else "unknown"
            self._metrics.outcomes.labels(raw["kind"], action, status["outcome"]).inc()
        self._metrics.records_lost.set(self.audit.lost)
        self._metrics.events_lost.set(self._events.dropped + self._events.refused)


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
