"""patch-resource: change fields of an object by JSON merge patch, JSON patch or server-side apply.

A JSON patch may give something else each time, so it is sent at most once; the same write stores a mark by which it is
found again.
"""

from collections.abc import Sequence

from controller.actions.about import About, Family, Right
from controller.actions.any_object import OnAnyObject, found
from controller.actions.applying import ATTEMPTS, LENT, PATCH_RESOURCE, Write, way_back
from controller.actions.field_changes import changes, differences, pointer
from controller.actions.marks import mark
from controller.actions.patch_parameters import Form, PatchResourceParameters
from controller.actions.races import racing
from controller.api.names import Risk
from controller.core.origin import OPERATION
from controller.core.ports import Done, Json, Operation, PatchForm, PreviewResult, Request, Resource, Verified


class PatchResource(OnAnyObject[PatchResourceParameters]):
    name = PATCH_RESOURCE
    description = "Change fields of an object by JSON merge patch, JSON patch or server-side apply."
    about = About(
        Family.OBJECTS,
        rights=(
            Right(
                "apps",
                ("deployments",),
                ("get", "patch"),
                why="for Deployments; one such rule for each kind it is used for",
            ),
            LENT,
        ),
        undone_by="the values from before, where they can be put back with a test of what is there then",
        repeats="merge, apply yes; json no",
    )
    risk = Risk.HIGH
    fixed = OnAnyObject.fixed | {"type", "patch", "operations", "force"}
    inverses = frozenset({name})
    parameters = PatchResourceParameters

    def is_idempotent(self, parameters: PatchResourceParameters) -> bool:
        return parameters.type is not Form.JSON

    async def preview(self, request: Request[PatchResourceParameters]) -> PreviewResult:
        resource, stored, target = await found(request)
        answer = await _write(request, resource, stored).tried(request, target, stored)
        differing = differences(stored, answer)
        if not differing:
            return PreviewResult(f"{target} is already as the patch makes it.", target=target)
        undo, warnings = await way_back(request, target, stored, answer, differing)
        return PreviewResult(
            summary=f"Patch {target} ({request.parameters.type}).",
            changes=changes(target, differing),
            warnings=warnings,
            undo=undo,
            target=target,
        )

    async def run(self, request: Request[PatchResourceParameters], operation: Operation) -> Done:
        async def once() -> Done:
            resource, stored, target = await found(request)
            if not _is_marked(stored, operation):
                await _write(request, resource, stored, operation).made(request, target, stored)
            return _done(str(target))

        return await racing(once, attempts=ATTEMPTS)

    async def observe(self, request: Request[PatchResourceParameters], operation: Operation) -> Done | None:
        resource, stored, target = await found(request)
        if request.parameters.type is Form.JSON:
            return _done(str(target)) if _is_marked(stored, operation) else None
        so = await _write(request, resource, stored).is_so(request.cluster, stored)
        return _done(str(target)) if so else None

    async def verify(self, request: Request[PatchResourceParameters], operation: Operation) -> Verified:
        if request.parameters.type is Form.JSON:
            return Verified(True)
        resource, stored, target = await found(request)
        if await _write(request, resource, stored).is_so(request.cluster, stored):
            return Verified(True)
        return Verified(False, f"{target}: somebody else changed what was patched meanwhile")


def _write(
    request: Request[PatchResourceParameters], resource: Resource, stored: Json, operation: Operation | None = None
) -> Write:
    """`operation`: whose mark a JSON patch leaves."""
    parameters, metadata = request.parameters, stored["metadata"]
    match parameters.type:
        case Form.JSON:
            operations = [one.sent() for one in parameters.operations]
            marks = _marking(mark(request, operation.id), metadata) if operation else []
            return Write(resource, parameters.name, PatchForm.JSON, [*operations, *marks])
        case Form.MERGE:
            body = _with_metadata(parameters.patch or {}, {"uid": metadata["uid"]})
            return Write(resource, parameters.name, PatchForm.MERGE, body)
        case Form.APPLY:
            named = {"name": parameters.name, "uid": metadata["uid"]}
            body = {"apiVersion": parameters.api_version, "kind": parameters.kind}
            body |= _with_metadata(parameters.patch or {}, named)
            return Write(resource, parameters.name, PatchForm.APPLY, body, parameters.force)


def _with_metadata(patch: Json, fields: Json) -> Json:
    return {**patch, "metadata": {**(patch.get("metadata") or {}), **fields}}


def _marking(marks: dict[str, str], metadata: Json) -> Sequence[Json]:
    """The operations that store the mark."""
    if metadata.get("annotations"):
        where = ("metadata", "annotations")
        return [{"op": "add", "path": pointer((*where, key)), "value": value} for key, value in marks.items()]
    return [
        # Nobody else's first annotation is to be replaced.
        {"op": "replace", "path": "/metadata/resourceVersion", "value": metadata["resourceVersion"]},
        {"op": "add", "path": "/metadata/annotations", "value": marks},
    ]


def _is_marked(stored: Json, operation: Operation) -> bool:
    return (stored["metadata"].get("annotations") or {}).get(OPERATION) == operation.id


def _done(target: str) -> Done:
    return Done(f"{target} is patched.")
