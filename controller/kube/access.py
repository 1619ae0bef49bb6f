"""Asks the API server whether somebody may do something (SubjectAccessReview)."""

from dataclasses import dataclass

from controller.api.common import Identity
from controller.core.ports import Json, Resource
from controller.kube.api import Api
from controller.kube.resources import ACCESS_REVIEWS


@dataclass(frozen=True)
class Right:
    """A verb on one object, custom verbs included; namespaced also for cluster-scoped objects, as admission asks."""

    verb: str
    resource: Resource
    name: str
    namespace: str

    def __str__(self) -> str:
        return f"{self.verb} {self.resource.plural}/{self.name} in namespace {self.namespace}"


async def may(api: Api, who: Identity, right: Right) -> bool:
    """Whether RBAC lets that user do it now. Raises the errors of `core.errors`."""
    body: Json = {
        "apiVersion": ACCESS_REVIEWS.api_version,
        "kind": ACCESS_REVIEWS.kind,
        "spec": {
            "user": who.username,
            "groups": list(who.groups),
            "uid": who.uid,
            "resourceAttributes": {
                "verb": right.verb,
                "group": right.resource.group,
                "version": right.resource.version,
                "resource": right.resource.plural,
                "name": right.name,
                "namespace": right.namespace,
            },
        },
    }
    answer = await api.review(ACCESS_REVIEWS, body)
    return bool((answer.get("status") or {}).get("allowed"))
