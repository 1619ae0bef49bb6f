"""The API server being away: said once, shown in a metric, asked about gently until it is back.

While it is away nobody takes keys: a thousand waiting objects must not make a thousand requests.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable

from controller.core.errors import ActionError, NotFound, NotLeading, RightMissing
from controller.runtime.metrics import Metrics

logger = logging.getLogger(__name__)

PROBE_SECONDS = 1.0


class Outage:
    """`probe` is a cheap read that raises while the API server is away."""

    def __init__(self, probe: Callable[[], Awaitable[object]], metrics: Metrics) -> None:
        self._probe = probe
        self._metrics = metrics
        self._up = asyncio.Event()
        self._up.set()
        self._prober: asyncio.Task[None] | None = None

    async def over(self) -> None:
        """Returns when the API server answers."""
        await self._up.wait()

    def suspected(self, error: ActionError) -> None:
        """A request failed in a way that may mean that the API server is away, or was not sent at all."""
        if isinstance(error, NotLeading):
            return
        if self._prober is None or self._prober.done():
            self._up.clear()
            self._prober = asyncio.create_task(self._watch(error), name="outage")

    async def close(self) -> None:
        if self._prober:
            self._prober.cancel()
            await asyncio.gather(self._prober, return_exceptions=True)

    async def _watch(self, error: ActionError) -> None:
        said = False
        while True:
            try:
                await self._probe()
            except ActionError:
                if not said:
                    logger.warning("the API server %s: %s", _trouble(error), error)
                    self._metrics.api_unavailable.set(1)
                    said = True
                await asyncio.sleep(PROBE_SECONDS * (0.5 + random.random()))  # noqa: S311  spreads load, no secret
            else:
                break
        if said:
            logger.warning("the API server answers again")
            self._metrics.api_unavailable.set(0)
        self._up.set()


def _trouble(error: ActionError) -> str:
    match error:
        case NotFound():
            return "does not serve what is asked of it, waiting for it"
        case RightMissing():
            return (
                "refuses what the operator needs, waiting for the right; config/rbac/operator.yaml and the chart have "
                "all of them, and `kubectl actions doctor` names what is missing"
            )
        case _:
            return "does not answer, waiting for it"
