"""Who did what, as far as the API server proves it: names for history and audit."""

from datetime import datetime

from controller.api.common import Identity, ObjectMeta
from controller.core.enforcement import Enforcement

SETTLED_SECONDS = 5.0
"""What was made sooner after the identity policies may have come before they were in force."""
NOT_LOOKED = Enforcement(None, "the admission policies have not been looked at yet")
CANCELLED_BY = "actionoperator.dev/cancelled-by"
SUSPENDED_BY = "actionoperator.dev/suspended-by"
CHANGED_BY = "actionoperator.dev/changed-by"
UNKNOWN = "unverified:unknown"


def proven_at(enforcement: Enforcement, *created: datetime | None) -> bool:
    """Whether the names in objects that were made then are those of the users the API server knew."""
    return all(moment is not None and enforcement.proves(moment, SETTLED_SECONDS) for moment in created)


def proven(metadata: ObjectMeta, enforcement: Enforcement) -> bool:
    """Whether the names in an object are those of the users the API server knew."""
    return proven_at(enforcement, metadata.creation_timestamp)


def who_asked(named: Identity | None, metadata: ObjectMeta, enforcement: Enforcement) -> Identity | None:
    """The requester, None where nothing proves that it is the one who is named."""
    return named if proven(metadata, enforcement) else None


def requester(named: Identity | None, metadata: ObjectMeta, enforcement: Enforcement) -> str:
    """Who asked."""
    return _told(named.username if named else None, metadata, enforcement)


def canceller(metadata: ObjectMeta, enforcement: Enforcement) -> str:
    """Who cancelled it."""
    return _told(metadata.annotations.get(CANCELLED_BY), metadata, enforcement)


def suspender(metadata: ObjectMeta, enforcement: Enforcement) -> str:
    """Who last suspended it, or let it go on."""
    return _told(metadata.annotations.get(SUSPENDED_BY), metadata, enforcement)


def changer(metadata: ObjectMeta, enforcement: Enforcement) -> str:
    """Who last changed a policy."""
    return _told(metadata.annotations.get(CHANGED_BY), metadata, enforcement)


def _told(name: str | None, metadata: ObjectMeta, enforcement: Enforcement) -> str:
    if not name:
        return UNKNOWN
    return name if proven(metadata, enforcement) else f"unverified:{name}"
