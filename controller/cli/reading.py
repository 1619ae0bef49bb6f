"""list, describe, types: commands that only show."""

from controller.api.actiontype import ActionType
from controller.api.proposal import ActionProposal
from controller.api.workflow import ActionWorkflow
from controller.cli.catalogue import catalogue, types_table
from controller.cli.data import clean, full_name, list_of, write
from controller.cli.exits import Exit
from controller.cli.find import BOTH, fetch, find
from controller.cli.items import Kind
from controller.cli.options import KindChoice, ListForm, PageForm
from controller.cli.page import page
from controller.cli.refusals import NOT_INSTALLED, Refused
from controller.cli.screen import draw
from controller.cli.session import Run
from controller.cli.table import UNREADABLE, table
from controller.core.errors import NotFound
from controller.core.validation import unknown_action
from controller.kube.resources import TYPES

KINDS: dict[KindChoice, tuple[Kind, ...]] = {
    KindChoice.ALL: BOTH,
    KindChoice.PROPOSALS: (ActionProposal,),
    KindChoice.WORKFLOWS: (ActionWorkflow,),
}


async def list_objects(run: Run, *, everywhere: bool, kind: KindChoice, live: bool, form: ListForm) -> Exit:
    items = await fetch(run.api, None if everywhere else run.namespace, KINDS[kind], live=live)
    match form:
        case ListForm.JSON | ListForm.YAML:
            write(run.out, list_of([item.clean() for item in items]), form)
        case ListForm.NAME:
            run.out.file.writelines(f"{item.full}\n" for item in items)
        case _ if not items:
            run.note(nothing_there(kind, None if everywhere else run.namespace, live=live))
        case _:
            draw(run.out, table(items, run.now(), wide=form is ListForm.WIDE, namespaces=everywhere))
    return Exit.OK


def nothing_there(kind: KindChoice, namespace: str | None, *, live: bool) -> str:
    """The line for an empty list."""
    what = "proposals or workflows" if kind is KindChoice.ALL else str(kind)
    where = f"in namespace {namespace}; for all namespaces add -A" if namespace else "in any namespace"
    return f"no {'live ' if live else ''}{what} {where}"


async def describe(run: Run, name: str, *, form: PageForm) -> Exit:
    item = await find(run.api, run.namespace, name)
    match form:
        case PageForm.JSON | PageForm.YAML:
            write(run.out, item.clean(), form)
        case PageForm.NAME:
            run.out.file.write(f"{item.full}\n")
        case _ if item.model is None:
            raise Refused(f"{item.short}: {UNREADABLE}")
        case _:
            draw(run.out, page(item.model, run.now()))
    return Exit.OK


async def list_types(run: Run, name: str | None, *, form: ListForm) -> Exit:
    try:
        listed = (await run.api.list(TYPES)).items
    except NotFound:
        raise Refused(NOT_INSTALLED, Exit.NOT_FOUND) from None
    by_name = {raw["metadata"]["name"]: raw for raw in listed}
    if name is not None and name not in by_name:
        raise Refused(unknown_action(by_name, name), Exit.NOT_FOUND)
    chosen = [raw for key, raw in sorted(by_name.items()) if name in (None, key)]
    match form:
        case ListForm.JSON | ListForm.YAML:
            objects = [clean(raw, ActionType.INFO) for raw in chosen]
            write(run.out, list_of(objects) if name is None else objects[0], form)
        case ListForm.NAME:
            run.out.file.writelines(f"{full_name(ActionType.INFO, raw['metadata']['name'])}\n" for raw in chosen)
        case _ if not chosen:
            run.note(
                "no action types, so nothing can run: apply the catalogue (kubectl apply --server-side -f catalog/)"
            )
        case ListForm.TABLE if name is None:
            draw(run.out, types_table([ActionType.model_validate(raw) for raw in chosen]))
        case _:
            draw(run.out, catalogue([ActionType.model_validate(raw) for raw in chosen]))
    return Exit.OK
