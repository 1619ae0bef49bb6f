"""A keyed delay-queue with controller-runtime's semantics.

One key is never with two workers; a key added while it is worked on comes back afterwards; adding it twice is one run.
Each key has at most one wake-up time, set by the last decision about it: that decision saw everything, so an earlier
wake-up is obsolete.
"""

import asyncio
import heapq
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from typing import Generic, TypeVar

K = TypeVar("K")

_SLACK = 64


class DelayQueue(Generic[K]):
    """Keys that are due now, and keys that become due. `clock` gives the present moment in UTC."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._ready: OrderedDict[K, None] = OrderedDict()
        self._working: set[K] = set()
        self._again: set[K] = set()
        self._wake_at: dict[K, datetime] = {}
        self._timers: list[tuple[datetime, int, K]] = []
        self._serial = 0
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        """Keys that are due and not yet taken."""
        return len(self._ready)

    def add(self, key: K) -> None:
        """The key is due now."""
        if key in self._working:
            self._again.add(key)
        elif key not in self._ready:
            self._ready[key] = None
            self._changed.set()

    def wake(self, key: K, at: datetime | None) -> None:
        """The key becomes due at that time, instead of any time set before; None = only when it is added."""
        if at is None:
            self._wake_at.pop(key, None)
        elif self._wake_at.get(key) != at:
            self._wake_at[key] = at
            self._serial += 1
            heapq.heappush(self._timers, (at, self._serial, key))
            if len(self._timers) > 2 * len(self._wake_at) + _SLACK:
                self._drop_obsolete()
            self._changed.set()

    def forget(self, key: K) -> None:
        """Drops the key's wake-up."""
        self._wake_at.pop(key, None)

    def drop(self, key: K) -> None:
        """The key is neither due nor becomes so: for where nobody takes keys, and they would pile up."""
        self.forget(key)
        self._ready.pop(key, None)

    async def take(self) -> K:
        """The next due key; waits for one. The taker calls `done` afterwards."""
        await asyncio.sleep(0)  # a long row of due keys must not keep everything else from running
        while True:
            self._promote()
            if self._ready:
                key, _ = self._ready.popitem(last=False)
                self._working.add(key)
                return key  # nothing awaited since: a taker that is cancelled here would take the key with it
            self._changed.clear()
            await self._sleep()

    def done(self, key: K) -> None:
        """The taker is finished with the key."""
        self._working.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.add(key)

    def _drop_obsolete(self) -> None:
        """Drops the timers that a later `wake` replaced."""
        self._timers = [timer for timer in self._timers if self._wake_at.get(timer[2]) == timer[0]]
        heapq.heapify(self._timers)

    def _promote(self) -> None:
        now = self._clock()
        while self._timers and self._timers[0][0] <= now:
            at, _, key = heapq.heappop(self._timers)
            if self._wake_at.get(key) == at:
                del self._wake_at[key]
                self.add(key)

    async def _sleep(self) -> None:
        if not self._timers:
            await self._changed.wait()
            return
        seconds = (self._timers[0][0] - self._clock()).total_seconds()
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await self._changed.wait()
        except TimeoutError:
            pass
