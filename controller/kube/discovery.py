"""Which resource stands for a kind: plural name and scope, as the API server itself says.

What was once found is kept: a kind does not change its plural, and one that is gone is told by the next request.
"""

from controller.core.errors import NotFound
from controller.core.ports import Resource
from controller.kube.api import Api

MAX_KINDS = 1000


class Discovery:
    """Finds resources of kinds. Everybody who is authenticated may ask, so the operator asks as itself."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._known: dict[tuple[str, str], Resource] = {}

    async def resolve(self, api_version: str, kind: str) -> Resource:
        """Raises NotFound with what to check; PermanentFailure if a part cannot be in a path."""
        known = self._known.get((api_version, kind))
        if known is None:
            known = await self._ask(api_version, kind)
            if len(self._known) < MAX_KINDS:
                self._known[api_version, kind] = known
        return known

    async def _ask(self, api_version: str, kind: str) -> Resource:
        try:
            served = await self._api.served(api_version)
        except NotFound:
            raise NotFound(
                f"the API server does not serve {api_version}; `kubectl api-versions` lists what it serves"
            ) from None
        for entry in served:
            if entry["kind"] == kind and "/" not in entry["name"]:
                group, _, version = api_version.rpartition("/")
                return Resource(group, version, entry["name"], kind, entry["namespaced"])
        raise NotFound(
            f"there is no kind {kind} in {api_version}; `kubectl api-resources` lists all kinds, "
            "their names are written in capitals and singular: Deployment"
        )
