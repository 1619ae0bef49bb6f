"""How executors reach the world: a fresh connection object for each attempt, bound to its runner and journal."""

from controller.core.errors import PermanentFailure
from controller.core.ports import Cluster, Egress, Http, Journal, Json, Resource
from controller.kube.api import Api
from controller.kube.egress import EgressHttp
from controller.kube.runner import RunnerCluster


class RealReach:
    """The API server by impersonation, and outside hosts by the rules of policy."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def cluster(self, namespace: str, runner: str | None, journal: Journal) -> Cluster:
        if runner is None:
            return _NoCluster()
        return RunnerCluster(self._api, namespace=namespace, runner=runner, journal=journal)

    def http(self, egress: Egress, journal: Journal) -> Http:
        return EgressHttp(egress, journal)


class _NoCluster:
    """What an action without a runner sees of the API server: nothing."""

    async def get(self, resource: Resource, name: str, *, subresource: str = "") -> Json:
        raise self._refusal()

    async def list(self, resource: Resource, *, label_selector: str = "", field_selector: str = "") -> tuple[Json, ...]:
        raise self._refusal()

    async def create(self, resource: Resource, body: Json, *, dry_run: bool = False) -> Json:
        raise self._refusal()

    async def patch(
        self, resource: Resource, name: str, body: Json, *, subresource: str = "", dry_run: bool = False
    ) -> Json:
        raise self._refusal()

    async def delete(self, resource: Resource, name: str, *, uid: str, dry_run: bool = False) -> None:
        raise self._refusal()

    def _refusal(self) -> PermanentFailure:
        return PermanentFailure("this action has no ServiceAccount to act as and may not touch the API server")
