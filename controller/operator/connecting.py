"""kopf's connections to the API server: made like our own, so that what comes over them can be listened to."""

from dataclasses import dataclass
from time import perf_counter

import aiohttp
import kopf

from controller.kube.credentials import Credentials
from controller.kube.login import Login
from controller.kube.session import Told, open_pool
from controller.kube.watches import Watches


@dataclass(frozen=True, kw_only=True, eq=False)
class _Connection(kopf.AiohttpSession):
    """kopf takes those that are equal to ones that were refused for refused as well."""

    credentials: Credentials

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Connection) and other.credentials == self.credentials

    def __hash__(self) -> int:
        return hash(self.credentials)


class Connecting:
    """Gives kopf its sessions, which kopf closes. `told` hears of each request."""

    def __init__(self, login: Login, watches: Watches, told: Told) -> None:
        self._login = login
        self._watches = watches
        self._told = told
        self._given: _Connection | None = None

    async def session(self) -> kopf.AiohttpSession:
        """For the credentials in force; the same one as before if they are the same, though kopf has closed it then:
        they were refused. Raises ActionError where there are none.
        """
        current = await self._login.current()
        if self._given is None or self._given.credentials != current:
            pool = open_pool(current, self._count, self._watches.hear)
            if current.authorization:
                pool.headers["Authorization"] = current.authorization
            self._given = _Connection(server=current.server, aiohttp_session=pool, credentials=current)
        return self._given

    async def _count(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        began, code = perf_counter(), None
        try:
            response = await handler(request)
            code = response.status
        finally:
            self._told("watch" if "watch" in request.url.query else "list", code, perf_counter() - began)
        return response
