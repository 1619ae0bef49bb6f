"""The status of an object that cannot be handled: it is unreadable, its writes are refused, or the operator fails."""

from datetime import datetime
from typing import TypeVar

from pydantic import ValidationError

from controller.api.common import LifecycleStatus
from controller.api.names import ConditionType, Outcome, Phase, Reason, Transition
from controller.api.schedule import ScheduleStatus
from controller.core.errors import PermanentFailure
from controller.core.lifecycle import Moment, refused
from controller.core.status import Standing, bounded, settle, with_conditions
from controller.core.verdicts import Finish

S = TypeVar("S", bound=LifecycleStatus)

MAX_FAULTS_TOLD = 10


def unreadable(status: S, error: ValidationError, moment: Moment) -> S:
    """It ends: what was asked for does not fit the operator's models, so nothing can be decided about it."""
    finish = Finish(Outcome.FAILED, Reason.INVALID_SPEC, _told(error), Transition.VALIDATION_FAILED)
    return refused(status, finish, moment)


def unreadable_status(error: ValidationError) -> str | None:
    """What to say where it is the record that cannot be read, None where it can.

    What was done may stand in it, so it is neither judged nor overwritten.
    """
    if not any(fault["loc"][:1] == ("status",) for fault in error.errors(include_url=False)):
        return None
    return bounded(
        f"the operator cannot read this status, so it leaves the object alone: {_told(error)}; "
        "run the version of the operator that wrote it, or look at the target and delete the object"
    )


def _told(error: ValidationError) -> str:
    faults = error.errors(include_url=False, include_input=False, include_context=False)
    return "; ".join(
        f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}" for fault in faults[:MAX_FAULTS_TOLD]
    )


def mishandled(status: S, error: Exception, *, generation: int, now: datetime) -> S:
    """It waits: the operator failed on it and will try again. Says so where people look."""
    reason, message = _why(error)
    return settle(status, Standing(Phase.PENDING, reason, message), generation=generation, now=now)


def mishandled_schedule(status: ScheduleStatus, error: Exception, *, generation: int, now: datetime) -> ScheduleStatus:
    """The same of a schedule, which has no phase."""
    return with_conditions(status, [(ConditionType.READY, "False", *_why(error))], generation=generation, now=now)


def _why(error: Exception) -> tuple[Reason, str]:
    if isinstance(error, PermanentFailure):
        return Reason.REQUEST_REFUSED, bounded(
            f"the API server refuses what has to be done; it is tried again: {error}"
        )
    return Reason.INTERNAL_ERROR, (
        f"internal error of the operator while it handled this object ({type(error).__name__}); "
        "it is tried again, the operator's log has the details"
    )
