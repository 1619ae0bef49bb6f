"""graph: a workflow as a drawing, once or until it is finished."""

from collections.abc import Sequence
from datetime import datetime

from rich.console import RenderableType
from rich.text import Text

from controller.api.workflow import ActionWorkflow
from controller.cli.exits import Exit
from controller.cli.find import find
from controller.cli.graph import dot, drawing, mermaid
from controller.cli.items import Item
from controller.cli.options import GraphForm
from controller.cli.refusals import Refused
from controller.cli.screen import draw
from controller.cli.session import Run
from controller.cli.table import UNREADABLE
from controller.cli.watching import follow_one


async def graph(run: Run, name: str, *, form: GraphForm, follow: bool) -> Exit:
    item = await find(run.api, run.namespace, name)
    workflow = _workflow(item)
    match form:
        case GraphForm.MERMAID:
            run.out.file.write(mermaid(workflow))
        case GraphForm.DOT:
            run.out.file.write(dot(workflow))
        case _ if follow:
            return await follow_one(run, item, _draw)
        case _:
            draw(run.out, drawing(workflow, run.now()))
    return Exit.OK


def _workflow(item: Item) -> ActionWorkflow:
    if isinstance(item.model, ActionWorkflow):
        return item.model
    if item.model is None:
        raise Refused(f"{item.short}: {UNREADABLE}")
    raise Refused(f"{item.short} is a proposal: it has no steps; see kubectl actions describe {item.short}")


def _draw(items: Sequence[Item], now: datetime) -> RenderableType:
    model = items[0].model
    return drawing(model, now) if isinstance(model, ActionWorkflow) else Text(f"{items[0].short}: {UNREADABLE}")
