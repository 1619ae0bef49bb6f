"""pending: what waits for an approval, and whether it waits for mine."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from rich.text import Text

from controller.api.approval import ActionApproval
from controller.api.common import Identity
from controller.api.names import Phase
from controller.api.proposal import ActionProposal
from controller.cli.approvals import waits_for
from controller.cli.approving import is_own, own_counts
from controller.cli.catalogue import RISKS
from controller.cli.data import list_of, write
from controller.cli.exits import Exit
from controller.cli.find import fetch
from controller.cli.items import SHORT, Item, Model
from controller.cli.options import PendingForm
from controller.cli.screen import Grid, Last, draw, one_line, shown
from controller.cli.session import Run
from controller.cli.times import countdown
from controller.client.access import Access
from controller.client.votes import covered_actions, question_put
from controller.client.voting import APPROVALS
from controller.core.errors import NotFound, RightMissing
from controller.core.ports import Json

MAX_ACTIONS = 3


@dataclass(frozen=True)
class Waiting:
    """One object that awaits approval."""

    item: Item
    model: Model
    own: bool
    """Whether we asked for it ourselves."""
    why_not: str
    """Why our approval is not what it waits for; empty = it is."""


async def pending(run: Run, *, everywhere: bool, every: bool, form: PendingForm) -> Exit:
    """The whole command. `every`: also what does not wait for us."""
    namespace = None if everywhere else run.namespace
    me = await run.client.identity()
    items = await fetch(run.api, namespace, live=True)
    found = await _waiting(run, namespace, [item for item in items if _awaits(item)], me)
    rows = found if every else [one for one in found if not one.why_not]
    match form:
        case PendingForm.JSON | PendingForm.YAML:
            write(run.out, list_of([one.item.clean() for one in rows]), form)
        case PendingForm.NAME:
            run.out.file.writelines(f"{one.item.full}\n" for one in rows)
        case _ if not rows:
            run.note(_nothing(namespace, others=len(found)))
        case _:
            draw(run.out, pending_table(rows, run.now(), namespaces=everywhere, every=every))
            if others := len(found) - len(rows):
                run.note(f"and {others} that {_wait(others)} for somebody else; see them with --all")
    return Exit.OK


def pending_table(rows: Sequence[Waiting], now: datetime, *, namespaces: bool = False, every: bool = False) -> Grid:
    """One row for each, in the order given. The reason comes last: it is cut where the terminal ends."""
    header = (
        *(("NAMESPACE",) if namespaces else ()),
        "NAME", "ACTIONS", "RISK", "REQUESTED BY", "WAITS FOR", "EXPIRES",
        *(("WHY NOT ME",) if every else ()),
        "REASON",
    )  # fmt: skip
    return Grid([_row(one, now, namespaces, every) for one in rows], header=header, last=Last.CUT)


def why_not(model: Model, me: Identity, voted: str, forbidden: Sequence[str]) -> str:
    """Why it does not wait for our approval. `voted`: what we said already; `forbidden`: what we may not approve."""
    if voted:
        return f"you {voted} it"
    if forbidden:
        return f"you may not approve {_few(forbidden)}"
    if is_own(model, me) and own_counts(model) is False:
        return "you asked for it"
    return ""


def votes_of(me: Identity, approvals: Iterable[ActionApproval]) -> Mapping[tuple[str, str], str]:
    """What we voted, by uid of the subject and digest: `approved` or `rejected`."""
    mine = [one.spec for one in approvals if one.spec.approver and one.spec.approver.username == me.username]
    return {(spec.subject.uid, spec.digest): _past(spec.decision) for spec in mine}


async def _waiting(run: Run, namespace: str | None, items: Sequence[Item], me: Identity) -> list[Waiting]:
    if not items:
        return []
    access = Access(run.api, me.username)
    voted = votes_of(me, await _approvals(run, namespace))

    async def look(item: Item) -> Waiting | None:
        model = item.model
        if model is None:
            return None
        counted = next((vote.decision for vote in model.status.approvals if vote.username == me.username), None)
        asked = question_put(model) is not None  # a vote that does not count can be followed by another answer
        cast = "" if asked else voted.get((item.uid, model.status.digest or ""), "")
        mine = _past(counted) if counted else cast
        forbidden = await access.not_approvable(item.namespace, covered_actions(model))
        return Waiting(item, model, own=is_own(model, me), why_not=why_not(model, me, mine, forbidden))

    looked = await asyncio.gather(*map(look, items))
    return [one for one in looked if one is not None]


async def _approvals(run: Run, namespace: str | None) -> list[ActionApproval]:
    """All votes that we may read; what was counted stands in the objects themselves."""
    try:
        listed = await run.api.list(APPROVALS, namespace=namespace)
    except (RightMissing, NotFound):
        return []
    return [approval for raw in listed.items if (approval := _readable(raw))]


def _readable(raw: Json) -> ActionApproval | None:
    try:
        return ActionApproval.model_validate(raw)
    except ValueError:
        return None  # written by a newer program: not a vote of ours that we know of


def _awaits(item: Item) -> bool:
    return bool((item.raw.get("status") or {}).get("phase") == Phase.AWAITING_APPROVAL)


def _row(one: Waiting, now: datetime, namespaces: bool, every: bool) -> list[Text]:
    model, status = one.model, one.model.status
    progress, asker = status.approval, model.spec.requested_by
    who = one_line(asker.username if asker else "-")
    if one.own:
        who.append(" (your own)", "yellow")
    risk = Text(str(status.risk), RISKS[status.risk]) if status.risk else Text("-")
    return [
        *([shown(one.item.namespace)] if namespaces else []),
        Text().append(f"{SHORT[one.item.kind]}/", "dim").append_text(shown(one.item.name)),
        shown(_actions(model)),
        risk,
        who,
        shown(_waits_for(model)),
        Text(countdown(progress.expires_at, now) if progress else "-"),
        *([one_line(one.why_not or "-")] if every else []),
        one_line(_reason(model)),
    ]


def _waits_for(model: Model) -> str:
    progress = model.status.approval
    answer = "an answer, " if question_put(model) is not None else ""
    return f"{answer}{waits_for(progress)}" if progress else "-"


def _reason(model: Model) -> str:
    """The reason; of a question the question, which is what one has to know."""
    if isinstance(model, ActionProposal) and question_put(model) is not None:
        return f"{model.spec.parameters.get('question', '')} ({model.spec.reason})"
    return model.spec.reason


def _actions(model: Model) -> str:
    return model.spec.action if isinstance(model, ActionProposal) else _few(covered_actions(model))


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - MAX_ACTIONS} more" if len(names) > MAX_ACTIONS else ""
    return ", ".join(names[:MAX_ACTIONS]) + more


def _past(decision: str) -> str:
    return {"Approve": "approved", "Reject": "rejected"}.get(str(decision), str(decision))


def _nothing(namespace: str | None, *, others: int) -> str:
    where = f"in namespace {namespace}" if namespace else "in any namespace"
    if others:
        return f"nothing waits for your approval {where}; {others} {_wait(others)} for somebody else, see --all"
    return f"nothing awaits approval {where}" + ("; for all namespaces add -A" if namespace else "")


def _wait(count: int) -> str:
    return "waits" if count == 1 else "wait"
