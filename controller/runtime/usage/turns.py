"""Whose turn it is: sees to it that those who wait in line are called when there is room, by an end or by time."""

from collections.abc import Callable, Iterable
from datetime import datetime

from controller.core.limits import Limit, Line, Room
from controller.kube.resources import POLICIES
from controller.runtime.clock import Clock
from controller.runtime.queue import DelayQueue
from controller.runtime.store import Key
from controller.runtime.usage.lines import Lines


class Turns:
    """`room(line, now)` says how many may go, and when time alone makes room."""

    def __init__(self, queue: DelayQueue[Key], clock: Clock, room: Callable[[Line, datetime], Room]) -> None:
        self._queue = queue
        self._clock = clock
        self._room = room
        self._lines = Lines(queue.add)
        self._wake_at: dict[str, datetime] = {}
        """When each policy is looked at again for those who wait."""

    def waiting(self, line: Line) -> int:
        return self._lines.waiting(line)

    def stands(self, key: Key, line: Line | None, *, under_way: bool) -> None:
        """The proposal now waits there; None = nowhere, so that the next one has its turn."""
        before = self._lines.stands(key, line, under_way=under_way)
        for one in {before, line} - {None}:
            if one is not None:
                self._call(one)

    def call_policy(self, policy: str) -> None:
        """Calls who may go by now, in all lines of the policy."""
        self._wake_at.pop(policy, None)
        for line in self._lines.of_policy(policy):
            self._call(line)

    def call_after(self, policies: Iterable[str], target: str | None) -> None:
        """An action that these policies count has left its place or its target."""
        for policy in policies:
            for limit in Limit:
                self._call(Line(policy, limit, (target or "") if limit is Limit.COOLDOWN else ""))

    def clear(self) -> None:
        self._lines.clear()
        self._wake_at.clear()

    def _call(self, line: Line) -> None:
        if not self._lines.waiting(line):
            return
        now = self._clock()
        left = self._room(line, now)
        self._lines.call(line, left.count)
        if left.at and not (now < self._wake_at.get(line.policy, now) <= left.at):
            self._wake_at[line.policy] = left.at
            self._queue.wake(Key(POLICIES.plural, "", line.policy), left.at)
