"""When an object may start, must have started, and is over. For proposals and workflows alike."""

from datetime import datetime, timedelta

from controller.api.common import ObjectMeta
from controller.api.proposal import LifecycleSpec
from controller.core.settings import Settings


def created_at(metadata: ObjectMeta) -> datetime:
    """Raises ValueError for an object that the API server has not stored."""
    if metadata.creation_timestamp is None:
        raise ValueError("metadata.creationTimestamp: is missing")
    return metadata.creation_timestamp


def grace_end(metadata: ObjectMeta, settings: Settings) -> datetime:
    """Until when what it misses may still arrive."""
    return created_at(metadata) + timedelta(seconds=settings.grace_seconds)


def due_from(spec: LifecycleSpec, metadata: ObjectMeta) -> datetime:
    """When it may start at the earliest; its deadlines count from here."""
    created = created_at(metadata)
    return max(created, spec.not_before) if spec.not_before else created


def start_by(spec: LifecycleSpec, metadata: ObjectMeta) -> datetime | None:
    """When it must have started, None if there is no such deadline."""
    seconds = spec.starting_deadline_seconds
    return None if seconds is None else due_from(spec, metadata) + timedelta(seconds=seconds)


def end_of(spec: LifecycleSpec, metadata: ObjectMeta) -> datetime:
    """When the whole is over."""
    return due_from(spec, metadata) + timedelta(seconds=spec.active_deadline_seconds)
