"""Casts a vote, once however often it is asked for."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from controller.api.approval import ActionApproval, Vote
from controller.client.requests import MAX_NAME
from controller.client.votes import Subjects, is_the_vote
from controller.core.errors import Conflict, LostAnswer
from controller.core.ports import Json
from controller.kube.api import Api
from controller.kube.resources import resource

APPROVALS = resource(ActionApproval.INFO)
_TRIES = 3
MOST_VOTES = 9
COUNTED_WITHIN = timedelta(minutes=1)


@dataclass(frozen=True)
class Cast:
    """The stored vote, and whether it had been cast before."""

    approval: ActionApproval
    before: bool


async def cast_vote(api: Api, body: Json, subject: Subjects) -> Cast:
    """Creates the ActionApproval, again after a lost answer: its name is fixed, so it is made once.

    Where the same vote was cast before and has run out since, a new one is cast beside it. Raises Conflict where
    another object has its name, RightMissing where the API server refuses it.
    """
    name = body["metadata"]["name"]
    for again in range(1, MOST_VOTES + 1):
        if again > 1:
            body = {**body, "metadata": {**body["metadata"], "name": f"{name[: MAX_NAME - 3]}-{again}"}}
        cast = await _cast_once(api, body)
        if not (cast.before and has_run_out(cast.approval, subject, datetime.now(UTC))):
            return cast
    raise Conflict(f"{MOST_VOTES} votes like this one have run out; have ActionApproval {name} and its like deleted")


def has_run_out(vote: ActionApproval, subject: Subjects, now: datetime) -> bool:
    """Whether the vote does not count any more, by what is noted for its subject.

    It is too old, or it had its time and was not counted: cast before the API server proved who casts it, for one.
    """
    progress, cast_at = subject.status.approval, vote.metadata.creation_timestamp
    if progress is None or cast_at is None or vote.spec.decision is Vote.REJECT:
        return False
    counted = any(known.name == vote.metadata.name for known in subject.status.approvals)
    if not counted and now >= cast_at + COUNTED_WITHIN:
        return True
    start = max(cast_at, subject.spec.not_before) if subject.spec.not_before else cast_at
    return now >= start + timedelta(seconds=progress.valid_seconds)


async def _cast_once(api: Api, body: Json) -> Cast:
    name, namespace = body["metadata"]["name"], body["metadata"]["namespace"]
    lost = False
    for remaining in reversed(range(_TRIES)):
        try:
            made = await api.create(APPROVALS, body, namespace=namespace)
            return Cast(ActionApproval.model_validate(made), before=False)
        except LostAnswer:
            lost = True
            if not remaining:
                raise
        except Conflict:
            found = ActionApproval.model_validate(await api.get(APPROVALS, name, namespace=namespace))
            if not is_the_vote(found, body):
                raise Conflict(
                    f"ActionApproval {namespace}/{name} is there and is not this vote; have it deleted, then vote again"
                ) from None
            return Cast(found, before=not lost)
    raise AssertionError("the last try either returns or raises")
