"""Running a runbook: from texts to values, what is wrong with them, and the workflow to create. Pure."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from controller.api.common import ObjectMeta
from controller.api.workflow import ActionWorkflow, WorkflowSpec
from controller.client.errors import ValidationError
from controller.client.rules import Asked
from controller.client.values import typed_values
from controller.core.definition import definition_of
from controller.core.graph import step_path
from controller.core.ports import Json
from controller.core.runbook import RunbookEntry, own_faults, schema_of


def typed(entry: RunbookEntry, given: Mapping[str, str]) -> Json:
    """What people type as the runbook's schema types it. What does not fit stays text, for `check_values` to tell."""
    return typed_values(schema_of(entry.runbook.spec), given)


def check_values(entry: RunbookEntry, values: Json) -> None:
    """Raises ValidationError with everything wrong with the runbook, else with everything wrong with the values."""
    name = entry.runbook.metadata.name
    faults = [f"ActionRunbook {name}, {fault}" for fault in own_faults(entry)]
    faults = faults or entry.parameters.faults(values, "spec.parameters")
    if faults:
        raise ValidationError(faults)


def asked_by(entry: RunbookEntry, spec: WorkflowSpec, name: str, namespace: str) -> list[Asked]:
    """The actions that the workflow would run, with their parameters as far as they are known."""
    workflow = ActionWorkflow(metadata=ObjectMeta(name=name, namespace=namespace), spec=spec)
    steps = definition_of(workflow, entry.runbook.spec).all
    return [
        Asked(step_path(step.name), step.action, step.parameters, frozenset(one.path for one in step.computed))
        for step in steps
    ]


def no_runbook(name: str, namespace: str, there: Iterable[str]) -> str:
    """`there is no ActionRunbook restrat in namespace shop; did you mean restart?`"""
    names = sorted(there)
    near = get_close_matches(name, names, 3, 0.6)
    if near:
        hint = f"did you mean {' or '.join(near)}?"
    else:
        hint = f"there are: {', '.join(names[:12])}" if names else "there are none"
    return f"there is no ActionRunbook {name} in namespace {namespace}; {hint}"
