"""Evictions: removing pods as far as disruption budgets allow it, through the API server's Eviction API.

A budget that does not allow one now answers 429; that is asked again, as often as `kubectl drain` does and with the
wait that the API server asks for. Source: Kubernetes, "API-initiated Eviction".
"""

import random
from collections.abc import Callable
from datetime import datetime, timedelta

from controller.actions.pods import PODS, uid_of
from controller.actions.retry import RetryConfig
from controller.core.backoff import backoff_seconds
from controller.core.errors import ActionError, Repeatable
from controller.core.ports import Cluster, Json

END = timedelta(seconds=2)
"""An attempt that waits for a budget ends by itself this long before its deadline, so that it can say for which."""

_PATIENCE = RetryConfig(min_wait_seconds=0.5, max_wait_seconds=5.0, jitter_fraction=0.2)


async def evict(cluster: Cluster, pod: Json, *, grace_period_seconds: int | None = None, dry_run: bool = False) -> None:
    """Evicts the pod with that uid. Raises Throttled, which names the budget, while one does not allow it."""
    metadata = pod["metadata"]
    options: Json = {"preconditions": {"uid": uid_of(pod)}}
    if grace_period_seconds is not None:
        options["gracePeriodSeconds"] = grace_period_seconds
    eviction = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": metadata["name"], "namespace": metadata["namespace"]},
        "deleteOptions": options,
    }
    await cluster.create(
        PODS,
        eviction,
        name=metadata["name"],
        namespace=metadata["namespace"],
        subresource="eviction",
        dry_run=dry_run,
    )


class Patience:
    """How long to wait before asking again: longer each time, never beyond `until`. `chance` is from 0 to 1."""

    def __init__(
        self, now: Callable[[], datetime], until: datetime, chance: Callable[[], float] = random.random
    ) -> None:
        self._now = now
        self._until = until
        self._chance = chance
        self._waits = 0

    def begin_anew(self) -> None:
        """Something went on: the next wait is short again."""
        self._waits = 0

    def next_wait(self, *refusals: ActionError) -> float | None:
        """Seconds, at least what the answers asked for; None where that would be too late."""
        repeatable = (error for error in refusals if isinstance(error, Repeatable))
        asked = max((error.retry_after_seconds or 0.0 for error in repeatable), default=0.0)
        seconds = max(backoff_seconds(_PATIENCE, self._waits, self._chance()), asked)
        self._waits += 1
        return seconds if self._now() + timedelta(seconds=seconds) < self._until else None
