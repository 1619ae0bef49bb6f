"""Runs the operator until it is told to stop: kopf watches, the engine works.

The engine stops first, while watches and Lease are still there: running attempts may end, and what they came to is
recorded. kopf would otherwise take the engine's tasks for hung ones of its own and end them.
"""

import asyncio
import logging
import signal
import sys

import kopf

from controller.kube.login import Login
from controller.operator.watching import registry
from controller.runtime.assembly import Options, assembled

logger = logging.getLogger(__name__)


async def serve(
    login: Login, options: Options, *, metrics_address: tuple[str, int] | None, liveness: str | None
) -> None:
    """Serves until SIGTERM or SIGINT. Running attempts get `options.drain_seconds` to end; the rest stays open.

    Raises ActionError without credentials to begin with: nobody would mend a kubeconfig that is only complained of.
    """
    await login.current()
    told, over = asyncio.Event(), asyncio.Event()
    async with assembled(login, options, sys.stdout) as running:
        if metrics_address:
            host, port = metrics_address
            logger.info("metrics at http://%s:%d/metrics", host, running.metrics.serve(host, port))
        work = asyncio.create_task(running.engine.run(), name="engine")
        stopped = asyncio.create_task(told.wait(), name="stop")
        others = frozenset(asyncio.all_tasks())
        watches = await kopf.spawn_tasks(
            registry=registry(login, running.intake),
            standalone=True,
            clusterwide=options.namespace is None,
            namespaces=[options.namespace] if options.namespace else (),
            liveness_endpoint=liveness,
            stop_flag=over,
        )
        _heed_signals(told)  # kopf has just taken them, and would stop the watches first
        watch = asyncio.create_task(kopf.run_tasks(watches, ignored=others), name="kopf")
        try:
            await asyncio.wait({work, watch, stopped}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            failed = [task for task in (work, watch) if task.done() and not task.cancelled()]
            for task in (work, stopped):
                task.cancel()
            await asyncio.gather(work, stopped, return_exceptions=True)
            over.set()
            await asyncio.gather(watch, return_exceptions=True)
        for task in failed:
            task.result()


def _heed_signals(told: asyncio.Event) -> None:
    """SIGTERM and SIGINT stop the engine first."""
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
