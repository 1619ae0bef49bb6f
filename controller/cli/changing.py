"""cancel, suspend, resume, undo: commands that change something."""

from collections.abc import Sequence

from controller.api.proposal import ActionProposal
from controller.api.workflow import ActionWorkflow
from controller.cli.data import write
from controller.cli.exits import Exit
from controller.cli.find import find
from controller.cli.items import Item, Model
from controller.cli.options import DataForm
from controller.cli.refusals import Refused
from controller.cli.screen import one_line
from controller.cli.session import Run
from controller.cli.table import UNREADABLE
from controller.cli.watching import wait_for
from controller.client.standing import phase_of
from controller.client.undo import can_undo, undo_request
from controller.core.errors import Conflict
from controller.core.steps import WORKFLOW_LABEL
from controller.kube.resources import PROPOSALS


async def cancel(run: Run, name: str) -> Exit:
    item, model = await _live(run, name, "cancel")
    await run.client.cancel(item.name, item.kind, namespace=item.namespace)
    said = "was asked to be cancelled before" if model.spec.cancelled else "is asked to be cancelled"
    return _say(run, f"{item.short} {said} (was {phase_of(model)}); see: kubectl actions wait {_place(item)}")


async def suspend(run: Run, name: str) -> Exit:
    item, _ = await _live(run, name, "suspend")
    await run.client.suspend(item.name, item.kind, namespace=item.namespace)
    return _say(
        run, f"{item.short} is suspended: nothing new starts; go on with: kubectl actions resume {_place(item)}"
    )


async def resume(run: Run, name: str) -> Exit:
    item, model = await _live(run, name, "resume")
    await run.client.resume(item.name, item.kind, namespace=item.namespace)
    return _say(run, f"{item.short} {'goes on' if model.spec.suspend else 'was not suspended'}")


async def undo(
    run: Run, name: str, *, new_name: str | None, reason: str | None, form: DataForm | None, then_wait: bool
) -> Exit:
    item = await find(run.api, run.namespace, name)
    if isinstance(item.model, ActionWorkflow):
        raise Refused(workflow_refusal(item.model, await _steps_to_undo(run, item.model)))
    if item.model is None:
        raise Refused(f"{item.short}: {UNREADABLE}")
    request = undo_request(item.model, name=new_name, reason=reason)
    if form is not None:
        write(run.out, request.manifest(), form)
        return Exit.OK
    try:
        made = await run.client.propose_undo(item.name, namespace=item.namespace, new_name=new_name, reason=reason)
    except Conflict:
        raise Refused(
            f"ap/{request.name} is there already: see kubectl actions describe {request.name} -n {item.namespace}, "
            "or give the new proposal another name with --name"
        ) from None
    proposed = Item(ActionProposal, made.model_dump(mode="json", by_alias=True))
    _say(run, f"{proposed.short} is proposed: it takes back {item.short} by {made.spec.action}")
    return await wait_for(run, proposed, timeout_seconds=None) if then_wait else Exit.OK


async def _steps_to_undo(run: Run, workflow: ActionWorkflow) -> list[str]:
    """The proposals of the workflow's steps that can be undone, the newest first."""
    namespace = workflow.metadata.namespace
    labelled = await run.api.list(
        PROPOSALS, namespace=namespace, label_selector=f"{WORKFLOW_LABEL}={workflow.metadata.name}"
    )
    recorded = {step.uid for step in workflow.status.steps if step.uid}
    items = [Item(ActionProposal, raw) for raw in labelled.items]
    found = [item.model for item in items if item.uid in recorded and isinstance(item.model, ActionProposal)]
    undoable = [model for model in found if can_undo(model)]
    undoable.sort(key=lambda model: str(model.status.completed_at), reverse=True)
    return [model.metadata.name for model in undoable]


def workflow_refusal(workflow: ActionWorkflow, steps: Sequence[str]) -> str:
    """Why a workflow is not undone as a whole, and the commands that do it step by step."""
    name, namespace = workflow.metadata.name, workflow.metadata.namespace
    if not steps:
        return f"aw/{name}: none of its steps can be undone"
    commands = "; ".join(f"kubectl actions undo ap/{step} -n {namespace}" for step in steps)
    return f"aw/{name}: a workflow is undone step by step, the newest first: {commands}"


async def _live(run: Run, name: str, verb: str) -> tuple[Item, Model]:
    item = await find(run.api, run.namespace, name)
    model = item.model
    if model is None:
        raise Refused(f"{item.short}: {UNREADABLE}")
    if model.status.outcome is not None:
        raise Refused(f"{item.short} is already finished ({model.status.outcome}); there is nothing to {verb}")
    return item, model


def _say(run: Run, text: str) -> Exit:
    run.out.print(one_line(text), soft_wrap=True)
    return Exit.OK


def _place(item: Item) -> str:
    return f"{item.short} -n {item.namespace}"
