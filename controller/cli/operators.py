"""Where the operator of a cluster is: by what the options say, by its Deployments, by its Leases."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from controller.api.base import OPERATOR
from controller.cli.options import Operator
from controller.core.errors import ActionError, NotFound, RightMissing
from controller.core.ports import Json, Resource
from controller.kube.api import Api
from controller.kube.resources import LEASES

_DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment")
_LEASE_OPTION = "--lease-name"


@dataclass(frozen=True)
class Place:
    """Where the operator is."""

    namespace: str
    """Of its ServiceAccount."""
    account: str
    lease_namespace: str
    leases: Mapping[str, Json | None]
    """By name, one for each shard; None = it is not there."""

    @property
    def user(self) -> str:
        return f"system:serviceaccount:{self.namespace}:{self.account}"


async def find_operator(api: Api, where: Operator) -> Place:
    """What the options name comes first; what cannot be seen is where it usually is. Raises ActionError for a Lease."""
    namespace = where.namespace or await _namespace(api, where.lease or OPERATOR)
    deployments = await _deployments(api, namespace)
    names = [where.lease] if where.lease else sorted(_lease_names(deployments)) or [OPERATOR]
    leases = {name: await _lease(api, namespace, name) for name in names}
    home, slash, account = (where.account or "").rpartition("/")
    return Place(home if slash else namespace, account or _account(deployments), namespace, leases)


async def _namespace(api: Api, lease: str) -> str:
    """The usual one, unless only others have a Lease of that name: then the one where it was renewed last."""
    try:
        listed = await api.list(LEASES, field_selector=f"metadata.name={lease}")
    except RightMissing:
        return OPERATOR
    renewed = {str(one["metadata"]["namespace"]): str(one["spec"].get("renewTime") or "") for one in listed.items}
    return OPERATOR if not renewed or OPERATOR in renewed else max(renewed, key=renewed.__getitem__)


async def _lease(api: Api, namespace: str, name: str) -> Json | None:
    try:
        return await api.get(LEASES, name, namespace=namespace)
    except (NotFound, RightMissing):
        return None


async def _deployments(api: Api, namespace: str) -> Sequence[Json]:
    try:
        return (
            await api.list(_DEPLOYMENTS, namespace=namespace, label_selector=f"app.kubernetes.io/name={OPERATOR}")
        ).items
    except ActionError:
        return []


def _account(deployments: Iterable[Json]) -> str:
    named = (one["spec"]["template"]["spec"].get("serviceAccountName") for one in deployments)
    return next((str(name) for name in named if name), OPERATOR)


def _lease_names(deployments: Iterable[Json]) -> set[str]:
    return {_lease_name(one["spec"]["template"]["spec"]["containers"][0]) for one in deployments}


def _lease_name(container: Json) -> str:
    """What an operator is told to use: `--lease-name=NAME` or `--lease-name NAME`."""
    words = [*container.get("command", ()), *container.get("args", ()), ""]
    for word, following in pairwise(words):
        option, given, value = str(word).partition("=")
        if option == _LEASE_OPTION:
            return value if given else str(following)
    return OPERATOR
