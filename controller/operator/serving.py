"""Runs the operator until it is told to stop: kopf watches, the engine works.

The engine stops first, while watches and Lease are still there: running attempts may end, and what they came to is
recorded. kopf would otherwise take the engine's tasks for hung ones of its own and end them.
"""

import asyncio
import logging
import signal
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import kopf

from controller.core.errors import ActionError
from controller.kube.login import Login
from controller.operator.connecting import Connecting
from controller.operator.kinds import until_served
from controller.operator.probes import Addresses, probes
from controller.operator.watching import registry
from controller.runtime.assembly import Options, Running, assembled
from controller.runtime.heartbeat import beat

logger = logging.getLogger(__name__)


class WatchEnded(ActionError):
    """kopf does not watch any more."""


async def serve(login: Login, options: Options, addresses: Addresses) -> None:
    """Serves until SIGTERM or SIGINT. Running attempts get `options.drain_seconds` to end; the rest stays open.

    Probes and metrics are served until the engine has stopped.

    Raises ActionError without credentials to begin with: nobody would mend a kubeconfig that is only complained of.
    """
    await login.current()
    told, over = asyncio.Event(), asyncio.Event()
    watch: list[asyncio.Task[None]] = []
    async with assembled(login, options, sys.stdout) as running:
        try:
            async with _attended(addresses, running):
                failed = await _work(login, options, running, watch, told, over)
        finally:  # kopf would wait for what attends, as for hung tasks of its own
            over.set()
            await asyncio.gather(*watch, return_exceptions=True)
        for task in failed:
            task.result()


@asynccontextmanager
async def _attended(addresses: Addresses, running: Running) -> AsyncIterator[None]:
    """Probes are answered, and the pulse is taken."""
    async with probes(addresses, running.metrics.registry, running.health):
        pulse = asyncio.create_task(beat(running.watches, running.metrics), name="pulse")
        try:
            yield
        finally:
            pulse.cancel()
            await asyncio.gather(pulse, return_exceptions=True)


async def _work(
    login: Login,
    options: Options,
    running: Running,
    watch: list[asyncio.Task[None]],
    told: asyncio.Event,
    over: asyncio.Event,
) -> list[asyncio.Task[None]]:
    """Works, and puts into `watch` what watches, until told to stop; what has failed."""
    _heed_signals(told)
    work = asyncio.create_task(running.engine.run(), name="engine")
    stopped = asyncio.create_task(told.wait(), name="stop")
    served = asyncio.create_task(until_served(running.api), name="kinds")
    try:
        await asyncio.wait({work, stopped, served}, return_when=asyncio.FIRST_COMPLETED)
        if served.done() and not (work.done() or stopped.done()):
            served.result()
            watch.append(await _watch(login, options, running, over))
            _heed_signals(told)  # kopf has just taken them, and would stop the watches first
            await asyncio.wait({work, stopped, *watch}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        failed = [task for task in (*watch, work) if task.done() and not task.cancelled()]
        running.health.stopping = True
        for task in (work, stopped, served):
            task.cancel()
        await asyncio.gather(work, stopped, served, return_exceptions=True)
    return failed


async def _watch(login: Login, options: Options, running: Running, over: asyncio.Event) -> asyncio.Task[None]:
    """kopf at work until `over`."""
    others = frozenset(asyncio.all_tasks())
    begun = await kopf.spawn_tasks(
        registry=registry(Connecting(login, running.watches, running.metrics.api_answered), running.intake),
        standalone=True,
        clusterwide=options.namespace is None,
        namespaces=[options.namespace] if options.namespace else (),
        stop_flag=over,
    )
    return asyncio.create_task(_until_told(kopf.run_tasks(begun, ignored=others)), name="kopf")


async def _until_told(watching: Coroutine[Any, Any, None]) -> None:
    """Raises WatchEnded for whatever kopf ends by; a kind that was taken away, for one."""
    try:
        await watching
    except Exception as error:
        raise WatchEnded(
            f"a watch has ended ({error or type(error).__name__}), and without it nothing would be heard of: "
            "the process ends too, and may be started again at once"
        ) from error


def _heed_signals(told: asyncio.Event) -> None:
    """SIGTERM and SIGINT stop the engine first."""
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
