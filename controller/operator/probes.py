"""Answers Prometheus and the kubelet, on the event loop: one that does not turn any more answers nobody.

`/healthz` says that the process lives, no more: an API server that is away is no reason to start it anew. `/readyz`
says whether the watches and the queue move; a standby is ready as well.
"""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from controller.runtime.heartbeat import Health

logger = logging.getLogger(__name__)

Address = tuple[str, int]
Handler = Callable[[web.Request], Awaitable[web.Response]]


@dataclass(frozen=True)
class Addresses:
    """Where what is served, as (host, port); None = not at all. Port 0 = one that is free."""

    metrics: Address | None = None
    health: Address | None = None


@asynccontextmanager
async def probes(addresses: Addresses, registry: CollectorRegistry, health: Health) -> AsyncIterator[None]:
    """Serves until left. Raises OSError if an address cannot be had."""
    runners = []
    try:
        if addresses.metrics:
            runners.append(await _served(addresses.metrics, {"/metrics": _metrics(registry)}))
            logger.info("metrics at %s/metrics", _url(runners[-1]))
        if addresses.health:
            runners.append(await _served(addresses.health, {"/healthz": _alive, "/readyz": _ready(health)}))
            logger.info("probes at %s/healthz and /readyz", _url(runners[-1]))
        yield
    finally:
        for runner in runners:
            await runner.cleanup()


def _metrics(registry: CollectorRegistry) -> Handler:
    async def scraped(request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(registry), headers={"Content-Type": content_type})

    return scraped


async def _alive(_: web.Request) -> web.Response:
    return web.Response(text="ok\n")


def _ready(health: Health) -> Handler:
    async def asked(_: web.Request) -> web.Response:
        faults = health.faults()
        return web.Response(text="".join(f"{line}\n" for line in faults or ["ok"]), status=503 if faults else 200)

    return asked


async def _served(address: Address, handlers: dict[str, Handler]) -> web.AppRunner:
    app = web.Application()
    for path, handler in handlers.items():
        app.router.add_get(path, handler)
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, *address).start()
    except OSError:
        await runner.cleanup()
        raise
    return runner


def _url(runner: web.AppRunner) -> str:
    host, port = runner.addresses[0][:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
