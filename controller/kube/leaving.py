"""What is asked at the last moment, with the connection in hand: may this request leave?

A process can be stopped for longer than its Lease lasts at any point before: while it logs in, waits for a connection
or makes one. What was true when the request was begun is then no longer so.
"""

from collections.abc import Awaitable, Callable

import aiohttp

Ask = Callable[[], None]
"""Raises what keeps the request from leaving."""


class LeavingRequest(aiohttp.ClientRequest):
    """A request that asks before its first byte is written. Nothing is awaited in between."""

    ask: Ask | None = None

    async def send(self, conn: aiohttp.connector.Connection) -> aiohttp.ClientResponse:
        if self.ask is not None:
            self.ask()
        return await super().send(conn)


def asking(ask: Ask) -> aiohttp.ClientMiddlewareType:
    """For sessions whose `request_class` is LeavingRequest."""

    async def told(
        request: aiohttp.ClientRequest,
        handler: Callable[[aiohttp.ClientRequest], Awaitable[aiohttp.ClientResponse]],
    ) -> aiohttp.ClientResponse:
        if not isinstance(request, LeavingRequest):
            raise TypeError("this session does not ask before requests leave")
        request.ask = ask
        return await handler(request)

    return told
