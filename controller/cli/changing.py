"""cancel, suspend, resume: commands that change what is under way."""

from controller.cli.exits import Exit
from controller.cli.find import find
from controller.cli.items import Item, Model
from controller.cli.refusals import Refused
from controller.cli.screen import one_line
from controller.cli.session import Run
from controller.cli.table import UNREADABLE
from controller.client.standing import phase_of
from controller.core.errors import ActionError
from controller.kube.resources import POLICIES


async def cancel(run: Run, name: str) -> Exit:
    item, model = await _live(run, name, "cancel")
    await run.client.cancel(item.name, item.kind, namespace=item.namespace)
    said = "was asked to be cancelled before" if model.spec.cancelled else "is asked to be cancelled"
    return say(run, f"{item.short} {said} (was {phase_of(model)}); see: kubectl actions wait {place(item)}")


async def suspend(run: Run, name: str) -> Exit:
    item, _ = await _live(run, name, "suspend")
    await run.client.suspend(item.name, item.kind, namespace=item.namespace)
    return say(run, f"{item.short} is suspended: nothing new starts; go on with: kubectl actions resume {place(item)}")


async def resume(run: Run, name: str) -> Exit:
    try:
        item, model = await _live(run, name, "resume")
    except Refused as refused:
        if refused.code is Exit.NOT_FOUND and "/" not in name and await _is_policy(run, name):
            said = f"{name} is a policy; end its halt with: kubectl actions resume apol/{name}"
            raise Refused(said, Exit.USAGE) from None
        raise
    await run.client.resume(item.name, item.kind, namespace=item.namespace)
    return say(run, f"{item.short} {'goes on' if model.spec.suspend else 'was not suspended'}")


async def _is_policy(run: Run, name: str) -> bool:
    try:
        await run.api.get(POLICIES, name)
    except ActionError:
        return False
    return True


async def _live(run: Run, name: str, verb: str) -> tuple[Item, Model]:
    item = await find(run.api, run.namespace, name)
    model = item.model
    if model is None:
        raise Refused(f"{item.short}: {UNREADABLE}")
    if model.status.outcome is not None:
        raise Refused(f"{item.short} is already finished ({model.status.outcome}); there is nothing to {verb}")
    return item, model


def say(run: Run, text: str) -> Exit:
    run.out.print(one_line(text), soft_wrap=True)
    return Exit.OK


def place(item: Item) -> str:
    return f"{item.short} -n {item.namespace}"
