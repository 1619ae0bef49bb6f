"""How executors reach the world: a fresh connection object for each attempt, bound to its runner and journal."""

from typing import Any, NoReturn

from controller.core.errors import PermanentFailure
from controller.core.ports import Cluster, Egress, Http, Journal
from controller.kube.api import Api
from controller.kube.discovery import Discovery
from controller.kube.egress import EgressHttp
from controller.kube.runner import RunnerCluster


class RealReach:
    """The API server by impersonation, and outside hosts by the rules of policy."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._discovery = Discovery(api)

    def cluster(self, namespace: str, runner: str | None, journal: Journal) -> Cluster:
        if runner is None:
            return _NoCluster()
        return RunnerCluster(self._api, self._discovery, namespace=namespace, runner=runner, journal=journal)

    def http(self, egress: Egress, journal: Journal) -> Http:
        return EgressHttp(egress, journal)


class _NoCluster:
    """What an action without a runner sees of the API server: nothing."""

    async def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise PermanentFailure("this action has no ServiceAccount to act as and may not touch the API server")

    resolve = get = list = create = patch = delete = _refuse
