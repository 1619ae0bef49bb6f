"""The status of what platform teams declare: whether this operator can carry out a type, a policy or a runbook.

What it cannot carry out is Stalled too: to kstatus an object that is only not Ready is still on its way.
"""

from datetime import datetime, timedelta

from controller.api.actiontype import ActionTypeStatus
from controller.api.common import Condition
from controller.api.names import ConditionType, Reason
from controller.api.policy import ActionPolicy, PolicyStatus
from controller.api.runbook import RunbookStatus
from controller.core.policy import spec_faults
from controller.core.runbook import RunbookEntry
from controller.core.runbook_validation import runbook_faults
from controller.core.status import bounded
from controller.core.validation import type_fault
from controller.core.view import Fault
from controller.core.world import Executors, TypeEntry, World

MAX_TOLD = 4000


def type_status(entry: TypeEntry, executors: Executors, now: datetime) -> ActionTypeStatus:
    """The status that the type should have."""
    action_type = entry.type
    generation = action_type.metadata.generation
    fault = type_fault(entry, executors)
    conditions = _conditions(action_type.status.conditions, fault, generation, now)
    return action_type.status.model_copy(
        update={"observed_generation": generation, "digest": entry.digest, "conditions": conditions}
    )


def runbook_status(entry: RunbookEntry, world: World, now: datetime) -> RunbookStatus:
    """The status that the runbook should have. It is not Stalled before `settled_at`."""
    runbook = entry.runbook
    generation = runbook.metadata.generation
    faults = runbook_faults(entry, world)
    fault = Fault(Reason.INVALID_RUNBOOK, bounded("; ".join(faults), MAX_TOLD)) if faults else None
    conditions = _conditions(
        runbook.status.conditions, fault, generation, now, settling=now < settled_at(entry, world, now)
    )
    return runbook.status.model_copy(
        update={"observed_generation": generation, "digest": entry.digest, "conditions": conditions}
    )


def settled_at(entry: RunbookEntry, world: World, now: datetime) -> datetime:
    """Until then its action types may still be on their way: one `kubectl apply -f dir/` brings things in any order."""
    created = entry.runbook.metadata.creation_timestamp or now
    return created + timedelta(seconds=world.settings.grace_seconds)


def policy_status(policy: ActionPolicy, unreadable: str | None, now: datetime) -> PolicyStatus:
    """The status that the policy should have; `unreadable` says why it cannot be read, if so."""
    generation = policy.metadata.generation
    faults = [f"{fault.path} {fault.message}" for fault in spec_faults(policy.spec)]
    message = f"actions that match are blocked: {'; '.join(faults)}"
    fault = Fault(Reason.NOT_SUPPORTED, message) if faults else None
    if unreadable:
        fault = Fault(Reason.INVALID_SPEC, f"cannot be read, so it halts everything: {unreadable}")
    conditions = _conditions(policy.status.conditions, fault, generation, now)
    return policy.status.model_copy(update={"observed_generation": generation, "conditions": conditions})


def _conditions(
    before: tuple[Condition, ...], fault: Fault | None, generation: int, now: datetime, *, settling: bool = False
) -> tuple[Condition, ...]:
    """Ready, and where there is a fault Stalled; while that may still mend itself, Reconciling."""
    since = {(condition.type, condition.status): condition.last_transition_time for condition in before}

    def condition(kind: ConditionType, status: str, reason: Reason, message: str) -> Condition:
        return Condition(
            type=kind,
            status=status,
            reason=reason,
            message=message,
            last_transition_time=since.get((kind, status), now),
            observed_generation=generation,
        )

    if fault is None:
        return (condition(ConditionType.READY, "True", Reason.VALID, "in order"),)
    ready = condition(ConditionType.READY, "False", fault.reason, fault.message)
    if settling:
        return ready, condition(ConditionType.RECONCILING, "True", Reason.PROGRESSING, fault.message)
    return ready, condition(ConditionType.STALLED, "True", fault.reason, fault.message)
