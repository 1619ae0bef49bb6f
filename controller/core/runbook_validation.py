"""Whether a runbook can be run at all: all that is checked of a workflow but for what depends on who runs it."""

from collections.abc import Iterator

from controller.api.common import ObjectMeta
from controller.api.names import Reason
from controller.api.workflow import ActionWorkflow, RunbookRef, WorkflowSpec
from controller.core.runbook import RunbookEntry, own_faults
from controller.core.validation import field_faults
from controller.core.view import WorkflowView
from controller.core.workflow_validation import plan_faults
from controller.core.world import World

_OF_THE_RUN = frozenset({Reason.RUNNER_MISSING})
"""Told of the workflow that runs it: which runner it gets depends on that."""


def runbook_faults(entry: RunbookEntry, world: World) -> list[str]:
    """Everything wrong with it, with its path."""
    return list(_faults(entry, world))


def _faults(entry: RunbookEntry, world: World) -> Iterator[str]:
    own = [*(fault.message for fault in field_faults(entry.runbook.spec)), *own_faults(entry)]
    yield from own
    if own:
        return
    about = entry.runbook.metadata
    spec = WorkflowSpec(description="-", reason="-", runbook_ref=RunbookRef(name=about.name))
    run = ActionWorkflow(metadata=ObjectMeta(name=about.name, namespace=about.namespace), spec=spec)
    view = WorkflowView(run, {}, world, {}, runbook=entry, values=False)
    yield from (fault.message for fault in plan_faults(view) if fault.reason not in _OF_THE_RUN)
