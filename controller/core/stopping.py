"""Whether a workflow was cancelled: by a person, or for the next run of its schedule. Pure."""

from controller.api.names import Reason
from controller.api.workflow import ActionWorkflow
from controller.core.actors import canceller
from controller.core.enforcement import Enforcement


def is_cancelled(workflow: ActionWorkflow, replaced_by: str | None = None) -> bool:
    """`replaced_by`: the run for which it is being cancelled, where its status does not say so yet."""
    return workflow.spec.cancelled or bool(workflow.status.replaced_by or replaced_by)


def why_cancelled(workflow: ActionWorkflow) -> tuple[Reason, str]:
    """Of one that is cancelled."""
    if not workflow.spec.cancelled and workflow.status.replaced_by:
        return Reason.REPLACED, f"cancelled for the next run of its schedule, {workflow.status.replaced_by}"
    return Reason.CANCELLED, "cancelled"


def who_cancelled(workflow: ActionWorkflow, enforcement: Enforcement, operator: str) -> str:
    """Who did. `operator`: what the operator is called in histories."""
    return canceller(workflow.metadata, enforcement) if workflow.spec.cancelled else operator
