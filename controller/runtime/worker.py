"""Handles one key: reconcile it, keep what was written, and keep whatever goes wrong with this key alone."""

import asyncio
import logging
import random
from collections.abc import Mapping
from datetime import datetime, timedelta

from controller.core.errors import ActionError, Conflict, NotFound, PermanentFailure, Repeatable, Throttled
from controller.core.ports import Json
from controller.kube.api import Api
from controller.kube.resources import DECLARED, NAMESPACES, WORKED
from controller.runtime.clock import Clock
from controller.runtime.declarations import Declarations
from controller.runtime.declared import DeclaredReconciler
from controller.runtime.faults import Faults
from controller.runtime.intake import Intake
from controller.runtime.metrics import Metrics
from controller.runtime.outage import Outage
from controller.runtime.outcome import Handled, Reconciler
from controller.runtime.queue import DelayQueue
from controller.runtime.standing import KINDS
from controller.runtime.store import Key, Store

logger = logging.getLogger(__name__)

FIRST_BACKOFF_SECONDS = 0.2
LONGEST_BACKOFF_SECONDS = 60.0
SHORTEST_PAUSE_SECONDS = 0.01
_RESOURCES = {resource.plural: resource for resource in WORKED}
_DECLARED = {resource.plural: resource for resource in DECLARED}


class Worker:
    """What the workers do with each key they take. Never raises."""

    def __init__(
        self,
        *,
        api: Api,
        store: Store,
        queue: DelayQueue[Key],
        intake: Intake,
        declarations: Declarations,
        reconcilers: Mapping[str, Reconciler],
        declared: DeclaredReconciler,
        faults: Faults,
        outage: Outage,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        """`reconcilers`: of the kinds that are worked on, by plural."""
        self._api = api
        self._store = store
        self._queue = queue
        self._intake = intake
        self._declarations = declarations
        self._reconcilers = reconcilers
        self._declared = declared
        self._faults = faults
        self._outage = outage
        self._metrics = metrics
        self._clock = clock
        self._failures: dict[Key, int] = {}

    async def handle(self, key: Key) -> None:
        """Reconciles the key. A conflict means: read it and decide again."""
        try:
            await self._reconcile(key)
        except Conflict:
            await self._conflict(key)
        except NotFound:
            self._intake.gone(key)
            self._failures.pop(key, None)
        except Repeatable as error:
            if not isinstance(error, Throttled):
                self._outage.suspected(error)
            self._again_later(key, error)
        except PermanentFailure as error:
            self._again_later(key, error)
            await self._show_fault(key, error)
        except Exception as error:
            logger.exception("%s could not be handled", key)
            self._metrics.faults.labels(KINDS[key.plural]).inc()
            self._again_later(key, error)
            await self._show_fault(key, error)
        else:
            self._failures.pop(key, None)

    async def _conflict(self, key: Key) -> None:
        """Somebody else wrote it: it is read again before anything is decided."""
        if key.plural in _RESOURCES:
            self._intake.doubt(key)
            return
        resource = _DECLARED[key.plural]
        try:
            self._intake.observe(
                key.plural, "MODIFIED", await self._api.get(resource, key.name, namespace=key.namespace or None)
            )
        except NotFound:
            self._intake.observe(key.plural, "DELETED", {"metadata": {"name": key.name, "namespace": key.namespace}})
        except ActionError as error:
            self._again_later(key, error)

    async def _reconcile(self, key: Key) -> None:
        if key.plural not in _RESOURCES:
            if wake_at := await self._declared.reconcile(key):
                self._queue.wake(key, wake_at)  # a policy's own time is set by who waits for its limits
            return
        if self._intake.doubted(key):
            await self._read_again(key)
        raw = self._store.get(key)
        if raw is None:
            return
        if not self._declarations.knows_namespace(key.namespace):
            self._intake.observe(NAMESPACES.plural, "ADDED", await self._api.get(NAMESPACES, key.namespace))
        handled = await self._reconcilers[key.plural].reconcile(key, raw)
        self._queue.wake(key, self._not_at_once(handled, raw))
        if handled.stored is not None and handled.stored is not raw:
            self._intake.written(key, handled.stored)
        if handled.again:
            self._queue.add(key)

    def _not_at_once(self, handled: Handled, before: Json) -> datetime | None:
        """The wake-up; a decision that changed nothing and wants to be asked at once again would never let go."""
        if handled.wake_at is None or handled.stored is not before:
            return handled.wake_at
        return max(handled.wake_at, self._clock() + timedelta(seconds=SHORTEST_PAUSE_SECONDS))

    async def _read_again(self, key: Key) -> None:
        self._intake.settled(key)  # before it is read: what comes meanwhile is a new doubt
        try:
            raw = await self._api.get(_RESOURCES[key.plural], key.name, namespace=key.namespace)
        except NotFound:
            raise
        except (ActionError, asyncio.CancelledError):
            self._intake.still_doubted(key)
            raise
        self._intake.take_in(key.plural, raw)

    async def _show_fault(self, key: Key, error: Exception) -> None:
        """Shows the fault in the object's own conditions."""
        raw = self._store.get(key)
        if raw is None:
            return
        try:
            stored = await self._faults.show(key.plural, raw, error)
        except Exception as second:  # noqa: BLE001  showing a fault must not become one
            logger.warning("%s: the fault could not be written to its status: %s", key, second)
        else:
            self._intake.written(key, stored)

    def _again_later(self, key: Key, error: Exception) -> None:
        """Backoff with jitter, for as long as it takes."""
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        seconds = min(LONGEST_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2 ** min(failures - 1, 20))
        seconds *= 0.5 + random.random()  # noqa: S311  spreads load, no secret
        logger.info("%s is tried again in %.1f s: %s", key, seconds, error)
        self._queue.wake(key, self._clock() + timedelta(seconds=seconds))
