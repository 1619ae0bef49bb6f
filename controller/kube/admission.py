"""Reads the admission policies that are in force, in four lists: often enough to be asked right before a decision."""

import asyncio

from controller.api.base import OPERATOR
from controller.core.enforcement import OPTIONAL, PART_OF, Enforcement, enforcement, spec_digest
from controller.core.errors import NotFound, RightMissing
from controller.core.ports import Json, Resource
from controller.kube.api import Api

_GROUP, _VERSION = "admissionregistration.k8s.io", "v1"
ADMISSION = tuple(
    Resource(_GROUP, _VERSION, plural, kind, namespaced=False)
    for plural, kind in (
        ("validatingadmissionpolicies", "ValidatingAdmissionPolicy"),
        ("validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding"),
        ("mutatingadmissionpolicies", "MutatingAdmissionPolicy"),
        ("mutatingadmissionpolicybindings", "MutatingAdmissionPolicyBinding"),
    )
)


class AdmissionPolicies:
    """The shipped policies as the API server has them.

    Remembers the digest of each stored version: to work them all out takes longer than to read them.
    """

    def __init__(self, api: Api) -> None:
        self._api = api
        self._digests: dict[tuple[str, str], str | None] = {}
        """By uid and resourceVersion."""

    async def read(self) -> Enforcement:
        """Whether they are stored as shipped, and since when.

        Raises what reading raises (TransientFailure, ...), but for a right that is missing: that is a fault like
        another.
        """
        try:
            lists = await asyncio.gather(*(self._stored(resource) for resource in ADMISSION))
        except RightMissing as error:
            return Enforcement(
                None, f"the operator cannot see whether identities are checked: {error}", unreadable=True
            )
        found = {resource.kind: items for resource, items in zip(ADMISSION, lists, strict=True)}
        before, self._digests = self._digests, {}

        def digest_of(item: Json) -> str | None:
            version = item["metadata"]["uid"], item["metadata"]["resourceVersion"]
            digest = self._digests[version] = before[version] if version in before else spec_digest(item)
            return digest

        return enforcement(found, digest_of=digest_of)

    async def _stored(self, resource: Resource) -> tuple[Json, ...] | None:
        try:
            return (await self._api.list(resource, label_selector=f"{PART_OF}={OPERATOR}")).items
        except NotFound:
            if resource.kind in OPTIONAL:
                return None
            raise
