"""What a workflow does: its steps and finally steps and their order, with everything filled in that is known."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from controller.api.common import RetrySpec
from controller.api.runbook import RunbookSpec
from controller.api.workflow import ActionWorkflow, OnFailure, Order, Plan, Step
from controller.core.computing import about_workflow, known_from_the_beginning
from controller.core.graph import predecessors, upstream
from controller.core.ports import Json
from controller.core.runbook import values_of


@dataclass(frozen=True)
class Definition:
    """`steps` run first, `finally_` when all of them have ended, whatever became of them."""

    steps: tuple[Step, ...]
    finally_: tuple[Step, ...]
    order: Order
    on_failure: OnFailure
    max_parallel: int
    about: Json | None
    """What expressions see of the workflow itself; None where the values of its parameters are not known."""

    @cached_property
    def all(self) -> tuple[Step, ...]:
        """Every step, finally steps last."""
        return self.steps + self.finally_

    @cached_property
    def main(self) -> frozenset[str]:
        """Names of the steps that are not finally steps."""
        return frozenset(step.name for step in self.steps)

    @cached_property
    def by_name(self) -> Mapping[str, Step]:
        return {step.name: step for step in self.all}

    @cached_property
    def names(self) -> frozenset[str]:
        return frozenset(self.by_name)

    @cached_property
    def before(self) -> Mapping[str, tuple[str, ...]]:
        """For each step, those of its own part that must have ended before it starts."""
        return {**predecessors(self.steps, self.order), **predecessors(self.finally_, self.order)}

    @cached_property
    def upstream(self) -> Mapping[str, frozenset[str]]:
        """For each step, all that have ended when it starts; only those can it read."""
        last = upstream(predecessors(self.finally_, self.order))
        return {
            **upstream(predecessors(self.steps, self.order)),
            **{name: before | self.main for name, before in last.items()},
        }


def plan_of(workflow: ActionWorkflow, runbook: RunbookSpec | None = None) -> Plan:
    """What it runs as it was written: its own steps, or those of the runbook that it names.

    What was pinned goes before `runbook`, which is what has that name now. Empty where there is neither.
    """
    if workflow.spec.runbook_ref is None:
        return workflow.spec
    return pinned_spec(workflow) or runbook or Plan()


def pinned_spec(workflow: ActionWorkflow) -> RunbookSpec | None:
    """The runbook that it runs, whatever has become of it."""
    pinned = workflow.status.runbook
    return RunbookSpec.model_validate(pinned.spec) if pinned else None


def definition_of(workflow: ActionWorkflow, plan: Plan, *, values: bool = True) -> Definition:
    """The plan as this workflow runs it. `values` False: the parameters have none, so nothing is filled in."""
    names = frozenset(step.name for step in plan.all_steps)
    given = workflow.spec.parameters
    about = about_workflow(workflow, values_of(plan, given) if isinstance(plan, RunbookSpec) else given)

    def known(steps: tuple[Step, ...]) -> tuple[Step, ...]:
        whole = tuple(_with_retry(step, plan, workflow) for step in steps)
        return tuple(known_from_the_beginning(step, names, about) for step in whole) if values else whole

    return Definition(
        known(plan.steps),
        known(plan.finally_),
        plan.order,
        plan.on_failure,
        plan.max_parallel,
        about if values else None,
    )


def _with_retry(step: Step, plan: Plan, workflow: ActionWorkflow) -> Step:
    """The step with what the runbook says of retries below what the workflow and the step say."""
    if not isinstance(plan, RunbookSpec) or plan.retry is None:
        return step
    merged: Json = {}
    for retry in (plan.retry, workflow.spec.retry, step.retry):
        merged |= retry.wire() if retry else {}
    return step.model_copy(update={"retry": RetrySpec.model_validate(merged)})
