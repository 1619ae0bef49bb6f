"""Runs the operator until it is told to stop: kopf watches, the engine works."""

import asyncio
import logging
import sys

import kopf

from controller.kube.login import Login
from controller.operator.watching import registry
from controller.runtime.assembly import Options, assembled

logger = logging.getLogger(__name__)


async def serve(
    login: Login, options: Options, *, metrics_address: tuple[str, int] | None, liveness: str | None
) -> None:
    """Serves until SIGTERM or SIGINT. Running attempts get `options.drain_seconds` to end; the rest stays open."""
    async with assembled(login, options, sys.stdout) as running:
        if metrics_address:
            host, port = metrics_address
            logger.info("metrics at http://%s:%d/metrics", host, running.metrics.serve(host, port))
        work = asyncio.create_task(running.engine.run(), name="engine")
        watch = asyncio.create_task(
            kopf.operator(
                registry=registry(login, running.intake),
                standalone=True,
                clusterwide=options.namespace is None,
                namespaces=[options.namespace] if options.namespace else (),
                liveness_endpoint=liveness,
            ),
            name="kopf",
        )
        try:
            done, _ = await asyncio.wait({work, watch}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            work.cancel()
            watch.cancel()
            await asyncio.gather(work, watch, return_exceptions=True)
        for task in done:
            if not task.cancelled():
                task.result()
