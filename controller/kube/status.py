"""The operator's one way to write status: compare and swap, with the question "did it land?" answered."""

from collections.abc import Callable

from controller.core.errors import ActionError, Conflict, LostAnswer, NotFound, TransientFailure
from controller.core.ports import Json, Resource
from controller.kube.api import Api


async def patch_status(
    api: Api,
    resource: Resource,
    namespace: str | None,
    name: str,
    *,
    resource_version: str,
    patch: Json,
    landed: Callable[[Json], bool],
) -> Json:
    """Merge-patch `/status` of exactly that version of the object; `patch` is what goes into `status`.

    Returns the object as stored. After a lost answer the object is read, and `landed` says whether it carries this
    patch. One that has not landed by then may still do so while the version is the old one, but then the next write of
    that version conflicts: it is safe to decide again.

    Raises:
        Conflict: the object has another version; read it and decide again.
        RightMissing: refused by admission or RBAC.
        NotFound: the object is gone.
        TransientFailure: not done; decide again later.
        LostAnswer: sent, no answer, and the object cannot be read now.
    """
    body: Json = {"metadata": {"resourceVersion": resource_version}, "status": patch}
    try:
        return await api.patch(resource, name, body, namespace=namespace, subresource="status")
    except LostAnswer as lost:
        return await _resolved(api, resource, namespace, name, resource_version, landed, lost)


async def _resolved(
    api: Api,
    resource: Resource,
    namespace: str | None,
    name: str,
    resource_version: str,
    landed: Callable[[Json], bool],
    lost: LostAnswer,
) -> Json:
    try:
        found = await api.get(resource, name, namespace=namespace)
    except NotFound:
        raise
    except ActionError:
        raise lost from None
    if landed(found):
        return found
    if found["metadata"]["resourceVersion"] != resource_version:
        raise Conflict(f"{lost}; another write came first") from lost
    raise TransientFailure(f"{lost}; it has not been stored") from lost
