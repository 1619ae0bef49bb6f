"""What an attempt has come to, as plain facts. Made by the runtime, judged by `core.conclude`."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from controller.api.names import Reason
from controller.core.ports import Done


class Effect(Enum):
    """What is known of the effect."""

    NOT_DONE = "NotDone"
    """Proven not to have taken effect."""
    FAILED = "Failed"
    """The target reports that it was tried and failed."""
    DONE = "Done"
    """Known to be made."""
    UNCLEAR = "Unclear"
    """Sent, or perhaps sent, and nothing proves what came of it."""


class Stop(Enum):
    """Why a running attempt was ended from outside."""

    CANCELLED = "Cancelled"
    REJECTED = "Rejected"
    HALTED = "Halted"
    TIMEOUT = "Timeout"
    CRASHED = "Crashed"
    """The process that ran it is gone and the effect was looked for since, or it led no more and kept it back."""

    @property
    def by_people(self) -> bool:
        """Whether somebody wants it to end, as opposed to pause."""
        return self in (Stop.CANCELLED, Stop.REJECTED)


@dataclass(frozen=True)
class Report:
    """`verified` only with Effect.DONE, `met` only with NOT_DONE; `transient` and `retry_after_seconds`: whether and
    when repeating may help.
    """

    attempt_id: str
    effect: Effect
    at: datetime
    verified: bool = False
    met: bool = False
    """All preconditions are true: the effect may be made."""
    message: str = ""
    transient: bool = True
    retry_after_seconds: float | None = None
    reason: Reason | None = None
    """Why, where the effect alone does not tell."""
    stop: Stop | None = None
    done: Done | None = None
    done_at: datetime | None = None
