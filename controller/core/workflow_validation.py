"""What is wrong with a workflow as it was written: fields, graph, and every step's action and parameters."""

from collections.abc import Iterator

from controller.api.names import Reason
from controller.api.workflow import OnFailure, Step
from controller.core.graph import graph_faults, step_path
from controller.core.validation import action_faults, check_faults, executor_name, field_faults, not_supported
from controller.core.view import Fault, WorkflowView
from controller.core.world import retry_config


def workflow_faults(view: WorkflowView) -> Iterator[Fault]:
    """Everything wrong with the workflow: fields, graph, and every step's action and parameters."""
    spec = view.workflow.spec
    yield from field_faults(spec)
    for name, used in (("finally", spec.finally_), ("parameters", spec.parameters)):
        if used:
            yield not_supported(f"spec.{name}")
    if spec.on_failure is OnFailure.ROLLBACK:
        yield not_supported("spec.onFailure: Rollback")
    yield from graph_faults(spec)
    for step in spec.steps:
        yield from step_faults(view, step)


def step_faults(view: WorkflowView, step: Step) -> Iterator[Fault]:
    """Everything wrong with one step."""
    path = step_path(step.name)
    for name in ("when", "computed", "undo"):
        if getattr(step, name):
            yield not_supported(f"{path}.{name}")
    yield from check_faults(path, step.preconditions, step.verify)
    faults = action_faults(view.world.catalogue, step.action, step.parameters, path)
    yield from faults
    entry = view.world.catalogue.types.get(step.action)
    if faults or entry is None:
        return
    try:
        retry_config(entry, *(retry.wire() for retry in (view.workflow.spec.retry, step.retry) if retry))
    except ValueError as error:
        yield Fault(Reason.INVALID_SPEC, f"{path}.retry: {error}")
    traits = view.world.catalogue.built_ins.traits(executor_name(entry), step.parameters)
    policy = view.policy_of(step.action)
    if traits.needs_runner and view.runner_of(step.action) is None:
        message = policy.conflict or (
            "touches the API server and needs a ServiceAccount to act as; name one in spec.serviceAccountName "
            "or in an ActionPolicy"
        )
        yield Fault(Reason.RUNNER_MISSING, f"{path}: {message}", missing=True)
