"""When targets were last left, for cooldowns: told as actions end, and read once from what ended before that."""

import asyncio
from collections.abc import AsyncIterable
from datetime import datetime

from controller.core.ports import Json
from controller.runtime.clock import Clock
from controller.runtime.usage.counting import Action, Counting, Subject

PRUNE_ENDS = 4096
"""With so many targets, those are forgotten whose cooldown is over."""


class Ends:
    """The newest end by target, then by subject and group."""

    def __init__(self, counting: Counting, clock: Clock) -> None:
        self._counting = counting
        self._clock = clock
        self._ends: dict[str, dict[tuple[Subject, str], datetime]] = {}
        self._reading = asyncio.Lock()
        self.read = False
        """Whether earlier ends are known."""

    def add(self, action: Action, at: datetime) -> None:
        """The action has ended."""
        if action.target is None:
            return
        ends = self._ends.setdefault(action.target, {})
        key = action.subject, action.group
        ends[key] = max(at, ends.get(key, at))
        if len(self._ends) > PRUNE_ENDS:
            since = self._since()
            self._ends = {name: ends for name, ends in self._ends.items() if max(ends.values()) > since}

    def last(self, policy: str, target: str, group: str) -> datetime | None:
        """When another group last ended an action there that the policy counts."""
        ends = self._ends.get(target, {}).items()
        counted = self._counting.counts
        return max((at for (subject, other), at in ends if other != group and counted(policy, subject)), default=None)

    async def read_from(self, finished: AsyncIterable[Json]) -> None:
        """Takes up finished proposals, once. Raises what reading them raises."""
        async with self._reading:
            if self.read:
                return
            since = self._since()
            async for raw in finished:
                status = raw.get("status") or {}
                if not (status.get("startedAt") and status.get("completedAt")):
                    continue
                at = datetime.fromisoformat(status["completedAt"])
                if at > since:
                    self.add(self._counting.action_of(raw), at)
            self.read = True

    def clear(self) -> None:
        self._ends.clear()
        self.read = False

    def _since(self) -> datetime:
        return self._clock() - self._counting.longest_cooldown()
