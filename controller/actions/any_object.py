"""What the generic types share, those that take an object of any kind: which one it is, and which none may be.

Policies say which kinds (`core.kinds`), the gates see to it; here once more, by where the API server really serves the
kind: nothing that no policy can allow, and nothing that belongs to the whole cluster.
"""

from typing import Annotated, TypeVar

from pydantic import Field

from controller.actions.base import FIXED, Action, Parameters
from controller.actions.objects import ObjectName, read, target_of
from controller.core.errors import PermanentFailure
from controller.core.kinds import NEVER, kind_name, never
from controller.core.ports import Cluster, Json, Request, Resource, Target

ApiVersion = Annotated[
    str, Field(min_length=1, max_length=253, pattern=r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?v[0-9][a-z0-9]*$")
]
KindName = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[A-Z][A-Za-z0-9]*$")]


class ObjectParameters(Parameters):
    """One object of the proposal's namespace."""

    api_version: ApiVersion
    """For example `apps/v1`."""
    kind: KindName
    """For example `Deployment`. A policy must allow it: `spec.kinds.allowed`."""
    name: ObjectName
    """Name of the object, in the proposal's namespace."""


A = TypeVar("A", bound=ObjectParameters)


class OnAnyObject(Action[A]):
    """A type whose target is named by apiVersion, kind and name."""

    fixed = FIXED | {"apiVersion"}

    def generic_kind(self, parameters: A) -> str | None:
        return kind_name(parameters.api_version, parameters.kind)


async def resolved(cluster: Cluster, api_version: str, kind: str) -> Resource:
    """Where the kind is served. Raises PermanentFailure for one that is out of reach."""
    if never(name := kind_name(api_version, kind)):
        raise PermanentFailure(f"{name} {NEVER}")
    resource = await cluster.resolve(api_version, kind)
    if not resource.namespaced:
        raise PermanentFailure(f"{name} belongs to the whole cluster; generic actions stay in the proposal's namespace")
    return resource


async def found(request: Request[A]) -> tuple[Resource, Json, Target]:
    """Where the target's kind is served, the target as it is, and what it is. Raises NotFound, PermanentFailure."""
    parameters = request.parameters
    resource = await resolved(request.cluster, parameters.api_version, parameters.kind)
    stored = await read(request.cluster, resource, parameters.name, request.namespace)
    return resource, stored, target_of(resource, parameters.name, request.namespace, stored)
