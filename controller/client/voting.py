"""Casts a vote, once however often it is asked for."""

from dataclasses import dataclass

from controller.api.approval import ActionApproval
from controller.client.votes import is_the_vote
from controller.core.errors import Conflict, LostAnswer
from controller.core.ports import Json
from controller.kube.api import Api
from controller.kube.resources import resource

APPROVALS = resource(ActionApproval.INFO)
_TRIES = 3


@dataclass(frozen=True)
class Cast:
    """The stored vote, and whether it had been cast before."""

    approval: ActionApproval
    before: bool


async def cast_vote(api: Api, body: Json) -> Cast:
    """Creates the ActionApproval, again after a lost answer: its name is fixed, so it is made once.

    Raises Conflict where another object has its name, RightMissing where the API server refuses it.
    """
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
