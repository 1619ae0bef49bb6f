"""How far the approval of one object is, in words and as a part of its page. Pure."""

import json
from collections.abc import Iterator
from datetime import datetime

from rich.console import Group, RenderableType
from rich.text import Text

from controller.api.common import ApprovalProgress, Condition, Vote
from controller.api.names import ConditionType, Phase, Reason
from controller.cli.items import Model
from controller.cli.screen import INDENT, Grid, Last, fields, section, shown
from controller.cli.times import Clock, countdown, stamp
from controller.client.standing import phase_of

VOTES = {"Approve": "green", "Reject": "red"}
_NAMES = len("Approvals")
_AS_USUAL = frozenset({Reason.APPROVED, Reason.NOT_REQUIRED, Reason.AWAITING_APPROVAL})


def waits_for(progress: ApprovalProgress) -> str:
    """`1 of 2, still needed from sre or dba`."""
    return f"{progress.have} of {progress.required}{_groups(progress)}"


def still_missing(progress: ApprovalProgress) -> str:
    """What is missing; empty where nothing is."""
    missing = progress.required - progress.have
    more = [f"{missing} more"] if missing > 0 else []
    return ", ".join([*more, *([f"someone of {groups_needed(progress)}"] if progress.groups else [])])


def groups_needed(progress: ApprovalProgress) -> str:
    """`sre or dba and board`: the groups of each policy that still lacks someone, any of each will do."""
    open_groups = set(progress.groups)
    parts = [
        " or ".join(quorum.groups) for quorum in progress.quorums if quorum.groups and open_groups >= {*quorum.groups}
    ]
    return " and ".join(dict.fromkeys(parts)) or ", ".join(progress.groups)


def approved(model: Model) -> Condition | None:
    """Its condition Approved."""
    return next((found for found in model.status.conditions if found.type is ConditionType.APPROVED), None)


def approval_section(model: Model, now: datetime) -> list[RenderableType]:
    """What is needed, what there is, by whom; nothing where no approval was ever asked for."""
    status = model.status
    if status.approval is None and not status.approvals and phase_of(model) is not Phase.AWAITING_APPROVAL:
        return []
    body: list[RenderableType] = [fields(_rows(model, now)), digest_line(status.digest)]
    if status.approvals:
        body.append(votes_table(status.approvals))
    return section("Approval", Group(*body))


def digest_line(digest: str | None) -> Grid:
    """The digest, never broken over lines by us, so that it can be copied."""
    return Grid([(Text("Digest".ljust(_NAMES), "dim"), Text(digest or "-"))], last=Last.RUN_ON, indent=INDENT)


def _rows(model: Model, now: datetime) -> Iterator[tuple[str, Text]]:
    progress, condition = model.status.approval, approved(model)
    if progress is not None:
        yield "Approvals", shown(waits_for(progress))
    if condition is not None and condition.status != "True" and condition.reason not in _AS_USUAL:
        yield "But", shown(f"{condition.reason}: {condition.message}" if condition.message else condition.reason, "red")
    if progress is not None and progress.expires_at and model.status.outcome is None:
        yield "Expires", Text(f"{countdown(progress.expires_at, now)} ({stamp(progress.expires_at)})")


def votes_table(votes: tuple[Vote, ...]) -> Grid:
    clock = Clock(vote.at for vote in votes)
    rows = [
        (
            Text(clock(vote.at)),
            shown(vote.username),
            shown(vote.decision, VOTES.get(vote.decision, "")),
            shown(vote.name),
            shown(_said(vote)),
        )
        for vote in votes
    ]
    return Grid(rows, header=(clock.header, "WHO", "VOTE", "APPROVAL", "COMMENT"), indent=INDENT)


def _said(vote: Vote) -> str:
    answer = [] if vote.answer is None else [f"answer: {json.dumps(vote.answer, ensure_ascii=False)}"]
    return "; ".join([*answer, *([vote.comment] if vote.comment else [])]) or "-"


def _groups(progress: ApprovalProgress) -> str:
    return f", still needed from {groups_needed(progress)}" if progress.groups else ""
