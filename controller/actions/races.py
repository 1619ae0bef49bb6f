"""Changing what others change at the same time: looked at and changed anew where somebody's write came between."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt

from controller.actions.retry import RetryConfig, wait_backoff
from controller.core.errors import Conflict

T = TypeVar("T")

_PAUSES = RetryConfig(min_wait_seconds=0.05, max_wait_seconds=0.5)


async def racing(once: Callable[[], Awaitable[T]], *, attempts: int) -> T:
    """What `once()` returns, which reads the object and changes what it read. Raises Conflict if that goes on."""
    async for attempt in AsyncRetrying(
        retry=retry_if_exception_type(Conflict),
        stop=stop_after_attempt(attempts),
        wait=wait_backoff(_PAUSES),
        reraise=True,
    ):
        with attempt:
            return await once()
    raise AssertionError("tenacity either returns or raises")
