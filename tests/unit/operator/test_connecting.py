"""The sessions that kopf is given: ours, listened to, and never again those that the API server refused."""

import asyncio
from collections.abc import Awaitable, Callable

import aiohttp
import kopf
import pytest
from aiohttp import web

from controller.kube.credentials import Credentials
from controller.kube.login import Login
from controller.kube.watches import Watches
from controller.operator.connecting import Connecting

PATH = "/apis/actionoperator.dev/v1alpha1/actionproposals"


class Scripted(Login):
    """Gives the credentials it is told to give."""

    def __init__(self, credentials: Credentials) -> None:
        super().__init__()
        self.now = credentials

    async def current(self) -> Credentials:
        return self.now


class Scene:
    """A server that notes whom it hears, and what was told of the requests."""

    def __init__(self) -> None:
        self.heard: list[str | None] = []
        self.told: list[tuple[str, int | None]] = []
        self.watches = Watches(["actionproposals"])

    async def serve(self, request: web.Request) -> web.Response:
        self.heard.append(request.headers.get("Authorization"))
        return web.json_response({}, status=200 if self.heard[-1] else 401)

    def note(self, verb: str, code: int | None, seconds: float) -> None:
        assert seconds >= 0
        self.told.append((verb, code))


def played(play: Callable[[Scene, Scripted, Connecting], Awaitable[None]]) -> None:
    async def run() -> None:
        scene, app = Scene(), web.Application()
        app.router.add_get("/{path:.*}", scene.serve)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        login = Scripted(Credentials(f"http://127.0.0.1:{runner.addresses[0][1]}", "Bearer first"))
        try:
            await play(scene, login, Connecting(login, scene.watches, scene.note))
        finally:
            await runner.cleanup()

    asyncio.run(run())


async def given(connecting: Connecting) -> kopf.AiohttpSession:
    found = await connecting.session()
    assert isinstance(found, kopf.AiohttpSession)
    return found


async def get(info: kopf.AiohttpSession, **query: str) -> int:
    async with info.aiohttp_session.get(info.server + PATH, params=query) as answer:
        await answer.read()
        return answer.status


def test_requests_carry_the_credentials_and_are_counted_by_verb_and_code() -> None:
    async def play(scene: Scene, login: Scripted, connecting: Connecting) -> None:
        first = await given(connecting)
        assert (await get(first), await get(first, watch="true")) == (200, 200)
        assert scene.watches.faults() == [], "the watch was heard"
        await first.aiohttp_session.close()
        login.now = Credentials(login.now.server)
        nobody = await given(connecting)
        assert await get(nobody) == 401
        await nobody.aiohttp_session.close()
        assert scene.heard == ["Bearer first", "Bearer first", None]
        assert scene.told == [("list", 200), ("watch", 200), ("list", 401)]

    played(play)


def test_a_request_without_an_answer_is_counted_as_well() -> None:
    async def play(scene: Scene, login: Scripted, connecting: Connecting) -> None:
        login.now = Credentials("http://127.0.0.1:1")
        info = await given(connecting)
        with pytest.raises(aiohttp.ClientConnectorError):
            await get(info)
        await info.aiohttp_session.close()
        assert scene.told == [("list", None)]

    played(play)


def test_refused_credentials_are_equal_to_themselves_and_new_ones_are_not() -> None:
    """kopf keeps what was refused, and takes nothing that is equal: it would ask with it for ever."""

    async def play(_scene: Scene, login: Scripted, connecting: Connecting) -> None:
        refused = await given(connecting)
        await refused.aiohttp_session.close()
        assert await given(connecting) is refused
        before, login.now = login.now, Credentials(login.now.server, "Bearer second")
        renewed = await given(connecting)
        assert renewed != refused
        assert not renewed.aiohttp_session.closed
        await renewed.aiohttp_session.close()
        login.now = before
        as_before = await given(connecting)
        assert as_before == refused
        await as_before.aiohttp_session.close()

    played(play)
