"""The turns of life that proposals and workflows share: proposed, found in order, waiting, ended."""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from controller.api.common import LifecycleStatus
from controller.api.names import ConditionType, Mode, Outcome, Phase, Reason, Transition
from controller.api.proposal import LifecycleSpec
from controller.core.status import PHASE_OF, Standing, note, settle, with_conditions
from controller.core.verdicts import Block, Finish

S = TypeVar("S", bound=LifecycleStatus)

UNKNOWN_ACTOR = "unverified:unknown"

FINAL_TRANSITION = {
    Outcome.SUCCEEDED: Transition.COMPLETED,
    Outcome.FAILED: Transition.FAILED,
    Outcome.REJECTED: Transition.REJECTED,
    Outcome.EXPIRED: Transition.EXPIRED,
    Outcome.CANCELLED: Transition.CANCELLED,
    Outcome.OBSERVED: Transition.OBSERVED,
    Outcome.UNKNOWN: Transition.OUTCOME_UNKNOWN,
}


@dataclass(frozen=True)
class Moment:
    """What every status write of one decision shares."""

    now: datetime
    generation: int
    actor: str


def proposed(status: S, spec: LifecycleSpec, requester: str, moment: Moment) -> S:
    """Notes who asked, once."""
    if status.history:
        return status
    return note(status, Transition.PROPOSED, spec.reason, actor=requester, at=moment.now)


def in_order(status: S, moment: Moment) -> S:
    """Notes that nothing is wrong with the object."""
    status = note(status, Transition.VALIDATED, "in order", actor=moment.actor, at=moment.now)
    condition = (ConditionType.VALIDATED, "True", Reason.VALID, "in order")
    return with_conditions(status, [condition], generation=moment.generation, now=moment.now)


def waiting(old: S, status: S, standing: Standing, moment: Moment) -> S:
    """The status while it waits. The same wait written twice is the same status."""
    if standing.phase is Phase.SCHEDULED and old.phase is not Phase.SCHEDULED:
        status = note(status, Transition.SCHEDULED, standing.message, actor=moment.actor, at=moment.now)
    if standing.phase is Phase.AWAITING_APPROVAL and old.phase is not Phase.AWAITING_APPROVAL:
        status = note(status, Transition.AWAITING_APPROVAL, standing.message, actor=moment.actor, at=moment.now)
    if standing.phase is Phase.BLOCKED and old.blocked != standing.blocked:
        actor = standing.actor or moment.actor
        status = note(status, Transition.BLOCKED, standing.message, actor=actor, at=moment.now)
    return settle(status, standing, generation=moment.generation, now=moment.now)


def blocked(block: Block) -> Standing:
    return Standing(Phase.BLOCKED, block.reason, block.message, blocked=block.as_status(), actor=block.actor)


def refused(status: S, finish: Finish, moment: Moment) -> S:
    """The end that a gate decided on."""
    if finish.transition is Transition.VALIDATION_FAILED:
        fault = (ConditionType.VALIDATED, "False", finish.reason, finish.message)
        status = with_conditions(status, [fault], generation=moment.generation, now=moment.now)
    return _end(status, finish.outcome, finish.transition, finish.reason, finish.message, finish.actor, moment)


def ended(status: S, outcome: Outcome, reason: Reason, message: str, moment: Moment, *, actor: str | None = None) -> S:
    """The end with its outcome. `actor`: who ended it, if it was not the operator."""
    return _end(status, outcome, FINAL_TRANSITION[outcome], reason, message, actor, moment)


def effective_mode(asked: Mode, allowed: Mode | None) -> Mode:
    """The stricter of what is asked for and what policy allows."""
    if asked is Mode.DRY_RUN:
        return Mode.DRY_RUN
    return Mode.EXECUTE if allowed is Mode.EXECUTE else Mode.OBSERVE


def _end(
    status: S,
    outcome: Outcome,
    transition: Transition,
    reason: Reason,
    message: str,
    actor: str | None,
    moment: Moment,
) -> S:
    status = note(status, transition, message, actor=actor or moment.actor, at=moment.now)
    standing = Standing(PHASE_OF[outcome], reason, message, outcome)
    return settle(status, standing, generation=moment.generation, now=moment.now)
