"""The heart of the process: keeps workers on due keys, and leads only while it holds the Lease.

Everyone watches, so that a hand-over starts warm; only the leader's workers take keys. Nothing is decided before all
kinds are listed, and nothing hangs on an event that a watch missed: a sweep finds what differs.
"""

import asyncio
import logging
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from time import perf_counter

from controller.core.errors import ActionError
from controller.core.ports import Resource
from controller.core.shard import Shard
from controller.kube.api import Api
from controller.kube.lease import Lease
from controller.kube.resources import APPROVALS, DECLARED, WORKED, selector_of
from controller.runtime.attempts import AttemptRunner
from controller.runtime.declarations import Place, place_of
from controller.runtime.enforcing import Enforcing
from controller.runtime.intake import Intake, key_of
from controller.runtime.metrics import Metrics
from controller.runtime.outage import Outage
from controller.runtime.queue import DelayQueue
from controller.runtime.reaper import Reaper
from controller.runtime.recorder import Recorder
from controller.runtime.standing import KINDS
from controller.runtime.store import Key, Store
from controller.runtime.usage import LiveUsage
from controller.runtime.worker import Worker

logger = logging.getLogger(__name__)

WORKERS = 32
REAPERS = 4
SWEEP_SECONDS = 600.0
SWEEP_AGAIN_SECONDS = 10.0
OWED_PAUSES_SECONDS = (0.0, 1.0, 5.0)
"""More than one look: a write that was cut off may land after the first."""
DECLARED_SECONDS = 60.0
LIST_AGAIN_SECONDS = 0.5
FINISH_SECONDS = 5.0


@dataclass(frozen=True)
class Parts:
    """What the engine drives. `namespace` None = all. `drain_seconds`: how long running attempts may take to end."""

    api: Api
    store: Store
    queue: DelayQueue[Key]
    intake: Intake
    recorder: Recorder
    worker: Worker
    enforcing: Enforcing
    attempts: AttemptRunner
    reaper: Reaper
    metrics: Metrics
    outage: Outage
    usage: LiveUsage
    lease: Lease
    relisted: asyncio.Event
    """Set when whoever watches has listed declarations anew, and may have missed that one was deleted."""
    namespace: str | None
    shard: Shard
    drain_seconds: float


class Engine:
    """Works whenever this process leads."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._closing, self._term_over = asyncio.Event(), asyncio.Event()
        self._busy: set[asyncio.Task[None]] = set()
        """Workers that handle a key: on the way out they may end, so that no claim is left without its attempt."""

    async def run(self) -> None:
        """Works whenever this process holds the Lease, until cancelled."""
        telling = asyncio.create_task(self._tell_owed_forever(), name="owed")
        try:
            while True:
                await self._parts.lease.wait_for_leadership()
                await self._lead()
                self._term_over.set()
        finally:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)

    async def _lead(self) -> None:
        """Works for one term, until it is over."""
        logger.info("this process leads")
        async with self._working() as crew:
            lost = asyncio.create_task(self._parts.lease.wait_until_lost(), name="lease lost")
            try:
                await asyncio.wait({lost, crew}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                lost.cancel()
        if crew.done() and not crew.cancelled():
            crew.result()  # a crew ends only by a fault of ours: better to start anew than to lead idly
        logger.warning("this process leads no more; attempts that were running are left to the next leader")

    @asynccontextmanager
    async def _working(self) -> AsyncIterator[asyncio.Task[None]]:
        self._closing.clear()
        crew = asyncio.create_task(self._crew(), name="crew")
        try:
            yield crew
        finally:
            self._closing.set()
            if self._parts.lease.is_leader and self._busy:
                await asyncio.wait(set(self._busy), timeout=FINISH_SECONDS)
            crew.cancel()
            await asyncio.gather(crew, return_exceptions=True)
            await self._wind_up()

    async def _crew(self) -> None:
        self._parts.usage.lead()
        await self._list_all_patiently()
        # What an earlier term left half done, its attempts above all, has no event to come.
        self._parts.intake.enqueue_living()
        async with asyncio.TaskGroup() as group:
            for number in range(WORKERS):
                group.create_task(self._work(), name=f"worker {number}")
            group.create_task(self._sweep_forever(), name="sweep")
            group.create_task(self._list_declared_forever(), name="declared")
            for number in range(REAPERS):
                group.create_task(self._parts.reaper.run(), name=f"reaper {number}")
            group.create_task(self._parts.enforcing.run(), name="enforcing")

    async def _work(self) -> None:
        parts, this = self._parts, asyncio.current_task()
        assert this is not None  # noqa: S101  a worker is a task
        while not self._closing.is_set():
            key = await parts.queue.take()
            try:
                await parts.outage.over()  # asked with the key in hand: most outages begin while there is nothing to do
                if self._closing.is_set():
                    parts.queue.add(key)  # nothing is begun on the way out
                    return
                started = perf_counter()
                self._busy.add(this)
                await parts.worker.handle(key)
            finally:
                self._busy.discard(this)
                parts.queue.done(key)
            parts.metrics.decision_seconds.labels(KINDS[key.plural]).observe(perf_counter() - started)

    async def _wind_up(self) -> None:
        """Lets running attempts end while we still lead, and records what they came to. The rest stays open."""
        parts = self._parts
        await parts.attempts.drain(parts.drain_seconds if parts.lease.is_leader else 0.0)
        for owner in parts.attempts.reported():
            if parts.lease.is_leader:
                await parts.worker.handle(owner.key)
        with suppress(TimeoutError):
            async with asyncio.timeout(FINISH_SECONDS):
                if parts.lease.is_leader:
                    await parts.usage.wind_up()

    async def _list_all_patiently(self) -> None:
        while True:
            try:
                await self._list_all()
                await self._parts.enforcing.refresh()
            except ActionError as error:
                self._parts.outage.suspected(error)
                await asyncio.sleep(LIST_AGAIN_SECONDS)
                await self._parts.outage.over()
            else:
                return

    async def _list_all(self) -> None:
        """Everything, whole; declarations first."""
        await self._list_declared()
        await self._list(APPROVALS, self._parts.namespace)
        for resource in WORKED:
            await self._list(resource, self._parts.namespace, selector_of(resource), self._parts.shard.selector)

    async def _list_declared(self) -> None:
        """All declarations; those that are not among them any more are gone, whatever a watch has missed."""
        for resource in DECLARED:
            namespace = self._parts.namespace if resource.namespaced else None
            known = self._parts.intake.declared(resource.plural)  # before: what comes meanwhile is in no list yet
            self._parts.intake.vanished(resource.plural, known - await self._list(resource, namespace))

    async def _list(self, resource: Resource, namespace: str | None, fields: str = "", labels: str = "") -> set[Place]:
        """Takes all objects of a kind in; where they are."""
        parts, places = self._parts, set[Place]()
        head = {"apiVersion": resource.api_version, "kind": resource.kind}
        pages = parts.api.pages(resource, namespace=namespace, field_selector=fields, label_selector=labels)
        async for page in pages:
            for raw in page.items:
                parts.intake.observe(resource.plural, None, {**head, **raw})
                places.add(place_of(raw))
        return places

    async def _list_declared_forever(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(DECLARED_SECONDS * (0.9 + 0.2 * random.random())):  # noqa: S311  spreads load
                    await self._parts.relisted.wait()
            await self._parts.outage.over()
            self._parts.relisted.clear()
            try:
                await self._list_declared()
            except ActionError as error:
                self._parts.outage.suspected(error)

    async def _tell_owed_forever(self) -> None:
        """After each term, whoever leads then, tells what it wrote without hearing so: nobody else will."""
        while True:
            await self._term_over.wait()
            self._term_over.clear()
            for pause in OWED_PAUSES_SECONDS:
                await asyncio.sleep(pause)
                await self._tell_owed()

    async def _tell_owed(self) -> None:
        while True:
            await self._parts.outage.over()
            try:
                await self._parts.recorder.tell_owed()
            except ActionError as error:
                self._parts.outage.suspected(error)
                await asyncio.sleep(LIST_AGAIN_SECONDS)
            else:
                return

    async def _sweep_forever(self) -> None:
        while True:
            pause = SWEEP_SECONDS
            try:
                await self._parts.reaper.sweep()
                await self._sweep()
                await self._list(APPROVALS, self._parts.namespace)
                self._parts.intake.approvals_listed()
            except ActionError as error:
                self._parts.outage.suspected(error)
                pause = SWEEP_AGAIN_SECONDS
            await asyncio.sleep(pause * (0.9 + 0.2 * random.random()))  # noqa: S311  spreads load, no secret
            await self._parts.outage.over()

    async def _sweep(self) -> None:
        """Compares what is live, by metadata alone, with what is known."""
        parts = self._parts
        for resource in WORKED:
            known = set(parts.store.keys(resource.plural))
            pages = parts.api.pages(
                resource,
                namespace=parts.namespace,
                field_selector=selector_of(resource),
                label_selector=parts.shard.selector,
                metadata_only=True,
            )
            async for page in pages:
                for raw in page.items:
                    key = key_of(resource.plural, raw)
                    known.discard(key)
                    seen = (raw["metadata"]["uid"], int(raw["metadata"]["resourceVersion"]))
                    if parts.store.version(key) != seen:
                        parts.intake.doubt(key)
            for key in known:
                parts.intake.doubt(key)
