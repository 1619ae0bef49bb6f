"""The probes and the metrics as a kubelet and Prometheus ask for them."""

import asyncio
import re
from collections.abc import Awaitable, Callable

import aiohttp
import pytest
from harness import scrape
from unit.runtime.scraped import Scraped

from controller.kube.watches import Watches
from controller.operator.probes import Addresses, probes
from controller.runtime.heartbeat import HANGING_SECONDS, STUCK_SECONDS, Health

ANY = ("127.0.0.1", 0)
Ask = Callable[[str], Awaitable[tuple[int, str]]]


def played(play: Callable[[Scraped, Health, Ask], Awaitable[None]], caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        operator = Scraped()
        health = Health(Watches([]), operator.queue, lambda: operator.leads)
        await operator.settle()
        with caplog.at_level("INFO"):
            async with (
                probes(Addresses(metrics=ANY, health=ANY), operator.metrics.registry, health),
                aiohttp.ClientSession() as session,
            ):
                servers = re.findall(r"(?:metrics|probes) at (http://[^/]+)/", caplog.text)
                at = dict(zip(("/metrics", "/healthz"), servers, strict=True)) | {"/readyz": servers[1]}

                async def ask(path: str) -> tuple[int, str]:
                    async with session.get(at[path] + path) as answer:
                        return answer.status, await answer.text()

                await play(operator, health, ask)
        await operator.outage.close()

    asyncio.run(run())


def test_a_process_that_lives_and_works_is_ready(caplog: pytest.LogCaptureFixture) -> None:
    async def play(_operator: Scraped, _health: Health, ask: Ask) -> None:
        assert await ask("/healthz") == (200, "ok\n")
        assert await ask("/readyz") == (200, "ok\n")

    played(play, caplog)


def test_the_scrape_is_one_for_prometheus(caplog: pytest.LogCaptureFixture) -> None:
    async def play(_operator: Scraped, _health: Health, ask: Ask) -> None:
        status, text = await ask("/metrics")
        assert status == 200
        assert scrape.value(text, "actionoperator_is_leader") == 1
        assert scrape.value(text, "process_resident_memory_bytes") > 1e7

    played(play, caplog)


def test_a_queue_that_nobody_works_on_is_not_ready_and_is_alive(caplog: pytest.LogCaptureFixture) -> None:
    async def play(operator: Scraped, _health: Health, ask: Ask) -> None:
        operator.propose()
        operator.sleep(STUCK_SECONDS)
        assert await ask("/readyz") == (200, "ok\n")
        operator.sleep(1)
        told = "the queue is stuck: an object has been due for 121 s and nobody takes it\n"
        assert await ask("/readyz") == (503, told)
        assert await ask("/healthz") == (200, "ok\n")
        operator.leads = False
        assert await ask("/readyz") == (200, "ok\n"), "a standby takes nothing"
        operator.leads = True
        await operator.settle()
        assert await ask("/readyz") == (200, "ok\n")

    played(play, caplog)


def test_an_object_that_is_handled_without_end_is_told(caplog: pytest.LogCaptureFixture) -> None:
    async def play(operator: Scraped, _health: Health, ask: Ask) -> None:
        operator.propose()
        await operator.queue.take()
        operator.sleep(HANGING_SECONDS + 1)
        assert await ask("/readyz") == (503, "an object has been handled for 301 s without end\n")

    played(play, caplog)


def test_every_watch_that_is_not_there_is_named(caplog: pytest.LogCaptureFixture) -> None:
    async def play(_operator: Scraped, health: Health, ask: Ask) -> None:
        health.watches = Watches(["actionproposals", "namespaces"])
        assert await ask("/readyz") == (503, "actionproposals are not watched yet\nnamespaces are not watched yet\n")

    played(play, caplog)


def test_a_process_that_stops_is_not_ready(caplog: pytest.LogCaptureFixture) -> None:
    async def play(_operator: Scraped, health: Health, ask: Ask) -> None:
        health.stopping = True
        assert await ask("/readyz") == (503, "the process is stopping\n")
        assert await ask("/healthz") == (200, "ok\n")

    played(play, caplog)


def test_an_address_that_is_taken_is_an_error() -> None:
    async def run() -> None:
        operator = Scraped()
        health = Health(Watches([]), operator.queue, lambda: True)
        server = await asyncio.start_server(lambda _reader, _writer: None, *ANY)
        taken = server.sockets[0].getsockname()[:2]
        with pytest.raises(OSError, match="address already in use"):
            async with probes(Addresses(health=taken), operator.metrics.registry, health):
                pytest.fail("served")
        server.close()
        await server.wait_closed()

    asyncio.run(run())
