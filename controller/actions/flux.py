"""What the types for Flux share: its kinds that reconcile, and how they stand.

Source: fluxcd.io, "Kustomization", "HelmRelease", "GitRepository" and the other sources, sections "Triggering a
reconcile", "Suspending and resuming", "Conditions". The versions are those of Flux 2.6.
"""

from enum import StrEnum

from controller.actions.about import Right
from controller.actions.base import Parameters
from controller.actions.objects import ObjectName, read, target_of
from controller.core.ports import Json, Request, Resource, Target


class Kind(StrEnum):
    KUSTOMIZATION = "Kustomization"
    HELM_RELEASE = "HelmRelease"
    GIT_REPOSITORY = "GitRepository"
    OCI_REPOSITORY = "OCIRepository"
    HELM_REPOSITORY = "HelmRepository"
    HELM_CHART = "HelmChart"
    BUCKET = "Bucket"


_SOURCES = "source.toolkit.fluxcd.io"
RESOURCES = {
    Kind.KUSTOMIZATION: Resource("kustomize.toolkit.fluxcd.io", "v1", "kustomizations", "Kustomization"),
    Kind.HELM_RELEASE: Resource("helm.toolkit.fluxcd.io", "v2", "helmreleases", "HelmRelease"),
    Kind.GIT_REPOSITORY: Resource(_SOURCES, "v1", "gitrepositories", "GitRepository"),
    Kind.OCI_REPOSITORY: Resource(_SOURCES, "v1", "ocirepositories", "OCIRepository"),
    Kind.HELM_REPOSITORY: Resource(_SOURCES, "v1", "helmrepositories", "HelmRepository"),
    Kind.HELM_CHART: Resource(_SOURCES, "v1", "helmcharts", "HelmChart"),
    Kind.BUCKET: Resource(_SOURCES, "v1", "buckets", "Bucket"),
}


RIGHTS = (
    Right("kustomize.toolkit.fluxcd.io", ("kustomizations",), ("get", "patch"), why="for Kustomizations"),
    Right("helm.toolkit.fluxcd.io", ("helmreleases",), ("get", "patch"), why="for HelmReleases"),
    Right(
        _SOURCES,
        ("gitrepositories", "ocirepositories", "helmrepositories", "helmcharts", "buckets"),
        ("get", "patch"),
        why="for sources",
    ),
)


class FluxParameters(Parameters):
    kind: Kind
    """Kustomization, HelmRelease, or one of the sources."""
    name: ObjectName
    """Name of the object, in the proposal's namespace."""


def resource_of(request: Request[FluxParameters]) -> Resource:
    return RESOURCES[request.parameters.kind]


async def read_flux(request: Request[FluxParameters]) -> tuple[Json, Target]:
    """The object as it is, and what it is. Raises NotFound."""
    resource, name = resource_of(request), request.parameters.name
    stored = await read(request.cluster, resource, name, request.namespace)
    return stored, target_of(resource, name, request.namespace, stored)


def suspended(stored: Json) -> bool:
    # The API leaves false out.
    return bool(stored["spec"].get("suspend", False))


def condition(stored: Json, name: str) -> tuple[str, str]:
    """Status and message of a condition, ("Unknown", "") while there is none of this generation."""
    generation = stored["metadata"].get("generation", 0)
    for one in (stored.get("status") or {}).get("conditions") or ():
        if one["type"] == name and one.get("observedGeneration", generation) == generation:
            return one["status"], one.get("message", "")
    return "Unknown", ""
