"""Whether the process works as it should: the pulse of its event loop, and what keeps it from being ready."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from controller.kube.watches import Watches
from controller.runtime.metrics import Metrics
from controller.runtime.queue import DelayQueue
from controller.runtime.store import Key

BEAT_SECONDS = 1.0
STUCK_SECONDS = 120.0
"""A key that is due is taken at once, or within seconds where thousands are due."""
HANGING_SECONDS = 300.0
"""Handling one key asks the API server a few times, each for at most half a minute."""


@dataclass
class Health:
    """What the probes answer with. A replica that does not lead is ready as well: its watches are warm."""

    watches: Watches
    queue: DelayQueue[Key]
    leading: Callable[[], bool]
    stopping: bool = field(default=False)

    def faults(self) -> list[str]:
        """Why it is not ready, a sentence each; nothing if it is."""
        found = ["the process is stopping"] if self.stopping else []
        return found + self.watches.faults() + (self._stuck() if self.leading() else [])

    def _stuck(self) -> list[str]:
        faults, age, busy = [], self.queue.age_seconds(), self.queue.busy_seconds()
        if age > STUCK_SECONDS:
            faults.append(f"the queue is stuck: an object has been due for {age:.0f} s and nobody takes it")
        if busy > HANGING_SECONDS:
            faults.append(f"an object has been handled for {busy:.0f} s without end")
        return faults


async def beat(watches: Watches, metrics: Metrics) -> None:
    """Looks at the watches once a second, and notes how late it was called."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + BEAT_SECONDS
        await asyncio.sleep(BEAT_SECONDS)
        metrics.loop_lag_seconds.observe(max(0.0, loop.time() - due))
        watches.sample()
