"""The credentials in force: read when first asked for, renewed in time, read from scratch after a 401."""

import asyncio
import logging
import time
from collections.abc import Callable

from controller.core.errors import PermanentFailure, TransientFailure
from controller.kube.credentials import Credentials, Source, find_source

logger = logging.getLogger(__name__)

# The kubelet renews a pod's token at 80 % of its life; the official loader, too, looks at most once a minute.
RENEW_SECONDS = 60.0
# An exec plugin may have to ask a person; everybody else waits for it.
LOGIN_SECONDS = 60.0


class Login:
    """Gives credentials. One is shared by all who talk to the same API server; many tasks may use it at once."""

    def __init__(
        self,
        kubeconfig: str | None = None,
        context: str | None = None,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._kubeconfig = kubeconfig
        self._context = context
        self._monotonic = monotonic
        self._lock = asyncio.Lock()
        self._source: Source | None = None
        self._credentials: Credentials | None = None
        self._renew_at: float | None = None

    async def current(self) -> Credentials:
        """The credentials, renewed if it is time.

        Raises PermanentFailure if there are none to be had, TransientFailure if they cannot be read now.
        """
        found = self._credentials
        if found is not None and (self._renew_at is None or self._monotonic() < self._renew_at):
            return found
        async with self._lock:
            if self._source is None or self._credentials is None:
                return await self._from_scratch()
            if self._renew_at is not None and self._monotonic() >= self._renew_at:
                await self._renewed(self._source)
            return self._credentials

    async def again(self, refused: Credentials) -> Credentials:
        """The credentials after the API server refused these: read from scratch, once for all who ask."""
        async with self._lock:
            if self._credentials is None or self._credentials == refused:
                return await self._from_scratch()
            return self._credentials

    async def _from_scratch(self) -> Credentials:
        try:
            async with asyncio.timeout(LOGIN_SECONDS):
                self._source = await find_source(self._kubeconfig, self._context)
                return self._keep(self._source, await self._source.read())
        except OSError as error:
            raise TransientFailure(f"cannot log in to the API server: {error or 'no credentials in time'}") from error

    async def _renewed(self, source: Source) -> None:
        """Those we have may still be good if new ones cannot be read; the API server will tell."""
        try:
            async with asyncio.timeout(LOGIN_SECONDS):
                self._keep(source, await source.read())
        except (PermanentFailure, OSError) as error:
            logger.warning("credentials not renewed, going on with the old ones: %s", error or "no answer in time")
            self._renew_at = self._monotonic() + RENEW_SECONDS

    def _keep(self, source: Source, credentials: Credentials) -> Credentials:
        self._credentials = credentials
        self._renew_at = self._monotonic() + RENEW_SECONDS if source.renewable else None
        return credentials
