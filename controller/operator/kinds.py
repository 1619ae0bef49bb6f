"""Waits for our kinds before kopf watches: kopf looks once, at its start, for what there is to watch, and would never
hear of what is installed later.
"""

import asyncio
import logging

from controller.api.base import API_VERSION, GROUP
from controller.core.errors import ActionError, NotFound
from controller.kube.api import Api
from controller.kube.resources import APPROVALS, POLICIES, RUNBOOKS, TYPES, WORKED

logger = logging.getLogger(__name__)

OURS = (*WORKED, TYPES, POLICIES, RUNBOOKS, APPROVALS)
"""The kinds that are watched."""
ASK_AGAIN_SECONDS = 1.0


async def until_served(api: Api) -> None:
    """Returns once the API server serves all our kinds; says once which it does not."""
    said = False
    while True:
        try:
            served = await _served(api)
        except ActionError as error:
            missing = f"cannot be asked for its kinds: {error}"
        else:
            names = ", ".join(resource.plural for resource in OURS if resource.plural not in served)
            if not names:
                return
            missing = f"does not serve {names} of {API_VERSION}; apply crds/ of this version"
        if not said:
            logger.warning("the API server %s", missing)
            said = True
        await asyncio.sleep(ASK_AGAIN_SECONDS)


async def _served(api: Api) -> frozenset[str]:
    """Plurals of what is served of our group, once discovery tells of the group as well: kopf begins there."""
    if GROUP not in await api.groups():
        return frozenset()
    try:
        return frozenset(resource["name"] for resource in await api.served(API_VERSION))
    except NotFound:
        return frozenset()
