"""Reads the admission policies that are in force, in four lists: often enough to be asked right before a decision."""

import asyncio

from controller.core.enforcement import OPTIONAL, OURS, PART_OF, Enforcement, enforcement
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


async def read_enforcement(api: Api) -> Enforcement:
    """Whether the shipped policies are stored as shipped, and since when.

    Raises what reading raises (TransientFailure, ...), but for a right that is missing: that is a fault like another.
    """
    try:
        lists = await asyncio.gather(*(_stored(api, resource) for resource in ADMISSION))
    except RightMissing as error:
        return Enforcement(None, f"the operator cannot see whether identities are checked: {error}")
    return enforcement({resource.kind: items for resource, items in zip(ADMISSION, lists, strict=True)})


async def _stored(api: Api, resource: Resource) -> tuple[Json, ...] | None:
    try:
        return (await api.list(resource, label_selector=f"{PART_OF}={OURS}")).items
    except NotFound:
        if resource.kind in OPTIONAL:
            return None
        raise
