"""How it is known that a watch lives: by bytes, over real connections to a server of a few lines."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from controller.kube.watches import DOWN_SECONDS, SILENT_SECONDS, Watches

PLURAL = "actionproposals"
PATH = f"/apis/actionoperator.dev/v1alpha1/namespaces/shop/{PLURAL}"


class Scene:
    """A watch under way. `sent` bytes come through, `now` is the time."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.listed: list[str] = []
        self.watches = Watches([PLURAL], lambda: self.now, self.listed.append)
        self._send: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._got = asyncio.Event()
        self.url = ""
        self.status = 200

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        app = web.Application()
        app.router.add_get("/{path:.*}", self._serve)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}{PATH}"
        try:
            async with aiohttp.ClientSession(middlewares=(self.watches.hear,)) as self.session:
                yield
        finally:
            await runner.cleanup()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        if "watch" not in request.query or self.status != 200:
            return web.json_response({}, status=self.status)
        response = web.StreamResponse()
        await response.prepare(request)
        while (piece := await self._send.get()) is not None:
            await response.write(piece)
        assert request.transport is not None
        request.transport.abort()
        return response

    async def watch(self) -> "asyncio.Task[None]":
        """Begins to watch; whoever watches reads on until it breaks."""
        response = await self.session.get(self.url, params={"watch": "true"})

        async def read() -> None:
            async with response:
                async for _ in response.content.iter_any():
                    self._got.set()

        return asyncio.create_task(read())

    async def event(self) -> None:
        self._got.clear()
        await self._send.put(b"{}\n")
        await self._got.wait()

    async def break_off(self, reading: "asyncio.Task[None]") -> None:
        await self._send.put(None)
        with pytest.raises(aiohttp.ClientError):
            await reading


def played(play: Callable[[Scene], Awaitable[None]]) -> None:
    async def run() -> None:
        scene = Scene()
        async with asyncio.timeout(20), scene.running():
            await play(scene)

    asyncio.run(run())


def test_nothing_is_watched_before_the_first_watch() -> None:
    async def play(scene: Scene) -> None:
        assert scene.watches.faults() == [f"{PLURAL} are not watched yet"]
        await (await scene.session.get(scene.url)).read()
        assert scene.watches.faults() == [f"{PLURAL} are not watched yet"], "only listed"
        assert scene.listed == [PLURAL]
        reading = await scene.watch()
        assert scene.watches.faults() == []
        assert scene.listed == [PLURAL], "a watch is no list"
        await scene.break_off(reading)

    played(play)


def test_bytes_keep_it_young_and_silence_ages_it() -> None:
    async def play(scene: Scene) -> None:
        reading = await scene.watch()
        scene.now += 60
        assert scene.watches.ages() == {PLURAL: 60}
        await scene.event()
        assert scene.watches.ages() == {PLURAL: 0}
        scene.now += SILENT_SECONDS
        assert scene.watches.faults() == []
        scene.now += 1
        assert scene.watches.faults() == [f"the watch of {PLURAL} has been silent for 151 s"]
        await scene.event()
        assert scene.watches.faults() == []
        await scene.break_off(reading)

    played(play)


def test_one_that_is_broken_off_is_told_soon_and_forgiven_when_it_is_back() -> None:
    async def play(scene: Scene) -> None:
        await scene.break_off(await scene.watch())
        scene.now += DOWN_SECONDS
        assert scene.watches.faults() == [], "the next one may be on its way"
        scene.now += 1
        assert scene.watches.faults() == [f"the watch of {PLURAL} has been broken for 31 s"]
        reading = await scene.watch()
        assert scene.watches.faults() == []
        await scene.break_off(reading)

    played(play)


def test_a_watch_that_ends_after_an_hour_of_quiet_has_been_broken_for_no_time() -> None:
    async def play(scene: Scene) -> None:
        reading = await scene.watch()
        for _ in range(60):
            scene.now += 60
            await scene.event()
            scene.watches.sample()
        scene.now += 59
        scene.watches.sample()
        await scene.break_off(reading)
        scene.now += 1
        assert scene.watches.faults() == []

    played(play)


@pytest.mark.parametrize("status", [401, 403, 500])
def test_a_watch_that_is_refused_is_none(status: int) -> None:
    async def play(scene: Scene) -> None:
        scene.status = status
        await (await scene.session.get(scene.url, params={"watch": "true"})).read()
        assert scene.watches.faults() == [f"{PLURAL} are not watched yet"]

    played(play)
