"""Where the API server keeps objects: URL paths, quoted, made of checked names."""

from functools import lru_cache
from urllib.parse import quote

from controller.core.errors import PermanentFailure
from controller.core.ports import Resource

WRITE = "?fieldManager=action-operator&fieldValidation=Strict"
DRY_RUN = "&dryRun=All"
FORCE = "&force=true"


def collection(resource: Resource, namespace: str | None) -> str:
    """The path of all objects of a resource. `namespace` None: cluster-scoped, or all namespaces.

    Raises PermanentFailure when a part cannot be a path segment.
    """
    return _collection(resource.group, resource.version, resource.plural, namespace)


def item(resource: Resource, namespace: str | None, name: str, subresource: str = "") -> str:
    """The path of one object. Raises PermanentFailure when the name cannot be one."""
    if resource.namespaced and namespace is None:
        raise PermanentFailure(f"{resource.kind} {name}: a namespace is needed to find it")
    path = f"{collection(resource, namespace)}/{segment(name, resource.kind)}"
    return f"{path}/{segment(subresource, 'subresource')}" if subresource else path


def query(**parameters: str) -> str:
    """`?a=b&c=d` of those that are not empty, else nothing."""
    pairs = [f"{name}={quote(value, safe='')}" for name, value in parameters.items() if value]
    return "?" + "&".join(pairs) if pairs else ""


def segment(name: str, what: str) -> str:
    """The name quoted, if it can be one segment of a path. Raises PermanentFailure.

    Source of the rule: Kubernetes' own for names in paths (`IsValidPathSegmentName`).
    """
    if not name or name in (".", "..") or "/" in name or "%" in name:
        raise PermanentFailure(f"{what}: {name!r} cannot be a name in Kubernetes; give it as `kubectl get` shows it")
    return quote(name, safe=":")


def version(api_version: str) -> str:
    """The path of an API version, `apps/v1`: what it answers with is the resources that it serves."""
    group, _, name = api_version.rpartition("/")
    return _version(group, name)


@lru_cache(maxsize=1024)
def _collection(group: str, version: str, plural: str, namespace: str | None) -> str:
    middle = "" if namespace is None else f"/namespaces/{segment(namespace, 'Namespace')}"
    return f"{_version(group, version)}{middle}/{segment(plural, 'resource')}"


def _version(group: str, version: str) -> str:
    root = f"/apis/{segment(group, 'API group')}" if group else "/api"
    return f"{root}/{segment(version, 'API version')}"
