"""What is asked at the last moment, with the connection in hand: may this request leave?

A process can be stopped for longer than its Lease lasts at any point before: while it logs in, waits for a connection,
makes one, or has other things to do before it writes. What was true when the request was begun is then no longer so.
"""

from collections.abc import Awaitable, Callable

import aiohttp
from aiohttp.abc import AbstractStreamWriter

Ask = Callable[[], None]
"""Raises what keeps the request from leaving."""


class LeavingRequest(aiohttp.ClientRequest):
    """A request that asks in the very step that writes its first byte.

    A body is written in a task of its own, and takes the headers along: until that task is run, time passes.
    """

    ask: Ask | None = None

    async def send(self, conn: aiohttp.connector.Connection) -> aiohttp.ClientResponse:
        if self.ask is not None and not self.body:
            self.ask()
        return await super().send(conn)

    async def write_bytes(
        self, writer: AbstractStreamWriter, conn: aiohttp.connector.Connection, content_length: int | None = None
    ) -> None:
        if self.ask is not None:
            try:
                self.ask()
            except Exception as kept_back:  # noqa: BLE001  it goes to who waits for the answer, as aiohttp's own do
                if conn.protocol is not None:
                    conn.protocol.set_exception(kept_back)
                return
        await super().write_bytes(writer, conn, content_length)


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
