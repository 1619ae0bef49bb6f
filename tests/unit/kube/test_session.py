"""The pool of connections: which credentials go out, when connections are kept, and that nothing is sent twice."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, nullcontext
from dataclasses import replace

import aiohttp
import pytest

from controller.core.errors import LostAnswer, NotLeading, TransientFailure
from controller.core.ports import Journal, Resource
from controller.kube.api import Api
from controller.kube.credentials import Credentials
from controller.kube.login import Login
from controller.kube.session import Session

CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap")
Head = dict[str, str]


class Scripted(Login):
    """Gives the credentials it is told to give."""

    def __init__(self, *credentials: Credentials) -> None:
        super().__init__()
        self.ready = list(credentials)

    async def current(self) -> Credentials:
        return self.ready[0]

    async def again(self, refused: Credentials) -> Credentials:
        if self.ready[0] == refused and len(self.ready) > 1:
            self.ready.pop(0)
        return self.ready[0]


class Server:
    """An API server of a few lines: notes each request, and answers as `answer` says (None: hangs up)."""

    def __init__(self, answer: Callable[[Head], Awaitable[int | None]]) -> None:
        self.answer = answer
        self.seen: list[Head] = []
        self.connections = 0
        self.url = ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Server"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()
            await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
                head = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
                await reader.readexactly(int(head.get("content-length", "0")))
                head["method"], head["path"] = first.split(" ")[:2]
                self.seen.append(head)
                status = await self.answer(head)
                if status is None:
                    return
                writer.write(f"HTTP/1.1 {status} x\r\nContent-Length: 2\r\n\r\n{{}}".encode())
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()


async def fine(_: Head) -> int | None:
    return 200


def test_requests_carry_what_the_api_asks_for() -> None:
    async def run() -> None:
        async with Server(fine).running() as server, Session(Scripted(Credentials(server.url, "Bearer a"))) as session:
            api = Api(session)
            await api.patch(CONFIG_MAPS, "a", {"x": 1}, namespace="n", dry_run=True)
            await api.as_user("system:serviceaccount:n:r").get(CONFIG_MAPS, "a:b", namespace="n", subresource="scale")
        patch, get = server.seen
        assert patch["path"] == (
            "/api/v1/namespaces/n/configmaps/a?fieldManager=action-operator&fieldValidation=Strict&dryRun=All"
        )
        assert (patch["content-type"], patch["authorization"]) == ("application/merge-patch+json", "Bearer a")
        assert get["path"] == "/api/v1/namespaces/n/configmaps/a:b/scale"
        assert get["impersonate-user"] == "system:serviceaccount:n:r"
        assert "impersonate-group" not in get

    asyncio.run(run())


def test_a_new_token_keeps_the_connections_and_a_new_address_ends_them_in_peace() -> None:
    async def run() -> None:
        release = asyncio.Event()

        async def slow(head: Head) -> int | None:
            if head["path"].startswith("/slow"):
                await release.wait()
            return 200

        async with Server(slow).running() as one, Server(fine).running() as two:
            first = Credentials(one.url, "Bearer a")
            login = Scripted(first)
            async with Session(login) as session:
                await session.request("GET", "/1", headers={})
                login.ready = [replace(first, authorization="Bearer b")]
                await session.request("GET", "/2", headers={})
                assert one.connections == 1
                assert [head["authorization"] for head in one.seen] == ["Bearer a", "Bearer b"]
                waiting = asyncio.create_task(session.request("GET", "/slow", headers={}))
                while len(one.seen) < 3:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
                login.ready = [Credentials(two.url, "Bearer c")]
                await session.request("GET", "/3", headers={})
                assert two.connections == 1
                release.set()
                assert (await waiting).status == 200

    asyncio.run(run())


def test_a_refused_login_is_renewed_once_per_request() -> None:
    async def by_token(head: Head) -> int | None:
        return 200 if head["authorization"] == "Bearer good" else 401

    async def run() -> None:
        async with Server(by_token).running() as server:
            stale, good = Credentials(server.url, "Bearer stale"), Credentials(server.url, "Bearer good")
            async with Session(Scripted(stale, good)) as session:
                await Api(session).create(CONFIG_MAPS, {}, namespace="n")
                assert len(server.seen) == 2
            async with Session(Scripted(stale)) as session:
                with pytest.raises(TransientFailure):
                    await Api(session).create(CONFIG_MAPS, {}, namespace="n")
                assert len(server.seen) == 4

    asyncio.run(run())


def test_no_write_leaves_twice() -> None:
    """Also no DELETE, which HTTP libraries like to repeat: the second answer would hide the effect of the first."""

    async def first_only(_: Head) -> int | None:
        return 200 if len(server.seen) == 1 else None

    server = Server(first_only)

    async def run() -> None:
        async with server.running(), Session(Scripted(Credentials(server.url))) as session:
            api = Api(session)
            await api.get(CONFIG_MAPS, "a", namespace="n")
            with pytest.raises(LostAnswer):
                await api.delete(CONFIG_MAPS, "a", namespace="n")
            with pytest.raises(LostAnswer):
                await api.patch(CONFIG_MAPS, "a", {}, namespace="n")
            with pytest.raises(LostAnswer):
                await api.create(CONFIG_MAPS, {}, namespace="n")
        assert [head["method"] for head in server.seen] == ["GET", "DELETE", "PATCH", "POST"]

    asyncio.run(run())


def test_what_may_change_something_is_journaled_first() -> None:
    async def run() -> None:
        marks: list[int] = []
        async with Server(fine).running() as server, Session(Scripted(Credentials(server.url))) as session:
            api = Api(session, before_change=lambda: marks.append(len(server.seen)))
            await api.get(CONFIG_MAPS, "a", namespace="n")
            await api.patch(CONFIG_MAPS, "a", {}, namespace="n", dry_run=True)
            assert marks == []
            await api.patch(CONFIG_MAPS, "a", {}, namespace="n")
            await api.delete(CONFIG_MAPS, "a", namespace="n")
            assert marks == [2, 3]

    asyncio.run(run())


class Leads:
    """Whether this process leads: until another does."""

    def __init__(self) -> None:
        self.now = True

    def demand(self) -> None:
        if not self.now:
            raise NotLeading

    def another(self) -> None:
        self.now = False


async def kept_back(leads: Leads, login: Scripted, while_sent: Callable[[], AbstractContextManager[object]]) -> None:
    """What another's lead keeps back meanwhile never leaves, over a new connection and over one that is kept."""
    journal = Journal(leads.demand)
    async with Server(fine).running() as server, Session(login) as session:
        login.ready = [Credentials(server.url)]
        api = Api(session).as_user("system:serviceaccount:shop:ops", journal.sending)
        for _ in range(2):
            leads.now = True
            with while_sent(), pytest.raises(NotLeading):
                await api.patch(CONFIG_MAPS, "a", {}, namespace="n")
            await api.get(CONFIG_MAPS, "a", namespace="n")
        assert not journal.sent
        assert [head["method"] for head in server.seen] == ["GET", "GET"]


def test_what_must_not_leave_any_more_is_kept_back_with_the_connection_in_hand() -> None:
    """The process was stopped while it logged in or connected, past its Lease: the effect is another's now."""
    leads = Leads()

    class Frozen(Scripted):
        async def current(self) -> Credentials:
            leads.another()
            return await super().current()

    asyncio.run(kept_back(leads, Frozen(), nullcontext))


def test_what_must_not_leave_any_more_is_kept_back_as_it_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process was stopped with the connection in hand: a body is written in a task that is run later."""
    leads, send = Leads(), aiohttp.ClientRequest.send

    async def stopped(request: aiohttp.ClientRequest, conn: aiohttp.connector.Connection) -> aiohttp.ClientResponse:
        asyncio.get_running_loop().call_soon(leads.another)
        return await send(request, conn)

    @contextmanager
    def frozen() -> Iterator[None]:
        with monkeypatch.context() as patched:
            patched.setattr(aiohttp.ClientRequest, "send", stopped)
            yield

    asyncio.run(kept_back(leads, Scripted(), frozen))
