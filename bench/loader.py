"""A bare loader: asyncio, aiohttp, nothing else. Makes objects, and says how fast the API server can take writes."""

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from yarl import URL

from localcluster.kubeconfig import Access

CONNECTIONS = 32
JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"


@dataclass(frozen=True)
class Call:
    """One request. `body` None: none is sent."""

    method: str
    path: str
    body: Any = None

    @classmethod
    def create(cls, path: str, body: Any) -> "Call":
        return cls("POST", path, body)

    @classmethod
    def patch(cls, path: str, body: Any) -> "Call":
        return cls("PATCH", path, body)


class Refused(Exception):
    """An answer that is no success."""


class Loader:
    """Requests as one user."""

    def __init__(self, session: aiohttp.ClientSession, server: str) -> None:
        self._session = session
        self._server = server

    async def send(self, call: Call) -> Any:
        """The object in the answer. Raises Refused."""
        data = None if call.body is None else json.dumps(call.body, separators=(",", ":")).encode()
        headers = {"Content-Type": MERGE_PATCH if call.method == "PATCH" else JSON}
        url = URL(self._server + call.path, encoded=True)
        async with self._session.request(call.method, url, data=data, headers=headers) as response:
            text = await response.read()
        if response.status >= 400:
            raise Refused(f"{call.method} {call.path}: {response.status} {text[:300].decode(errors='replace')}")
        return json.loads(text)

    async def send_all(self, calls: Iterable[Call], connections: int = CONNECTIONS) -> float:
        """Sends all, so many at a time, as fast as they are taken; the seconds it took."""
        return await self.send_groups(((call,) for call in calls), connections)

    async def send_groups(self, groups: Iterable[Iterable[Call]], connections: int = CONNECTIONS) -> float:
        """The same with groups of calls that go one after another."""
        left = iter(groups)

        async def drain() -> None:
            for group in left:
                for call in group:
                    await self.send(call)

        begun = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for _ in range(connections):
                group.create_task(drain())
        return time.perf_counter() - begun

    @asynccontextmanager
    async def watch(self, path: str) -> AsyncIterator[AsyncIterator[Any]]:
        """The events of a watch."""
        timeout = aiohttp.ClientTimeout(total=None, sock_read=None)
        url = URL(self._server + path, encoded=True)
        async with self._session.get(url, timeout=timeout) as response:
            if response.status >= 400:
                raise Refused(f"watch {path}: {response.status}")

            async def events() -> AsyncIterator[Any]:
                rest = b""
                async for chunk in response.content.iter_any():
                    *lines, rest = (rest + chunk).split(b"\n")
                    for line in lines:
                        yield json.loads(line)

            yield events()


@asynccontextmanager
async def loading(access: Access) -> AsyncIterator[Loader]:
    """A loader while it is open."""
    trust = ssl.create_default_context(cadata=access.authority.decode())
    connector = aiohttp.TCPConnector(limit=0, ssl=trust)
    headers = {"Authorization": f"Bearer {access.token}", "Accept": JSON}
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
        yield Loader(session, access.server)
