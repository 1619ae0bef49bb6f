"""What the types for objects of the API server share: names, the target with what keeps it, reading it."""

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from controller.core.errors import NotFound
from controller.core.ports import Cluster, Json, Resource, Target

OBJECT_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
ObjectName = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]

_ARGO_CD_ID = "argocd.argoproj.io/tracking-id"
_ARGO_CD_LABELS = ("argocd.argoproj.io/instance", "app.kubernetes.io/instance")
_ARGO_CD_MANAGER = "argocd-controller"
_FLUX_LABELS = {
    "Kustomization": "kustomize.toolkit.fluxcd.io/name",
    "HelmRelease": "helm.toolkit.fluxcd.io/name",
}
_HELM_RELEASE = "meta.helm.sh/release-name"


def target_of(resource: Resource, name: str, namespace: str | None, found: Json | None = None) -> Target:
    """The object as a Target; where it was read with its uid, its labels and what keeps it as it is."""
    metadata = found["metadata"] if found else {}
    home = namespace if resource.namespaced else None
    labels = metadata.get("labels") or {}
    uid = metadata.get("uid", "")
    return Target(resource.api_version, resource.kind, name, home, uid, labels, managed_by(metadata))


async def read(cluster: Cluster, resource: Resource, name: str, namespace: str | None) -> Json:
    """The object. Raises NotFound with the parameter to look at."""
    try:
        return await cluster.get(resource, name)
    except NotFound as error:
        target = target_of(resource, name, namespace)
        raise NotFound(f"{target} does not exist: check its name and namespace") from error


def managed_by(metadata: Json) -> tuple[str, ...]:
    """The GitOps tools and package managers that keep the object as their source says, by what they leave on it.

    Sources: Argo CD, "Resource Tracking"; Flux, "Kustomization" and "HelmRelease"; Helm, "Labels and Annotations".
    """
    labels: Mapping[str, str] = metadata.get("labels") or {}
    annotations: Mapping[str, str] = metadata.get("annotations") or {}
    managers = {entry.get("manager", "") for entry in metadata.get("managedFields") or ()}
    found = []
    if application := _argo_cd_application(labels, annotations, managers):
        found.append(f"Argo CD application {application}")
    found += [f"Flux {kind} {labels[label]}" for kind, label in _FLUX_LABELS.items() if label in labels]
    if not found and _HELM_RELEASE in annotations:
        found.append(f"Helm release {annotations[_HELM_RELEASE]}")
    return tuple(found)


def _argo_cd_application(labels: Mapping[str, str], annotations: Mapping[str, str], managers: set[str]) -> str | None:
    if _ARGO_CD_ID in annotations:
        return annotations[_ARGO_CD_ID].partition(":")[0]
    by_label = _ARGO_CD_LABELS if _ARGO_CD_MANAGER in managers else _ARGO_CD_LABELS[:1]
    return next((labels[label] for label in by_label if label in labels), None)


def without_bookkeeping(found: Json) -> Json:
    """The object without what the API server and its controllers write by themselves, for comparing and showing."""
    kept: dict[str, Any] = {key: value for key, value in found.items() if key != "status"}
    dropped = ("managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink")
    kept["metadata"] = {key: value for key, value in found["metadata"].items() if key not in dropped}
    return kept
