"""Bounded repeats, in process, of what may be repeated. Waits between an action's attempts are `core.backoff`'s."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt, stop_before_delay
from tenacity.wait import wait_base, wait_random_exponential

from controller.core.errors import ActionError, Conflict, LostAnswer, Repeatable, TransientFailure
from controller.kube.answers import Expired

T = TypeVar("T")

READ_TRIES = 4
READ_SECONDS = 5.0


class PatientWait(wait_base):
    """Exponential with full jitter, but at least what the target asked for."""

    def __init__(self, first_seconds: float, most_seconds: float) -> None:
        self._jittered = wait_random_exponential(multiplier=first_seconds, max=most_seconds)

    def __call__(self, retry_state: RetryCallState) -> float:
        error = retry_state.outcome.exception() if retry_state.outcome else None
        least = error.retry_after_seconds if isinstance(error, Repeatable) else None
        return max(self._jittered(retry_state), least or 0.0)


async def read_again(call: Callable[[], Awaitable[T]]) -> T:
    """A read, tried up to 4 times within about 5 s while its failure is transient. Raises the last failure."""
    return await _tried_again(_reads.copy(), call)  # tenacity keeps the state of a running call in the object


async def write_again(call: Callable[[], Awaitable[T]], *, tries: int, seconds: float) -> T:
    """A write that is the same however often it is done (a fixed name), also tried again after a lost answer."""
    retrying = AsyncRetrying(
        retry=retry_if_exception(lambda error: _may_pass(error) or isinstance(error, LostAnswer)),
        wait=PatientWait(0.5, 10.0),
        stop=stop_after_attempt(tries) | stop_before_delay(seconds),
        reraise=True,
    )
    return await _tried_again(retrying, call)


async def _tried_again(retrying: AsyncRetrying, call: Callable[[], Awaitable[T]]) -> T:
    """The call, which nearly always works: only a failure is worth the cost of a retrying one, which then counts it."""
    try:
        return await call()
    except ActionError as error:
        failed: list[ActionError] = [error]

    async def repeated() -> T:
        if failed:
            raise failed.pop()
        return await call()

    return await retrying(repeated)


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, TransientFailure) and not isinstance(error, Conflict | Expired)


_reads = AsyncRetrying(
    retry=retry_if_exception(_may_pass),
    wait=PatientWait(0.25, 2.0),
    stop=stop_after_attempt(READ_TRIES) | stop_before_delay(READ_SECONDS),
    reraise=True,
)
