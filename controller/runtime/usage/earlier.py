"""What ended before this process led: finished proposals, read once, when a limit first asks for them."""

import asyncio
from collections.abc import AsyncIterable, Callable, Iterable

from controller.core.ports import Json
from controller.runtime.usage.counting import Counting
from controller.runtime.usage.ends import End


class Earlier:
    """`finished()` lists the finished proposals; `take_up(ends)` is told of all of them, once."""

    def __init__(
        self,
        counting: Counting,
        finished: Callable[[], AsyncIterable[Json]],
        take_up: Callable[[Iterable[End]], None],
    ) -> None:
        self._counting = counting
        self._finished = finished
        self._take_up = take_up
        self._reading = asyncio.Lock()
        self.read = False

    async def ensure_read(self) -> None:
        """Reads them, unless that is done. Raises what reading them raises."""
        async with self._reading:
            if self.read:
                return
            found = [End.of(raw, self._counting.action_of) async for raw in self._finished()]
            self._take_up([end for end in found if end])
            self.read = True

    def clear(self) -> None:
        """Another term begins: what ended meanwhile is not known."""
        self.read = False
