"""What a workflow takes over from the one that it retries: steps that succeeded there and are the same here. Pure."""

from collections.abc import Iterable, Iterator, Mapping

from controller.api.names import Reason
from controller.api.workflow import ActionWorkflow, RetryOf, Step, StepStatus
from controller.core.definition import definition_of, plan_of
from controller.core.steps import by_name, given_up, passed


def taken_over(
    workflow: ActionWorkflow, steps: Iterable[Step], earlier: ActionWorkflow | None
) -> Mapping[str, StepStatus]:
    """By name, the steps that are not run again, as their status begins here. `steps`: what it runs."""
    if earlier is None or next(earlier_faults(workflow.spec.retry_of, earlier), None):
        return {}
    then = {step.name: step for step in definition_of(earlier, plan_of(earlier)).steps}
    told = by_name(earlier.status.steps)
    return {
        step.name: _kept(told[step.name], earlier.metadata.name)
        for step in steps
        if step.name in told and _may_be_kept(told[step.name]) and _same(step, then.get(step.name))
    }


def earlier_faults(retry_of: RetryOf | None, earlier: ActionWorkflow | None) -> Iterator[str]:
    """Why nothing can be taken over. `earlier`: what has that name now."""
    if retry_of is None:
        return
    if earlier is None or earlier.metadata.uid != retry_of.uid:
        yield (
            f"spec.retryOf: there is no ActionWorkflow {retry_of.name} with uid {retry_of.uid} in this namespace any "
            "more; propose it anew without retryOf"
        )
    elif earlier.status.outcome is None:
        yield f"spec.retryOf: ActionWorkflow {retry_of.name} is not finished; wait for its end or cancel it"


def _may_be_kept(status: StepStatus) -> bool:
    """Whether what it did still stands; what was taken back, or was to be, is done anew."""
    return passed(status) and (status.rollback is None or given_up(status))


def _same(step: Step, then: Step | None) -> bool:
    """Whether it asks for the same: only its place among the others may be another."""
    return then is not None and step.model_copy(update={"depends_on": ()}) == then.model_copy(update={"depends_on": ()})


def _kept(status: StepStatus, earlier: str) -> StepStatus:
    reason = status.reason or Reason.TAKEN_FROM_EARLIER
    message = f"of {earlier}, not run again"
    return status.model_copy(update={"reason": reason, "message": message, "retry_count": None, "rollback": None})
