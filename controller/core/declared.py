"""The status of what platform teams declare: whether this operator can carry out a type or a policy."""

from datetime import datetime

from controller.api.actiontype import ActionTypeStatus
from controller.api.common import Condition
from controller.api.names import ConditionType, Reason
from controller.api.policy import ActionPolicy, PolicyStatus
from controller.core.policy import spec_faults
from controller.core.validation import type_fault
from controller.core.view import Fault
from controller.core.world import Executors, TypeEntry


def type_status(entry: TypeEntry, executors: Executors, now: datetime) -> ActionTypeStatus:
    """The status that the type should have."""
    action_type = entry.type
    generation = action_type.metadata.generation
    fault = type_fault(entry, executors)
    ready = _ready(action_type.status.conditions, fault, generation, now)
    return action_type.status.model_copy(
        update={"observed_generation": generation, "digest": entry.digest, "conditions": (ready,)}
    )


def policy_status(policy: ActionPolicy, unreadable: str | None, now: datetime) -> PolicyStatus:
    """The status that the policy should have; `unreadable` says why it cannot be read, if so."""
    generation = policy.metadata.generation
    faults = [f"{fault.path} {fault.message}" for fault in spec_faults(policy.spec)]
    message = f"actions that match are blocked: {'; '.join(faults)}"
    fault = Fault(Reason.NOT_SUPPORTED, message) if faults else None
    if unreadable:
        fault = Fault(Reason.INVALID_SPEC, f"cannot be read, so it halts everything: {unreadable}")
    ready = _ready(policy.status.conditions, fault, generation, now)
    return policy.status.model_copy(update={"observed_generation": generation, "conditions": (ready,)})


def _ready(before: tuple[Condition, ...], fault: Fault | None, generation: int, now: datetime) -> Condition:
    status = "False" if fault else "True"
    old = next((condition for condition in before if condition.type is ConditionType.READY), None)
    return Condition(
        type=ConditionType.READY,
        status=status,
        reason=fault.reason if fault else Reason.VALID,
        message=fault.message if fault else "in order",
        last_transition_time=old.last_transition_time if old and old.status == status else now,
        observed_generation=generation,
    )
