"""P11: a thousand attempts that fail at one moment: are their retries on time, and spread?"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from statistics import quantiles

from aiohttp import web

from bench import objects
from bench.lab import Lab
from bench.loader import Call
from bench.outcomes import outcomes
from bench.report import Result

NAMESPACE = "retries"
ARRIVAL_SECONDS = 250.0


@dataclass
class Gate:
    """A target that holds every first request until it is opened, then fails all of them at once; 200 afterwards."""

    count: int
    all_held: asyncio.Event = field(default_factory=asyncio.Event)
    open: asyncio.Event = field(default_factory=asyncio.Event)
    again: dict[str, float] = field(default_factory=dict)
    """When the second request came, by path."""
    _seen: set[str] = field(default_factory=set)

    async def answer(self, request: web.Request) -> web.Response:
        if request.path in self._seen:
            self.again.setdefault(request.path, time.time())
            return web.json_response({"ok": True})
        self._seen.add(request.path)
        if len(self._seen) == self.count:
            self.all_held.set()
        await self.open.wait()
        return web.json_response({"ok": False}, status=503)


@asynccontextmanager
async def gate(count: int) -> AsyncIterator[tuple[Gate, str]]:
    """The target and its address on loopback."""
    target, app = Gate(count), web.Application()
    app.router.add_route("*", "/{path:.*}", target.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=2048)
    await site.start()
    try:
        yield target, f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        target.open.set()
        await runner.cleanup()


async def measure(lab: Lab, *, count: int, wait_seconds: float) -> list[Result]:
    """All are held until the last has arrived. First retry after `wait_seconds`, up to as much again by jitter."""
    await lab.namespace(NAMESPACE)
    names = [f"x-{n}" for n in range(count)]
    retry = {"maxAttempts": 2, "minWaitSeconds": wait_seconds, "maxWaitSeconds": wait_seconds, "jitterFraction": 1.0}
    async with gate(count) as (target, url), outcomes(lab.loader, NAMESPACE) as finished:
        with lab.operator(NAMESPACE) as program:
            await program.wait_until_ready()
            await lab.propose(NAMESPACE, (_put(name, url, retry) for name in names))
            async with asyncio.timeout(ARRIVAL_SECONDS):
                await target.all_held.wait()
            failed_at = time.time()
            target.open.set()
            await asyncio.sleep(wait_seconds * 0.95)
            due = await _due(lab)
            await finished.wait(set(names), program)
    late = [at - due[path[1:]] for path, at in target.again.items() if path[1:] in due]
    seconds = Counter(int(at) for at in target.again.values())
    span = max(target.again.values()) - min(target.again.values())
    peak = max(seconds.values()) / (len(target.again) / span)
    p99 = quantiles(late, n=100, method="inclusive")[98]
    return [
        Result(
            "P11", "retry time - nextRetryAt, p99; peak 1 s retry rate / mean", "<= 200 ms; <= 2 (later 50 ms; 1.5)",
            f"{p99 * 1000:.0f} ms; {peak:.2f}", p99 <= 0.2 and peak <= 2 and min(late) >= 0,
            f"{len(late)} of {count} attempts failed at once, retries {min(seconds) - failed_at:.0f} to "
            f"{max(seconds) - failed_at:.0f} s later; taken where the request arrives, its claim included",
        )
    ]  # fmt: skip


def _put(name: str, url: str, retry: objects.Json) -> objects.Json:
    parameters = {"method": "PUT", "url": f"{url}/{name}"}
    return objects.proposal(name, "http-request", parameters, retry=retry, timeoutSeconds=290)


async def _due(lab: Lab) -> dict[str, float]:
    """nextRetryAt of all, by name."""
    found = await lab.loader.send(Call("GET", objects.path(NAMESPACE, objects.PROPOSALS)))
    return {
        item["metadata"]["name"]: datetime.fromisoformat(item["status"]["nextRetryAt"]).timestamp()
        for item in found["items"]
        if item.get("status", {}).get("nextRetryAt")
    }
