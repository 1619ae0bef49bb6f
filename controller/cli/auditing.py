"""audit: who did what to one, and when: transitions, votes, attempts, from status and Events."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from controller.api.base import rfc3339
from controller.api.common import HistoryEntry
from controller.api.proposal import ActionProposal, Attempt
from controller.api.workflow import ActionWorkflow
from controller.cli.approvals import votes_table
from controller.cli.data import write
from controller.cli.exits import Exit
from controller.cli.find import find
from controller.cli.items import Item, Model
from controller.cli.options import ReportForm
from controller.cli.page import RESULTS, title
from controller.cli.refusals import Refused
from controller.cli.screen import INDENT, Grid, Lines, draw, fields, section, shown
from controller.cli.session import Run
from controller.cli.table import UNREADABLE
from controller.cli.times import Clock, stamp, took
from controller.core.errors import ActionError, NotFound, RightMissing
from controller.core.ports import Json
from controller.core.record import made_by_attempt
from controller.kube.resources import EVENTS

_NUMBER = re.compile(r"\.(\d+)\.[a-z]+$")


@dataclass(frozen=True)
class Entry:
    """One transition. `source`: where it was found, `status` or `event`; an Event does not say who it was."""

    n: int
    at: datetime
    what: str
    who: str
    message: str
    source: str
    attempt: Attempt | None = None


async def audit(run: Run, name: str, *, form: ReportForm) -> Exit:
    """The whole command."""
    item = await find(run.api, run.namespace, name)
    model = item.model
    if model is None:
        raise Refused(f"{item.short}: {UNREADABLE}")
    events, trouble = await _events(run, item)
    entries = merged(model, events)
    if form is not ReportForm.TEXT:
        write(run.out, _as_data(item, model, entries), form)
    else:
        draw(run.out, _page(model, entries))
    if trouble:
        run.note(f"without Events: {trouble}")
    return Exit.OK


def merged(model: Model, events: Iterable[Json]) -> list[Entry]:
    """All transitions in their order. The status is the record; Events fill in what it keeps no longer."""
    attempts = model.status.attempts if isinstance(model, ActionProposal) else ()
    found = {entry.n: entry for entry in _of_events(model, events)}
    found |= {entry.n: _of_status(entry, attempts) for entry in model.status.history}
    return [found[n] for n in sorted(found)]


def gaps(entries: Sequence[Entry]) -> list[str]:
    """`3 to 7`: the numbers that are nowhere any more."""
    gone, last = [], 0
    for entry in entries:
        if entry.n > last + 1:
            gone.append(f"{last + 1}" if entry.n == last + 2 else f"{last + 1} to {entry.n - 1}")
        last = entry.n
    return gone


def attempt_of(entry: HistoryEntry, attempts: Sequence[Attempt]) -> Attempt | None:
    """The attempt under way at a transition, where one made it."""
    if not made_by_attempt(entry.reason):
        return None
    begun = [attempt for attempt in attempts if attempt.started_at <= entry.at]
    return begun[-1] if begun else None


def _of_status(entry: HistoryEntry, attempts: Sequence[Attempt]) -> Entry:
    return Entry(
        entry.n, entry.at, str(entry.reason), entry.actor, entry.message, "status", attempt_of(entry, attempts)
    )


def _of_events(model: Model, events: Iterable[Json]) -> Iterator[Entry]:
    for event in events:
        number = _NUMBER.search(event["metadata"]["name"])
        if number is None or event.get("regarding", {}).get("uid") != model.metadata.uid:
            continue
        at = datetime.fromisoformat(event["eventTime"])
        yield Entry(int(number[1]), at, str(event.get("reason", "")), "-", str(event.get("note", "")), "event")


async def _events(run: Run, item: Item) -> tuple[Sequence[Json], str]:
    """Events about it, and why there are none if they cannot be read."""
    try:
        listed = await run.api.list(EVENTS, namespace=item.namespace, field_selector=f"regarding.name={item.name}")
    except (RightMissing, NotFound) as error:
        return (), str(error)
    except ActionError:
        listed = await run.api.list(EVENTS, namespace=item.namespace)
    return [event for event in listed.items if event.get("regarding", {}).get("uid") == item.uid], ""


def _page(model: Model, entries: Sequence[Entry]) -> Group:
    parts: list[RenderableType] = [title(model)]
    parts += section("Transitions", _transitions(entries))
    if gone := gaps(entries):
        text = f"! {', '.join(gone)}: neither in the status nor in Events any more; the operator's audit log has them"
        parts.append(Lines(Text(text, "yellow"), INDENT))
    if model.status.approvals:
        parts += section("Votes", votes_table(model.status.approvals))
    if isinstance(model, ActionWorkflow):
        parts += section("Steps", _steps(model))
    elif model.status.attempts:
        parts += section("Attempts", Group(*(_attempt(attempt) for attempt in model.status.attempts)))
    return Group(*parts)


def _transitions(entries: Sequence[Entry]) -> Grid:
    if not entries:
        return Grid([(Text("none yet: the operator has not looked at it", "dim"),)], indent=INDENT)
    clock = Clock(entry.at for entry in entries)
    rows = [
        (
            Text(str(entry.n)),
            Text(clock(entry.at)),
            shown(entry.what),
            shown(entry.who),
            Text(str(entry.attempt.number) if entry.attempt else "-"),
            shown(entry.message or "-"),
        )
        for entry in entries
    ]
    return Grid(rows, header=("N", clock.header, "WHAT", "WHO", "ATTEMPT", "MESSAGE"), indent=INDENT)


def _attempt(attempt: Attempt) -> Grid:
    result = str(attempt.result) if attempt.result else "running"
    reason = f": {attempt.reason}" if attempt.reason and attempt.reason != result else ""
    ended = f", took {took(attempt.started_at, attempt.finished_at)}" if attempt.finished_at else ""
    rows = [
        (f"Attempt {attempt.number}", Text(result + reason, RESULTS[attempt.result] if attempt.result else "cyan")),
        ("  id", shown(attempt.id)),
        ("  operation", shown(attempt.operation)),
        ("  owner", shown(attempt.owner)),
        ("  started", Text(stamp(attempt.started_at) + ended)),
    ]
    return fields(rows)


def _steps(workflow: ActionWorkflow) -> Grid:
    rows = [
        (
            shown(step.name),
            Text(str(step.outcome or "-")),
            shown(
                f"kubectl actions audit ap/{step.proposal} -n {workflow.metadata.namespace}" if step.proposal else "-"
            ),
        )
        for step in workflow.status.steps
    ]
    return Grid(rows, header=("STEP", "OUTCOME", "ITS OWN"), indent=INDENT)


def _as_data(item: Item, model: Model, entries: Sequence[Entry]) -> Json:
    subject = {"kind": item.kind.INFO.kind, "namespace": item.namespace, "name": item.name, "uid": item.uid}
    data: dict[str, Any] = {
        "subject": subject,
        "outcome": str(model.status.outcome) if model.status.outcome else None,
        "digest": model.status.digest,
        "transitions": [_entry_data(entry) for entry in entries],
        "missing": gaps(entries),
        "approvals": [vote.wire() for vote in model.status.approvals],
    }
    if isinstance(model, ActionProposal):
        data["attempts"] = [attempt.wire() for attempt in model.status.attempts]
    else:
        data["steps"] = [{"name": step.name, "proposal": step.proposal} for step in model.status.steps]
    return data


def _entry_data(entry: Entry) -> Json:
    return {
        "n": entry.n,
        "at": rfc3339(entry.at),
        "reason": entry.what,
        "actor": entry.who if entry.source == "status" else None,
        "message": entry.message,
        "attempt": entry.attempt.id if entry.attempt else None,
        "source": entry.source,
    }
