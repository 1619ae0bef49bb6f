"""What is wrong with a workflow as it was written: fields, graph, expressions, every step's action and parameters."""

from collections.abc import Iterator
from dataclasses import replace

from controller.api.names import Reason
from controller.api.workflow import Step
from controller.core.check_faults import check_faults
from controller.core.checks import read_objects
from controller.core.earlier import earlier_faults
from controller.core.expression_faults import expression_faults
from controller.core.graph import graph_faults, step_path
from controller.core.runbook import own_faults
from controller.core.validation import action_faults, field_faults, kind_faults
from controller.core.view import Fault, WorkflowView
from controller.core.world import retry_config


def workflow_faults(view: WorkflowView) -> Iterator[Fault]:
    """Everything wrong with the workflow."""
    yield from field_faults(view.workflow.spec)
    if view.earlier is not None:
        for message in earlier_faults(view.workflow.spec.retry_of, view.earlier.workflow):
            yield Fault(Reason.INVALID_SPEC, message, missing=True)
    if view.workflow.spec.runbook_ref is None:
        yield from plan_faults(view)
    else:
        yield from _runbook_faults(view, view.workflow.spec.runbook_ref.name)


def _runbook_faults(view: WorkflowView, name: str) -> Iterator[Fault]:
    """What is wrong with the runbook that it names, with the values for it, or with the steps that come of them."""
    entry, where = view.runbook, f"spec.runbookRef: ActionRunbook {name}"
    if view.workflow.status.runbook is None:
        if entry is None:
            message = f"spec.runbookRef.name: there is no ActionRunbook {name} in this namespace; create it"
            yield Fault(Reason.RUNBOOK_MISSING, message, missing=True)
            return
        faults = [Fault(Reason.INVALID_RUNBOOK, f"{where}, {fault}", missing=True) for fault in own_faults(entry)]
        faults += field_faults(entry.runbook.spec) if not faults else []
        values = entry.parameters.faults(view.workflow.spec.parameters, "spec.parameters") if not faults else []
        faults += [Fault(Reason.INVALID_PARAMETERS, fault) for fault in values]
        yield from faults
        if faults:
            return
    for fault in plan_faults(view):
        yield replace(fault, message=f"{where}, {fault.message}")


def plan_faults(view: WorkflowView) -> Iterator[Fault]:
    """Everything wrong with what it runs."""
    definition = view.definition
    for steps, path in ((definition.steps, "spec.steps"), (definition.finally_, "spec.finally")):
        for message in graph_faults(steps, definition.order, path):
            yield Fault(Reason.INVALID_GRAPH, message)
    for step in definition.all:
        yield from step_faults(view, step)


def step_faults(view: WorkflowView, step: Step) -> Iterator[Fault]:
    """Everything wrong with one step."""
    path = step_path(step.name)
    yield from check_faults(path, step.preconditions, step.verify, view.workflow.metadata.namespace or "")
    yield from expression_faults(view, step, path)
    yield from _action_faults(view, step, path)
    if step.undo is not None:
        undo = Step(name=step.name, action=step.undo.action, parameters=step.undo.parameters)
        yield from _action_faults(view, undo, f"{path}.undo")


def _action_faults(view: WorkflowView, step: Step, path: str) -> Iterator[Fault]:
    catalogue = view.world.catalogue
    computed = frozenset(one.path for one in step.computed)
    faults = action_faults(catalogue, step.action, step.parameters, path, computed)
    yield from faults
    entry = catalogue.types.get(step.action)
    if faults or entry is None:
        return
    try:
        retry_config(entry, *(retry.wire() for retry in (view.workflow.spec.retry, step.retry) if retry))
    except ValueError as error:
        yield Fault(Reason.INVALID_SPEC, f"{path}.retry: {error}")
    traits = catalogue.executors.traits(entry, None if computed else step.parameters)
    yield from kind_faults(traits, view.policy_of(step.action), path)
    needs_runner = traits.needs_runner or read_objects((*step.preconditions, *step.verify))
    if needs_runner and view.runner_of(step.action) is None:
        message = view.policy_of(step.action).conflict or (
            "it, or a check of it, touches the API server and needs a ServiceAccount to act as; name one in "
            "spec.serviceAccountName or in an ActionPolicy"
        )
        yield Fault(Reason.RUNNER_MISSING, f"{path}: {message}", missing=True)
