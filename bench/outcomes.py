"""Sees objects finish as a user would: by a watch on those that have an outcome."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bench.loader import Loader
from bench.objects import PROPOSALS, path
from bench.process import Program

STUCK_SECONDS = 150.0
"""More than the 60 s after which kopf tries a handler again that failed."""

_FINISHED = "fieldSelector=status.outcome%21%3D"


class Outcomes:
    """`seen`: when each object was seen finished (perf_counter), by name."""

    def __init__(self) -> None:
        self.seen: dict[str, float] = {}
        self.counts: Counter[str] = Counter()
        self._changed = asyncio.Event()

    def add(self, name: str, outcome: str) -> None:
        if name not in self.seen:
            self.seen[name] = time.perf_counter()
            self.counts[outcome] += 1
            self._changed.set()

    async def wait(self, names: set[str], program: Program, seconds: float = STUCK_SECONDS) -> None:
        """Until all have finished. Raises RuntimeError after that time without any that finishes."""
        while not names <= self.seen.keys():
            self._changed.clear()
            try:
                async with asyncio.timeout(seconds):
                    await self._changed.wait()
            except TimeoutError:
                missing = sorted(names - self.seen.keys())
                raise RuntimeError(
                    f"{len(missing)} objects do not finish, such as {missing[:3]}:\n{program.complaints()}"
                ) from None


@asynccontextmanager
async def outcomes(loader: Loader, namespace: str, plural: str = PROPOSALS) -> AsyncIterator[Outcomes]:
    """What finishes in the namespace from now on, while it is open."""
    found = Outcomes()
    watched = path(namespace, plural) + f"?watch=1&timeoutSeconds=3600&{_FINISHED}"
    opened = asyncio.Event()

    async def follow() -> None:
        # Without a resource version a watch begins with all that is there, so nothing is missed when one ends: the
        # API server ends those of a new kind a minute after its start.
        while True:
            async with loader.watch(watched) as events:
                opened.set()
                async for event in events:
                    if event["type"] in ("ADDED", "MODIFIED"):
                        raw = event["object"]
                        found.add(raw["metadata"]["name"], raw["status"]["outcome"])

    task = asyncio.create_task(follow())
    try:
        await opened.wait()
        yield found
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
