"""Looks at checks: reads live objects as the runner, and GETs where policy allows. Changes nothing.

Polled, not watched: a watch needs rights that a runner that may `get` one object does not have.
"""

import asyncio
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from controller.api.common import Check, ResourceRef
from controller.core.checks import Answer, Named, Result, Seen, answer, named, next_limit, response, settling, untrue
from controller.core.errors import (
    CallNotAllowed,
    NotFound,
    PermanentFailure,
    PreconditionFailed,
    RightMissing,
    TransientFailure,
)
from controller.core.ports import Cluster, Http, Request

FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 5.0
LOOK_SECONDS = 15.0
"""For one read; a server that takes longer gave no answer."""
AHEAD_SECONDS = 3.0
"""The same for a preview, which has little time for all."""


async def look(checks: Sequence[Named], request: Request[Any], seconds: float | None = None) -> tuple[Answer, ...]:
    """Looks at all of them once, side by side. `seconds`: for each read, LOOK_SECONDS if nothing is said.

    Raises PermanentFailure, RightMissing above all, where looking again would not help.
    """
    limit = LOOK_SECONDS if seconds is None else seconds
    found = await asyncio.gather(*(_answered(one, request, limit) for one in checks), return_exceptions=True)
    for one in found:
        if isinstance(one, BaseException):
            raise one
    return tuple(one for one in found if isinstance(one, Answer))


async def until_met(preconditions: Sequence[Named], request: Request[Any]) -> None:
    """Returns when all are true at one look. Each is looked at until its own time is up, at least once.

    Raises PreconditionFailed if one is false then, TransientFailure if it cannot be told; PermanentFailure as `look`.
    """
    clock = asyncio.get_running_loop().time
    start = clock()
    for pause in pauses():
        answers = await look(preconditions, request)
        if not untrue(answers):
            return
        end = settling(answers, clock() - start, 0)
        if end is not None:
            raise (PreconditionFailed if end.result is Result.FALSE else TransientFailure)(end.message)
        await asyncio.sleep(min(pause, max(0.0, next_limit(answers, clock() - start, 0))))


async def ahead(preconditions: Sequence[Check], verify: Sequence[Check], request: Request[Any]) -> tuple[str, ...]:
    """For a preview: which preconditions are not true yet, as warnings. Objects of verify checks are read as well, for
    a right that is missing must not show after the effect.

    No GET is sent: nobody has agreed to it yet, and who knows what it does. Only whether policy allows it is asked.
    Raises as `look`.
    """
    before, after = named("preconditions", preconditions), named("verify", verify)
    for one in (*before, *after):
        if one.check.http is not None:
            with _where(one):
                await request.http.check(one.check.http.url)
    objects = [one for one in (*before, *after) if one.check.resource is not None]
    answers = await look(objects, request, AHEAD_SECONDS)
    told = [found for one, found in zip(objects, answers, strict=True) if one in before]
    return tuple(f"now, {one.message}" for one in untrue(told))


def pauses() -> Iterator[float]:
    """Seconds between looks: short at first, since most is true soon, then gentle."""
    pause = FIRST_PAUSE_SECONDS
    while True:
        yield pause
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)


async def _answered(one: Named, request: Request[Any], seconds: float) -> Answer:
    try:
        with _where(one):
            async with asyncio.timeout(seconds):
                return answer(one, await _seen(one, request))
    except TimeoutError:
        return answer(one, Seen(None, f"no answer within {seconds:g} s"))
    except (NotFound, TransientFailure) as error:
        return answer(one, Seen(None, str(error)))


@contextmanager
def _where(one: Named) -> Iterator[None]:
    """Says of which check it is that looking again would not help."""
    try:
        yield
    except NotFound:
        raise
    except PermanentFailure as error:
        kind = next((one for one in (RightMissing, CallNotAllowed) if isinstance(error, one)), PermanentFailure)
        raise kind(f"{one.path}: {error}") from error


async def _seen(one: Named, request: Request[Any]) -> Seen:
    if one.check.resource is not None:
        return await _object(one.check.resource, request.cluster)
    if one.check.http is not None:
        return await _answer(one.check.http.url, request.http)
    raise PermanentFailure("there is neither resource nor http in it")


async def _object(ref: ResourceRef, cluster: Cluster) -> Seen:
    found = await cluster.get(await cluster.resolve(ref.api_version, ref.kind), ref.name)
    metadata = {name: value for name, value in (found.get("metadata") or {}).items() if name != "managedFields"}
    return Seen({"object": {**found, "metadata": metadata}})


async def _answer(url: str, http: Http) -> Seen:
    got = await http.request("GET", url, headers={"Accept": "application/json"}, body=None, may_change=False)
    try:
        return response(got.status, json.loads(got.text), is_json=True)
    except (ValueError, RecursionError):
        return response(got.status, None, is_json=False)
