"""What handling one key came to."""

from dataclasses import dataclass
from datetime import datetime

from controller.core.ports import Json


@dataclass(frozen=True)
class Handled:
    """`stored`: the object as last stored, None = unchanged. Look again at `wake_at`, or at once where `again`."""

    stored: Json | None
    wake_at: datetime | None = None
    again: bool = False
