"""Waits for an outcome, through outages of the API server."""

import asyncio
from datetime import UTC, datetime

from controller.client.errors import NotFinished
from controller.client.objects import T, read
from controller.client.standing import standing
from controller.core.errors import NotFound, TransientFailure
from controller.kube.api import Api

FIRST_POLL_SECONDS = 0.2
LAST_POLL_SECONDS = 2.0


async def finished(api: Api, kind: type[T], name: str, namespace: str, timeout_seconds: float | None) -> T:
    """The object once it has an outcome. Raises NotFinished when time is up first, NotFound if it is, or goes, away."""
    latest = await read(api, kind, name, namespace)
    trouble: TransientFailure | None = None
    pause = FIRST_POLL_SECONDS
    try:
        async with asyncio.timeout(timeout_seconds):
            while latest.status.outcome is None:
                await asyncio.sleep(pause)
                pause = min(pause * 1.5, LAST_POLL_SECONDS)
                before = latest
                try:
                    latest, trouble = await read(api, kind, name, namespace), None
                except TransientFailure as error:
                    trouble = error
                if latest.metadata.uid != before.metadata.uid:
                    raise NotFound(f"{kind.INFO.kind} {name} was deleted and made again while it was waited for")
    except TimeoutError:
        where = f"{latest.metadata.namespace}/{name}"
        text = f"{where} is not finished after {timeout_seconds:g} s: {standing(latest, datetime.now(UTC))}"
        if trouble is not None:
            text += f" (as last heard; {trouble})"
        raise NotFinished(text, latest) from None
    return latest
