"""What handling one key came to, and who handles it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from controller.core.ports import Json
from controller.runtime.store import Key


@dataclass(frozen=True)
class Handled:
    """`stored`: the object as last stored, None = unchanged. Look again at `wake_at`, or at once where `again`."""

    stored: Json | None
    wake_at: datetime | None = None
    again: bool = False


class Reconciler(Protocol):
    """Works on the objects of one kind, one at a time."""

    async def reconcile(self, key: Key, raw: Json) -> Handled:
        """Decides about the object and carries it out. Raises the errors of our own writes."""
        ...
