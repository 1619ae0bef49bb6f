"""What a decision may ask for. The runtime carries it out: at most one status write, then the effect, then Events."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Generic, TypeVar

from controller.api.common import LifecycleStatus
from controller.api.proposal import Attempt
from controller.core.attempt_report import Stop
from controller.core.limits import Line
from controller.core.ports import Json

S = TypeVar("S", bound=LifecycleStatus)


class Gather(Enum):
    """What the runtime must fetch before it decides again."""

    PREVIEW = "preview"
    USAGE = "usage"
    """Starts that a limit counts, reserved ahead; ends of earlier actions on the same target."""
    EARLIER = "earlier"
    """The workflow that this one retries."""
    ACCESS = "access"
    """Whether those who asked and approved may still do so, and whether the API server still proves who they are."""


class Work(Enum):
    """What to do for a claimed attempt."""

    CHECK = "check"
    """Its preconditions are waited for. Nothing is sent that could change anything."""
    RUN = "run"
    VERIFY = "verify"
    """The effect is known to be made: only its purpose is waited for."""
    OBSERVE = "observe"
    """The process that claimed it is gone: find out whether it took effect."""

    @property
    def starts_effect(self) -> bool:
        """Whether it goes on with the action, as opposed to looking back at what was done."""
        return self is not Work.OBSERVE


@dataclass(frozen=True)
class Act:
    """Work on the open attempt, to start once the status is written."""

    work: Work
    attempt: Attempt


@dataclass(frozen=True)
class NewStep:
    """A step's proposal to be created; the name is fixed, so creating is repeatable."""

    name: str
    body: Json


@dataclass(frozen=True)
class Decision(Generic[S]):
    """`status`: the whole new status, None = leave it. `wake_at`: look again then, None = when something changes.

    `line`: where it stands until a limit has room for it.
    """

    status: S | None = None
    act: Act | None = None
    stop: Stop | None = None
    gather: Gather | None = None
    read: frozenset[str] = frozenset()
    """Names of steps' proposals to be read before it is decided again."""
    create: tuple[NewStep, ...] = field(default=())
    wake_at: datetime | None = None
    line: Line | None = None
