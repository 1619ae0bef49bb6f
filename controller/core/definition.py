"""What a workflow does: its steps and finally steps and their order, with everything filled in that is known."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from controller.api.workflow import ActionWorkflow, OnFailure, Order, Step
from controller.core.computing import about_workflow, known_from_the_beginning
from controller.core.graph import predecessors, upstream


@dataclass(frozen=True)
class Definition:
    """`steps` run first, `finally_` when all of them have ended, whatever became of them."""

    steps: tuple[Step, ...]
    finally_: tuple[Step, ...]
    order: Order
    on_failure: OnFailure
    max_parallel: int

    @cached_property
    def all(self) -> tuple[Step, ...]:
        """Every step, finally steps last."""
        return self.steps + self.finally_

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
        main = frozenset(step.name for step in self.steps)
        last = upstream(predecessors(self.finally_, self.order))
        return {
            **upstream(predecessors(self.steps, self.order)),
            **{name: before | main for name, before in last.items()},
        }


def definition_of(workflow: ActionWorkflow) -> Definition:
    spec = workflow.spec
    names = frozenset(step.name for step in (*spec.steps, *spec.finally_))
    about = about_workflow(workflow)

    def known(steps: tuple[Step, ...]) -> tuple[Step, ...]:
        return tuple(known_from_the_beginning(step, names, about) for step in steps)

    return Definition(known(spec.steps), known(spec.finally_), spec.order, spec.on_failure, spec.max_parallel)
