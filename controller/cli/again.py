"""undo, retry: commands that propose what follows something finished."""

from collections.abc import Awaitable
from typing import TypeVar

from controller.api.proposal import ActionProposal
from controller.api.workflow import ActionWorkflow
from controller.cli.changing import say
from controller.cli.data import write
from controller.cli.exits import Exit
from controller.cli.find import find
from controller.cli.items import Item
from controller.cli.options import DataForm, Following
from controller.cli.refusals import Refused
from controller.cli.session import Run
from controller.cli.table import UNREADABLE
from controller.cli.watching import wait_for
from controller.client.again import retry_workflow, undo_workflow
from controller.client.objects import steps_of
from controller.client.undo import undo_request
from controller.core.errors import Conflict
from controller.core.ports import Json

T = TypeVar("T", bound=ActionProposal | ActionWorkflow)


async def undo(run: Run, name: str, how: Following) -> Exit:
    item = await find(run.api, run.namespace, name)
    new_name, reason, form = how.name, how.reason, how.form
    where = {"namespace": item.namespace, "new_name": new_name, "reason": reason}
    match item.model:
        case None:
            raise Refused(f"{item.short}: {UNREADABLE}")
        case ActionWorkflow() as workflow:
            body = undo_workflow(workflow, await steps_of(run.api, workflow), name=new_name, reason=reason)
            if form is not None:
                return _written(run, body, form)
            steps = [step["name"] for step in body["spec"]["steps"]]
            made = await _proposed(body, "aw", item, run.client.propose_undo_of_workflow(item.name, **where))
            said = f"aw/{made.metadata.name} is proposed: it takes back {', '.join(steps)} of {item.short}"
            return await _then(run, Item(ActionWorkflow, _raw(made)), said, then_wait=how.wait)
        case ActionProposal() as proposal:
            request = undo_request(proposal, name=new_name, reason=reason)
            if form is not None:
                return _written(run, request.manifest(), form)
            done = await _proposed(request.manifest(), "ap", item, run.client.propose_undo(item.name, **where))
            said = f"ap/{done.metadata.name} is proposed: it takes back {item.short} by {done.spec.action}"
            return await _then(run, Item(ActionProposal, _raw(done)), said, then_wait=how.wait)


async def retry(run: Run, name: str, how: Following, *, unknown_too: bool) -> Exit:
    new_name, reason, form = how.name, how.reason, how.form
    item = await find(run.api, run.namespace, name)
    if item.model is None:
        raise Refused(f"{item.short}: {UNREADABLE}")
    if not isinstance(item.model, ActionWorkflow):
        raise Refused(
            f"{item.short} is a proposal, which runs once: propose it anew under another name; retry is for workflows"
        )
    body = retry_workflow(item.model, item.raw["spec"], name=new_name, reason=reason, unknown_too=unknown_too)
    if form is not None:
        return _written(run, body, form)
    proposing = run.client.propose_retry(
        item.name, namespace=item.namespace, new_name=new_name, reason=reason, unknown_too=unknown_too
    )
    made = await _proposed(body, "aw", item, proposing)
    said = f"aw/{made.metadata.name} is proposed: it runs what did not succeed in {item.short}"
    return await _then(run, Item(ActionWorkflow, _raw(made)), said, then_wait=how.wait)


def _written(run: Run, body: Json, form: DataForm) -> Exit:
    write(run.out, body, form)
    return Exit.OK


async def _proposed(body: Json, short: str, item: Item, proposing: Awaitable[T]) -> T:
    try:
        return await proposing
    except Conflict:
        name = body["metadata"]["name"]
        raise Refused(
            f"{short}/{name} is there already: see kubectl actions describe {short}/{name} -n {item.namespace}, "
            "or give the new one another name with --name"
        ) from None


async def _then(run: Run, item: Item, said: str, *, then_wait: bool) -> Exit:
    say(run, said)
    return await wait_for(run, item, timeout_seconds=None) if then_wait else Exit.OK


def _raw(made: ActionProposal | ActionWorkflow) -> Json:
    raw: Json = made.model_dump(mode="json", by_alias=True)
    return raw
