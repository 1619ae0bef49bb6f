"""approve, reject: show it, ask, vote as the current user, and tell whether the vote counts."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from controller.api.approval import ActionApproval, Vote
from controller.api.common import Identity
from controller.api.names import Reason
from controller.api.workflow import ActionWorkflow
from controller.cli.approvals import approved, still_missing, waits_for
from controller.cli.asking import confirm
from controller.cli.ballot import ballot
from controller.cli.data import write
from controller.cli.exits import Exit
from controller.cli.find import find
from controller.cli.items import Item, Model
from controller.cli.options import DataForm
from controller.cli.refusals import Refused
from controller.cli.screen import draw, one_line
from controller.cli.session import Run
from controller.cli.table import UNREADABLE
from controller.cli.times import age
from controller.client.errors import DigestChanged
from controller.client.standing import NOT_SEEN, message_of, standing_still
from controller.client.votes import check_votable, question_put, vote_manifest
from controller.client.voting import cast_vote
from controller.core.errors import NotFound, TransientFailure

COUNT_SECONDS = 5.0
LOOK_SECONDS = 0.25
_VERBS = {Vote.APPROVE: "approve", Vote.REJECT: "reject"}
_PAST = {Vote.APPROVE: "approved", Vote.REJECT: "rejected"}


async def vote(
    run: Run,
    name: str,
    decision: Vote,
    *,
    comment: str,
    digest: str | None,
    yes: bool,
    form: DataForm | None,
    answering: Callable[[Item, Model], Any] | None = None,
) -> Exit:
    """The whole command. `digest`: what was shown to whoever decides; `form`: only print the ActionApproval.

    `answering`: what the vote answers, told from the object that asks.
    """
    item = await _looked_at(run, await find(run.api, run.namespace, name))
    model = _readable(item)
    shown_digest = check_votable(model, decision, digest)
    if decision is Vote.APPROVE and answering is None and question_put(model) is not None:
        raise Refused(f"{item.short} asks a question; answer it: kubectl actions answer {item.name} VALUE", Exit.USAGE)
    answer = answering(item, model) if answering else None
    me = await run.client.identity()
    if form is not None:
        write(run.out, vote_manifest(model, decision, me, comment=comment, answer=answer), form)
        return Exit.OK
    draw(run.out, ballot(model, run.now()))
    if (needless := no_approval_needed(model)) and decision is Vote.APPROVE:
        raise Refused(f"{item.short} needs no approval: {needless}")
    if decision is Vote.APPROVE and is_own(model, me):
        if own_counts(model) is False:
            raise Refused(f"{item.short}: {own_does_not_count(model, me)}", Exit.NOT_COUNTED)
        run.note(_whose(model, me))
    what = f"{_VERBS[decision].capitalize()} {item.short}" if answer is None else f"Answer {json.dumps(answer)}"
    confirm(run, f"{what}, {shown_digest}?", yes=yes)
    now = await run.client.get(item.name, item.kind, namespace=item.namespace)
    if now.metadata.uid != item.uid:
        raise DigestChanged(f"{item.short} was deleted and made again while it was shown; look at it again")
    body = vote_manifest(now, decision, me, comment=comment, shown_digest=shown_digest, answer=answer)
    cast = await cast_vote(run.api, body, now)
    _say_cast(run, item, cast.approval, before=cast.before)
    return await _tally(run, item, cast.approval)


@dataclass(frozen=True)
class Tally:
    """What came of a vote, as far as the object's status tells. `code` None: nothing yet."""

    said: str
    code: Exit | None


def tally(model: Model, vote: ActionApproval) -> Tally:
    """Whether the vote counts. `said` is about the object and begins with a verb."""
    status, decision = model.status, vote.spec.decision
    counted = any(entry.name == vote.metadata.name for entry in status.approvals)
    if counted and decision is Vote.REJECT:
        if status.outcome is not None:
            return Tally(f"is {standing_still(model)}", Exit.OK)
        return Tally(f"counts your rejection, and what runs is asked to stop ({standing_still(model)})", Exit.OK)
    if counted:
        progress = status.approval
        missing = still_missing(progress) if progress else ""
        have = f": {waits_for(progress)}" if progress else ""
        return Tally(f"counts your approval{have}" if missing else f"has all approvals it needs{have}", Exit.OK)
    if status.outcome is not None:
        return Tally(f"is finished, and your vote came too late: {standing_still(model)}", Exit.NOT_COUNTED)
    if status.digest != vote.spec.digest:
        said = f"does not count your vote: its digest is {status.digest} now, so look at it again"
        return Tally(said, Exit.NOT_COUNTED)
    return Tally("", None)


def why_not_counted(model: Model, vote: ActionApproval) -> Tally:
    """The likely reason for a vote that the operator did not count in time."""
    condition, voter = approved(model), vote.spec.approver
    if condition is not None and condition.reason is Reason.IDENTITY_NOT_ENFORCED:
        return Tally(f"does not count your vote: {condition.message}", Exit.NOT_COUNTED)
    if voter is not None and vote.spec.decision is Vote.APPROVE:
        if is_own(model, voter) and not own_counts(model):
            return Tally(f"does not count your approval: {own_does_not_count(model, voter)}", Exit.NOT_COUNTED)
        earlier = next((entry for entry in model.status.approvals if entry.username == voter.username), None)
        if earlier is not None:
            said = f"counts an earlier vote of yours ({earlier.name}), and each user's only once"
            return Tally(said, Exit.NOT_COUNTED)
    return Tally(f"has not counted your vote within {COUNT_SECONDS:g} s ({standing_still(model)})", Exit.TIMEOUT)


def is_own(model: Model, me: Identity) -> bool:
    """Whether the same user asked for it, or last edited the runbook that it runs."""
    return _asked(model, me) or _edited(model, me)


def own_does_not_count(model: Model, me: Identity) -> str:
    """Why the approval of whoever `is_own` says is of no use."""
    return f"{_whose(model, me)}, and the policy does not count the requester's own (approval.allowSelf)"


def _whose(model: Model, me: Identity) -> str:
    return "you asked for it yourself" if _asked(model, me) else "you last edited its runbook"


def _asked(model: Model, me: Identity) -> bool:
    who = model.spec.requested_by
    return who is not None and who.username == me.username


def _edited(model: Model, me: Identity) -> bool:
    pinned = model.status.runbook if isinstance(model, ActionWorkflow) else None
    return pinned is not None and pinned.edited_by is not None and pinned.edited_by.username == me.username


def own_counts(model: Model) -> bool | None:
    """Whether the requester's own approval counts; None = nothing is asked for yet."""
    progress = model.status.approval
    return progress.allow_self if progress else None


def no_approval_needed(model: Model) -> str:
    """Why it needs no approval; empty if it does, or nobody said yet."""
    condition = approved(model)
    needless = condition is not None and condition.status == "True" and condition.reason is Reason.NOT_REQUIRED
    return condition.message or "no policy asks for one" if condition and needless else ""


async def _looked_at(run: Run, item: Item) -> Item:
    """The object once the operator has looked at it. One that was just made is given a few seconds for that."""
    loop = asyncio.get_running_loop()
    until = loop.time() + COUNT_SECONDS
    while message_of(_readable(item)) == NOT_SEEN:
        if loop.time() >= until:
            said = (
                f"{item.short} cannot be voted on: {NOT_SEEN}; whether one is there is told by kubectl actions doctor"
            )
            raise Refused(said)
        await asyncio.sleep(LOOK_SECONDS)
        item = await find(run.api, item.namespace, item.short)
    return item


async def _tally(run: Run, item: Item, vote: ActionApproval) -> Exit:
    """Wait a few seconds for the operator to count the vote, and tell."""
    loop = asyncio.get_running_loop()
    until = loop.time() + COUNT_SECONDS
    trouble = ""
    model: Model = _readable(item)
    while True:
        try:
            model = await run.client.get(item.name, item.kind, namespace=item.namespace)
        except TransientFailure as error:
            trouble = f" (as last heard; {error})"
        except NotFound:
            raise Refused(f"{item.short} was deleted meanwhile", Exit.NOT_FOUND) from None
        found = tally(model, vote)
        if found.code is not None:
            return _end(run, item, found)
        if loop.time() >= until:
            found = why_not_counted(model, vote)
            return _end(run, item, Tally(found.said + trouble, found.code))
        await asyncio.sleep(LOOK_SECONDS)


def _end(run: Run, item: Item, found: Tally) -> Exit:
    code = Exit.OK if found.code is None else found.code
    hint = f"; see: kubectl actions describe {item.short} -n {item.namespace}" if code is Exit.TIMEOUT else ""
    line = one_line(f"{item.short} {found.said}{hint}")
    (run.out if code is Exit.OK else run.err).print(line, soft_wrap=True)
    return code


def _say_cast(run: Run, item: Item, approval: ActionApproval, *, before: bool) -> None:
    done = _PAST[approval.spec.decision] if approval.spec.answer is None else "answered"
    name, now = approval.metadata.name, run.now()
    said = f"you {done} {item.short}"
    if before:
        said += f" {_ago(approval, now)} already"
    run.out.print(one_line(f"{said}: aa/{name}"), soft_wrap=True)


def _ago(approval: ActionApproval, now: datetime) -> str:
    return f"{age(approval.metadata.creation_timestamp, now)} ago"


def _readable(item: Item) -> Model:
    if item.model is None:
        raise Refused(f"{item.short}: {UNREADABLE}")
    return item.model
