"""Whether a change of an object by a generic action gives its pods only what they may get.

What a proposer has no leave for must not come by way of a pod that runs it: Secrets only where they are lent to
actions, accounts only the runner, nothing of the node. Looked at before anyone approves, and again at what is sent.
"""

from controller.actions.base import cut
from controller.actions.pod_rules import Gain, gains
from controller.actions.pods import listed
from controller.actions.secrets import check
from controller.core.errors import PermanentFailure
from controller.core.ports import Json, P, Request, Target

MOST_TOLD = 5
MOST_SECRETS = 32


async def demand_leave(request: Request[P], target: Target, before: Json, after: Json) -> None:
    """`before` may be empty: the object is new. Raises PermanentFailure, NotFound, RightMissing with what is new,
    where it stands and what to do; TransientFailure.
    """
    found = gains(before, after, request.runner or "")
    refused = [one for one in found if not one.secret]
    if refused:
        told = listed([f"{one.path} ({one.what})" for one in refused], MOST_TOLD)
        raise PermanentFailure(cut(f"pods of {target} would newly get {told}: {_way_out(refused, request.runner)}"))
    if len({one.secret for one in found}) > MOST_SECRETS:
        raise PermanentFailure(f"pods of {target} would newly get more than {MOST_SECRETS} Secrets: do it in parts")
    await check(request, {f"{target}: {one.path}": one.secret for one in found})


async def may_be_put_back(request: Request[P], target: Target, stored: Json, answer: Json) -> bool:
    """Whether leave would be given to lead from the answer back to what is stored. Raises TransientFailure."""
    try:
        await demand_leave(request, target, answer, stored)
    except PermanentFailure:
        return False
    return True


def _way_out(refused: list[Gain], runner: str | None) -> str:
    about_account = any("ServiceAccount" in one.what for one in refused)
    ours = f"serviceAccountName may be {runner}, its runner, with automountServiceAccountToken: false; " * about_account
    return f"{ours}leave it out, or have it changed by somebody who may write the object directly"
