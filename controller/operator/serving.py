"""Runs the operator until it is told to stop: kopf watches, the engine works.

The engine stops first, while watches and Lease are still there: running attempts may end, and what they came to is
recorded. kopf would otherwise take the engine's tasks for hung ones of its own and end them.
"""

import asyncio
import logging
import signal
import sys
from collections.abc import AsyncIterator, Collection
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

END_SECONDS = 3.0
"""For how long kopf may take to end before it is told once more."""


class WatchEnded(ActionError):
    """kopf does not watch any more."""


class _Watching:
    """kopf at work. At its end it takes all that still runs, but for what ran before it, for hung tasks of its own."""

    def __init__(self) -> None:
        self._over = asyncio.Event()
        self._others: set[asyncio.Task[Any]] = set()
        self.tasks: Collection[asyncio.Task[Any]] = ()

    async def begin(self, login: Login, options: Options, running: Running) -> None:
        self._others = asyncio.all_tasks()
        connecting = Connecting(login, running.watches, running.metrics.api_answered)
        self.tasks = await kopf.spawn_tasks(
            registry=registry(connecting, running.intake, options.settings.shard),
            standalone=True,
            clusterwide=options.namespace is None,
            namespaces=[options.namespace] if options.namespace else (),
            stop_flag=self._over,
        )

    async def end(self) -> None:
        """To be called last. Raises WatchEnded if it ended untold; because a kind was taken away, for one."""
        if not self.tasks:
            return
        untold = any(task.done() for task in self.tasks)
        self._over.set()
        ending = asyncio.create_task(kopf.run_tasks(self.tasks, ignored=self._others), name="kopf")
        while not (await asyncio.wait({ending}, timeout=END_SECONDS))[0]:
            # A watcher that is cancelled in the middle of a request may take it for its stop, and go on.
            for task in asyncio.all_tasks() - self._others - {ending}:
                task.cancel()
        error = ending.exception()
        if error or untold:
            why = "nobody knows why" if error is None else str(error) or repr(error)
            raise WatchEnded(
                f"a watch has ended ({why}), and without it nothing would be heard of: "
                "the process ends too, and may be started again at once"
            ) from error


async def serve(login: Login, options: Options, addresses: Addresses) -> None:
    """Serves until SIGTERM or SIGINT. Running attempts get `options.drain_seconds` to end; the rest stays open.

    Probes and metrics are served until the engine has stopped.

    Raises ActionError without credentials to begin with: nobody would mend a kubeconfig that is only complained of.
    """
    await login.current()
    watching = _Watching()
    async with assembled(login, options, sys.stdout) as running:
        try:
            async with _attended(addresses, running):
                await _work(login, options, running, watching)
        finally:
            await watching.end()


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


async def _work(login: Login, options: Options, running: Running, watching: _Watching) -> None:
    """Works until told to stop, or until no one watches any more; then the engine stops. Raises what ended it."""
    told = asyncio.Event()
    _heed_signals(told)
    work = asyncio.create_task(running.engine.run(), name="engine")
    stopped = asyncio.create_task(told.wait(), name="stop")
    served = asyncio.create_task(until_served(running.api), name="kinds")
    try:
        await asyncio.wait({work, stopped, served}, return_when=asyncio.FIRST_COMPLETED)
        if served.done() and not (work.done() or stopped.done()):
            served.result()
            await watching.begin(login, options, running)
            _heed_signals(told)  # kopf has just taken them, and would stop the watches first
            await asyncio.wait({work, stopped, *watching.tasks}, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            work.result()
    finally:
        running.health.stopping = True
        for task in (work, stopped, served):
            task.cancel()
        await asyncio.gather(work, stopped, served, return_exceptions=True)


def _heed_signals(told: asyncio.Event) -> None:
    """SIGTERM and SIGINT stop the engine first."""
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
