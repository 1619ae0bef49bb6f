"""Waits until the purpose of an effect is reached: the executor's own verification, then the verify checks.

What cannot be read now is looked at again: the caller bounds the time, or a check its own. It knows of no attempt.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from controller.core.checks import Named, Result, settling, untrue
from controller.core.errors import CannotTell, TransientFailure
from controller.core.ports import Executor, Operation, Request, Verified
from controller.runtime.checks import look

FIRST_LOOK_SECONDS = 0.05
LONGEST_LOOK_SECONDS = 5.0


class Purpose:
    """The purpose of one effect, looked at until it is reached."""

    def __init__(
        self,
        executor: Executor[Any],
        request: Request[Any],
        operation: Operation,
        checks: Sequence[Named],
        clock: Callable[[], datetime],
    ) -> None:
        self._executor = executor
        self._request = request
        self._operation = operation
        self._checks = checks
        self._clock = clock
        self._since: float | None = None
        """When the executor's own verification was through: the time of checks counts from then."""
        self.missing = ""
        """What was missing at the last look."""
        self.untold = False
        """Whether that look could not tell, as opposed to seeing that it is not reached."""

    async def reached(self) -> Verified:
        """Returns when it is. Raises NotReached when the time of a check is up, and the errors of the executor."""
        pause = FIRST_LOOK_SECONDS
        while True:
            seen = await self._look()
            if seen is not None and seen.ok:
                return seen
            if seen is not None and seen.again_at:
                pause = max(FIRST_LOOK_SECONDS, (seen.again_at - self._clock()).total_seconds())
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_LOOK_SECONDS)

    async def _look(self) -> Verified | None:
        """None where nothing was seen."""
        try:
            seen = await self._executor.verify(self._request, self._operation)
        except TransientFailure as error:
            self.missing, self.untold = str(error), False
            return None
        except CannotTell as error:
            self.missing, self.untold = str(error), True
            raise
        if seen.ok and self._checks:
            return seen if await self._checked() else None
        self.missing, self.untold = seen.message, False
        return seen

    async def _checked(self) -> bool:
        clock = asyncio.get_running_loop().time
        if self._since is None:
            self._since = clock()
            self.missing, self.untold = "its verify checks gave no answer in time", True
        answers = await look(self._checks, self._request)
        wrong = untrue(answers)
        if not wrong:
            self.missing, self.untold = "", False
            return True
        seconds = clock() - self._since
        end = settling(answers, seconds, float("inf"))
        one = end or min(wrong, key=lambda answer: answer.result is Result.UNTOLD)
        self.missing, self.untold = one.message, one.result is Result.UNTOLD
        if end is not None:
            raise NotReached(one.message)
        return False


class NotReached(TransientFailure):
    """The time of a verify check is up."""
