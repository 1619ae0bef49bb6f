"""watch and wait: see it happen, or only learn how it ended."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from controller.cli.exits import Exit, exit_of
from controller.cli.find import fetch, find
from controller.cli.items import Item, Model
from controller.cli.options import KindChoice
from controller.cli.page import brief
from controller.cli.reading import KINDS, nothing_there
from controller.cli.refusals import Refused
from controller.cli.screen import one_line
from controller.cli.session import Run
from controller.cli.table import UNREADABLE, table
from controller.cli.times import stamp
from controller.client.standing import as_asked, standing
from controller.core.errors import NotFound, TransientFailure
from controller.kube.resources import resource

LOOK_SECONDS = 1.0
# Left free above and below the table: its header, the line on older ones, the prompt.
TABLE_MARGIN = 4

Look = Callable[[], Awaitable[Sequence[Item]]]
Draw = Callable[[Sequence[Item], datetime], RenderableType]


async def wait(run: Run, name: str, *, timeout_seconds: float | None) -> Exit:
    item = await find(run.api, run.namespace, name)
    return await wait_for(run, item, timeout_seconds=timeout_seconds)


async def wait_for(run: Run, item: Item, *, timeout_seconds: float | None) -> Exit:
    """Wait for the outcome and print it. Raises NotFinished when time was up first."""
    finished: Model = await run.client.wait(
        item.name, item.kind, namespace=item.namespace, timeout_seconds=timeout_seconds
    )
    run.out.print(one_line(f"{item.short} {standing(finished, run.now())}"))
    return exit_code(finished)


def exit_code(model: Model) -> Exit:
    """The code for a finished object."""
    outcome = model.status.outcome
    assert outcome is not None  # noqa: S101 - only asked of finished objects
    return exit_of(outcome, as_asked=as_asked(model))


async def watch_one(run: Run, name: str) -> Exit:
    """Show one object until it is finished."""

    def draw(items: Sequence[Item], now: datetime) -> RenderableType:
        model = items[0].model
        return Text(f"{items[0].short}: {UNREADABLE}") if model is None else brief(model, now)

    return await follow_one(run, await find(run.api, run.namespace, name), draw)


async def follow_one(run: Run, item: Item, draw: Draw) -> Exit:
    """Draw one object anew until it is finished; the exit code is its outcome."""

    async def look() -> Sequence[Item]:
        try:
            raw = await run.api.get(resource(item.kind.INFO), item.name, namespace=item.namespace)
        except NotFound:
            raise Refused(f"{item.short} was deleted while it was watched", Exit.NOT_FOUND) from None
        if raw["metadata"]["uid"] != item.uid:
            raise Refused(f"{item.short} was deleted and made again while it was watched", Exit.NOT_FOUND)
        return [Item(item.kind, raw)]

    last = await _watch(
        run, [item], look, draw, until=lambda items: bool(items[0].raw.get("status", {}).get("outcome"))
    )
    model = last[0].model
    if model is None:
        raise Refused(f"{item.short}: {UNREADABLE}")
    return exit_code(model)


async def watch_all(run: Run, *, everywhere: bool, kind: KindChoice, live: bool) -> Exit:
    """Show all objects until interrupted."""
    namespace = None if everywhere else run.namespace

    async def look() -> Sequence[Item]:
        return await fetch(run.api, namespace, KINDS[kind], live=live)

    def draw(items: Sequence[Item], now: datetime) -> RenderableType:
        if not items:
            return Text(nothing_there(kind, namespace, live=live), "dim")
        room = max(1, run.out.height - TABLE_MARGIN)
        older = Text(f"... and {len(items) - room} older", "dim")
        rows = table(items[-room:], now, namespaces=everywhere)
        return Group(older, rows) if len(items) > room else rows

    first = await look()
    if not first and not run.out.is_terminal:
        run.note(nothing_there(kind, namespace, live=live))
    await _watch(run, first, look, draw, until=lambda items: False)
    return Exit.OK


async def _watch(
    run: Run,
    first: Sequence[Item],
    look: Look,
    draw: Draw,
    *,
    until: Callable[[Sequence[Item]], bool],
) -> Sequence[Item]:
    """Look again every second until it is over; what is seen is drawn anew, or told line by line to a pipe."""
    if run.out.is_terminal:
        with Live(draw(first, run.now()), console=run.out, auto_refresh=False) as shown:
            return await _follow(
                run,
                first,
                look,
                until,
                lambda items, note: shown.update(_drawn(draw, items, run.now(), note), refresh=True),
            )
    told = Changes()
    return await _follow(run, first, look, until, lambda items, note: _tell(run, told, items, note))


async def _follow(
    run: Run,
    items: Sequence[Item],
    look: Look,
    until: Callable[[Sequence[Item]], bool],
    show: Callable[[Sequence[Item], str], Any],
) -> Sequence[Item]:
    show(items, "")
    while not until(items):
        await asyncio.sleep(LOOK_SECONDS)
        try:
            items, note = await look(), ""
        except TransientFailure as error:
            note = f"as last seen; still trying: {error}"
        show(items, note)
    return items


def _drawn(draw: Draw, items: Sequence[Item], now: datetime, note: str) -> RenderableType:
    return Group(draw(items, now), one_line(note, "yellow")) if note else draw(items, now)


class Changes:
    """What was told of each object, so that only news are told."""

    def __init__(self) -> None:
        self._told: dict[str, tuple[object, ...]] = {}
        self._names: dict[str, str] = {}
        self.note = ""

    def lines(self, items: Sequence[Item], now: datetime) -> list[str]:
        """A line for each object that is new, changed or gone."""
        lines = []
        for item in items:
            state = _state(item)
            if self._told.get(item.uid) != state:
                self._told[item.uid] = state
                self._names[item.uid] = f"{item.namespace} {item.short}"
                said = standing(item.model, now) if item.model else UNREADABLE
                lines.append(f"{stamp(now)} {self._names[item.uid]} {said}")
        for uid in set(self._told) - {item.uid for item in items}:
            del self._told[uid]
            lines.append(f"{stamp(now)} {self._names.pop(uid)} is gone")
        return lines


def _state(item: Item) -> tuple[object, ...]:
    status = item.raw.get("status") or {}
    return tuple(status.get(name) for name in ("phase", "outcome", "message", "progress", "retryCount", "nextRetryAt"))


def _tell(run: Run, told: Changes, items: Sequence[Item], note: str) -> None:
    for line in told.lines(items, run.now()):
        run.out.print(one_line(line))
    run.out.file.flush()
    if note and note != told.note:
        run.note(note)
    told.note = note
