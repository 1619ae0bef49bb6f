"""Keeps knowing whether the API server proves who asks and who votes."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable

from controller.core.enforcement import Enforcement
from controller.core.errors import ActionError
from controller.runtime.declarations import Declarations

logger = logging.getLogger(__name__)

LOOK_SECONDS = 30.0


class Enforcing:
    """`look` reads the admission policies; `on_change` is called when what it found is another than before."""

    def __init__(
        self, look: Callable[[], Awaitable[Enforcement]], declarations: Declarations, on_change: Callable[[], None]
    ) -> None:
        self._look = look
        self._declarations = declarations
        self._on_change = on_change

    async def refresh(self) -> None:
        """Looks now. Raises the errors of `core.errors` where the API server gives no answer."""
        found = await self._look()
        if found == self._declarations.enforcement:
            return
        if found.since is None:
            logger.warning("votes do not count: %s", found.fault)
        else:
            logger.info("who asks and who votes is proven by the API server since %s", found.since.isoformat())
        self._declarations.enforcement = found
        self._on_change()

    async def run(self) -> None:
        """Looks again and again."""
        while True:
            await asyncio.sleep(LOOK_SECONDS * (0.9 + 0.2 * random.random()))  # noqa: S311  spreads load, no secret
            try:
                await self.refresh()
            except ActionError as error:
                logger.info("the admission policies are looked at again later: %s", error)
