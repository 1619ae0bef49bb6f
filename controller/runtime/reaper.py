"""Deletes finished objects when their ttlSecondsAfterFinished is over.

Never those that a GitOps tool tracks: the tool would make them again, and they would run again.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from controller.core.errors import ActionError, NotFound
from controller.core.ports import Json, Resource
from controller.core.shard import Shard
from controller.kube.api import Api
from controller.kube.resources import LIVING, TO_DELETE
from controller.runtime.clock import Clock
from controller.runtime.queue import DelayQueue
from controller.runtime.store import Key

logger = logging.getLogger(__name__)

GITOPS_LABELS = frozenset(
    {
        "app.kubernetes.io/instance",
        "argocd.argoproj.io/instance",
        "kustomize.toolkit.fluxcd.io/name",
        "helm.toolkit.fluxcd.io/name",
    }
)
GITOPS_ANNOTATIONS = frozenset({"argocd.argoproj.io/tracking-id"})
RETRY_SECONDS = 60.0


class Reaper:
    """Knows which finished objects are to go when, of our shard. `namespace` None = all."""

    def __init__(self, api: Api, clock: Clock, namespace: str | None, shard: Shard) -> None:
        self._api = api
        self._clock = clock
        self._namespace = namespace
        self._shard = shard
        self._queue: DelayQueue[Key] = DelayQueue(clock)
        self._resources = {resource.plural: resource for resource in LIVING}

    def finished(self, plural: str, raw: Json) -> None:
        """Takes a finished object up, if it is to be deleted."""
        at = expiry(raw)
        if at is not None:
            metadata = raw["metadata"]
            self._queue.wake(Key(plural, metadata["namespace"], metadata["name"]), at)

    async def sweep(self, resources: Sequence[Resource] = LIVING) -> None:
        """Finds all finished objects that are to be deleted some time."""
        for resource in resources:
            pages = self._api.pages(
                resource,
                namespace=self._namespace,
                field_selector=TO_DELETE,
                label_selector=self._shard.selector,
            )
            async for page in pages:
                for raw in page.items:
                    self.finished(resource.plural, raw)

    async def run(self) -> None:
        """Deletes what is due, until cancelled."""
        while True:
            key = await self._queue.take()
            try:
                await self._delete(key)
            except ActionError as error:
                logger.warning("%s could not be deleted after its TTL, tried again later: %s", key, error)
                self._queue.wake(key, self._clock() + timedelta(seconds=RETRY_SECONDS))
            finally:
                self._queue.done(key)

    async def _delete(self, key: Key) -> None:
        resource = self._resources[key.plural]
        try:
            raw = await self._api.get(resource, key.name, namespace=key.namespace)
            at = expiry(raw)
            if at is None:
                return
            if at > self._clock():
                self._queue.wake(key, at)
                return
            await self._api.delete(resource, key.name, namespace=key.namespace, uid=raw["metadata"]["uid"])
        except NotFound:
            return


def tracked(metadata: Json) -> bool:
    """Whether a GitOps tool keeps the object."""
    labels, annotations = set(metadata.get("labels") or ()), set(metadata.get("annotations") or ())
    return bool(GITOPS_LABELS & labels or GITOPS_ANNOTATIONS & annotations)


def expiry(raw: Json) -> datetime | None:
    """When the object is to be deleted; None = not finished, no TTL, or tracked by a GitOps tool."""
    status, spec, metadata = raw.get("status") or {}, raw.get("spec") or {}, raw["metadata"]
    seconds = spec.get("ttlSecondsAfterFinished")
    if seconds is None or not status.get("outcome") or not status.get("completedAt"):
        return None
    if tracked(metadata):
        return None
    return datetime.fromisoformat(status["completedAt"]) + timedelta(seconds=seconds)
