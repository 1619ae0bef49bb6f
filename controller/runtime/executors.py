"""Makes executors ready: the one that a type is run by, with a request bound to runner, policy and journal.

Whatever is asked of an executor, a preview or an attempt, goes this one way, so that the same rules hold for it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from controller.actions.base import Action
from controller.actions.registry import Registry
from controller.api.common import ObjectMeta
from controller.core.policy import EffectivePolicy
from controller.core.ports import Answer, Cluster, Egress, Http, Journal, Json, Request
from controller.core.world import TypeEntry


class Reach(Protocol):
    """How an executor reaches the world: the API server as the runner, and hosts outside."""

    def cluster(self, namespace: str, runner: str | None, journal: Journal) -> Cluster: ...

    def http(self, egress: Egress, journal: Journal) -> Http: ...


@dataclass(frozen=True)
class Ready:
    """An executor with its request. What the request sends, the journal knows of."""

    executor: Action[Any]
    request: Request[Any]
    journal: Journal

    @property
    def acts_as_runner(self) -> bool:
        return self.executor.acts_as_runner(self.request.parameters)


class Executors:
    """Executors and how they reach the world."""

    def __init__(self, registry: Registry, reach: Reach, demand_lead: Callable[[], None]) -> None:
        """`demand_lead` raises NotLeading where no effect may be made from here at this instant."""
        self._registry = registry
        self._reach = reach
        self._demand_lead = demand_lead

    def ready(
        self,
        entry: TypeEntry,
        parameters: Json,
        *,
        about: ObjectMeta,
        runner: str | None,
        policy: EffectivePolicy,
        answer: Answer | None = None,
    ) -> Ready:
        """`about`: the object that it is done for; `answer`: to what it asks.

        Only for types and parameters that were found in order.

        Raises PermanentFailure where there can be no such runner.
        """
        executor, journal = self._registry.of(entry), Journal(self._demand_lead)
        namespace = about.namespace or ""
        request = Request(
            parameters=executor.parse(parameters),
            namespace=namespace,
            proposal=about.name,
            proposal_uid=about.uid,
            runner=runner,
            cluster=self._reach.cluster(namespace, runner, journal),
            http=self._reach.http(policy.egress, journal),
            journal=journal,
            answer=answer,
        )
        return Ready(executor, request, journal)
