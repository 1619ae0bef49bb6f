"""executor.patch: one patch of one object, whose form the type's author wrote.

Where a lost answer may not be repeated, the same patch leaves the operation on the object, as an annotation, so that a
crash can be told from nothing done; nothing else would show it. Kinds that hold secrets, or rights to do other things,
are out of reach whatever the runner may do.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from controller.actions.base import Action, Parameters
from controller.actions.differences import differences
from controller.actions.insertion import Declared, filled, form_faults, is_place, places
from controller.actions.marks import mark
from controller.actions.objects import OBJECT_NAME, ObjectName, read, target_of, without_bookkeeping
from controller.api.actiontype import PatchExecutor
from controller.api.names import Risk
from controller.core.errors import NotFound
from controller.core.kinds import kind_name, never
from controller.core.origin import OPERATION, PROPOSAL_UID
from controller.core.ports import Cluster, Done, Json, Operation, PatchForm, PreviewResult, Request, Resource, Verified

HERE = "spec.executor.patch"
FORMS = {"merge": PatchForm.MERGE, "json": PatchForm.JSON, "apply": PatchForm.APPLY}
_OPERATIONS = frozenset({"add", "remove", "replace", "move", "copy", "test"})
_OURS = ("apiVersion", "kind")
_OURS_OF_METADATA = ("name", "namespace", "uid", "generateName", "managedFields")


class Patch(Parameters):
    """The patch that the parameters come to."""

    name: ObjectName
    body: Any


class CustomPatch(Action[Patch]):
    """The patch of one custom type, which has the name, description and risk that count.

    `at_most_once`: a lost answer is never repeated, so the operation is left.
    """

    name = "executor.patch"
    description = "Patch an object."
    risk = Risk.HIGH
    parameters = Patch

    def __init__(self, spec: PatchExecutor, *, at_most_once: bool) -> None:
        self._spec = spec
        self._form = FORMS[spec.type]
        self._marks = at_most_once or not _repeatable(spec)

    def parse(self, parameters: Mapping[str, Any]) -> Patch:
        name = filled(self._spec.target.name, parameters)
        return super().parse({"name": name, "body": filled(self._spec.patch, parameters)})

    def is_idempotent(self, parameters: Patch) -> bool:
        return _repeatable(self._spec)

    async def preview(self, request: Request[Patch]) -> PreviewResult:
        resource, found = await self._found(request)
        name = request.parameters.name
        body = self._body(request.parameters, found, annotations=None)
        after = await request.cluster.patch(resource, name, body, form=self._form, dry_run=True)
        target = target_of(resource, name, request.namespace, found)
        before = without_bookkeeping(found) if found else {}
        verb = "Patch" if found else "Create"
        return PreviewResult(
            f"{verb} {target}.", differences(str(target), before, without_bookkeeping(after)), target=target
        )

    async def run(self, request: Request[Patch], operation: Operation) -> Done:
        # Only a JSON patch needs to know the object: it cannot add to annotations that are not there.
        resource, found = (
            await self._found(request) if self._form is PatchForm.JSON else (await self._kind(request), None)
        )
        body = self._body(request.parameters, found, annotations=mark(request, operation.id) if self._marks else None)
        made = await request.cluster.patch(resource, request.parameters.name, body, form=self._form)
        return _done(resource, made)

    async def observe(self, request: Request[Patch], operation: Operation) -> Done | None:
        if not self._marks:
            return None
        resource = await self._kind(request)
        try:
            found = await request.cluster.get(resource, request.parameters.name)
        except NotFound:
            return None
        left = found["metadata"].get("annotations") or {}
        ours = (left.get(OPERATION), left.get(PROPOSAL_UID)) == (operation.id, request.proposal_uid)
        return _done(resource, found) if ours else None

    async def verify(self, request: Request[Patch], operation: Operation) -> Verified:
        return Verified(True)

    async def _kind(self, request: Request[Patch]) -> Resource:
        return await request.cluster.resolve(self._spec.target.api_version, self._spec.target.kind)

    async def _found(self, request: Request[Patch]) -> tuple[Resource, Json | None]:
        """The object; None where it does not exist and the patch would create it."""
        resource, cluster, name = await self._kind(request), request.cluster, request.parameters.name
        if self._form is not PatchForm.APPLY:
            return resource, await read(cluster, resource, name, request.namespace)
        return resource, await _read_or_none(cluster, resource, name)

    def _body(self, patch: Patch, found: Json | None, annotations: dict[str, str] | None) -> Json | Sequence[Json]:
        """What is sent, with the annotations that are to be left on the object."""
        if self._form is PatchForm.JSON:
            return [*_annotating(found or {}, annotations), *patch.body] if annotations else list(patch.body)
        metadata = patch.body.get("metadata") or {}
        if annotations:
            metadata = {**metadata, "annotations": {**(metadata.get("annotations") or {}), **annotations}}
        if self._form is PatchForm.MERGE:
            return {**patch.body, "metadata": metadata} if metadata else patch.body
        target = self._spec.target
        return {
            **patch.body,
            "apiVersion": target.api_version,
            "kind": target.kind,
            "metadata": {**metadata, "name": patch.name},
        }


async def _read_or_none(cluster: Cluster, resource: Resource, name: str) -> Json | None:
    try:
        return await cluster.get(resource, name)
    except NotFound:
        return None


def _annotating(found: Json, annotations: dict[str, str]) -> Iterator[Json]:
    """Leaves the annotations on the object as it was read: on another, the test fails and nothing is done."""
    metadata = found["metadata"]
    yield {"op": "test", "path": "/metadata/resourceVersion", "value": metadata["resourceVersion"]}
    if not metadata.get("annotations"):
        yield {"op": "add", "path": "/metadata/annotations", "value": {}}
    for name, value in annotations.items():
        yield {"op": "add", "path": f"/metadata/annotations/{name.replace('/', '~1')}", "value": value}


def _done(resource: Resource, made: Json) -> Done:
    metadata = made["metadata"]
    outputs = {"resourceVersion": metadata["resourceVersion"], "uid": metadata["uid"]}
    return Done(f"{resource.kind} {metadata['name']} is patched.", outputs)


def _repeatable(spec: PatchExecutor) -> bool:
    """Whether sending it twice comes to the same as once. Operations on lists, and removals, do not."""
    if spec.type != "json":
        return True
    return all(
        operation.get("op") in ("test", "replace") or (operation.get("op") == "add" and not _in_list(operation))
        for operation in spec.patch
    )


def _in_list(operation: Json) -> bool:
    last = str(operation.get("path", "")).rpartition("/")[2]
    return last == "-" or last.isdecimal()


def patch_faults(spec: PatchExecutor, declared: Declared) -> Iterator[str]:
    """What is wrong with the executor before any proposal is made; empty if nothing."""
    yield from form_faults({"name": spec.target.name}, f"{HERE}.target")
    yield from form_faults(spec.patch, f"{HERE}.patch")
    yield from _target_faults(spec, declared)
    if spec.type == "json":
        yield from _operation_faults(spec.patch)
    elif not isinstance(spec.patch, dict) or is_place(spec.patch):
        yield f"{HERE}.patch: must be an object, for {spec.type}"
    else:
        yield from _identity_faults(spec.patch)
    for place in places(spec.patch, f"{HERE}.patch"):
        yield from declared.unknown(place)
        yield from declared.not_secret(place, "objects are readable by many; name the Secret in the object instead")


def _target_faults(spec: PatchExecutor, declared: Declared) -> Iterator[str]:
    target = spec.target
    if never(kind_name(target.api_version, target.kind)):
        yield f"{HERE}.target.kind: {target.kind} of {target.api_version} is never patched; use another way"
    if isinstance(target.name, str):
        if not OBJECT_NAME.fullmatch(target.name):
            yield f"{HERE}.target.name: must be the name of an object, or {{fromParameter: NAME}}"
    elif not is_place(target.name):
        yield f"{HERE}.target.name: must be a text or {{fromParameter: NAME}}"
    for place in places(target.name, f"{HERE}.target.name"):
        unknown = [*declared.unknown(place), *declared.not_secret(place, "name the object by another parameter")]
        yield from unknown or declared.not_naming(place, required=True)


def _operation_faults(patch: Any) -> Iterator[str]:
    if not isinstance(patch, list) or not patch:
        yield f"{HERE}.patch: must be a list of operations, for json"
        return
    for index, operation in enumerate(patch):
        where = f"{HERE}.patch[{index}]"
        if not isinstance(operation, dict) or is_place(operation):
            yield f"{where}: must be an operation: {{op, path, value}}"
            continue
        for field in ("op", "path", "from"):
            if is_place(operation.get(field)):
                yield f"{where}.{field}: a parameter may stand only in value; write it out"
        if operation.get("op") not in _OPERATIONS:
            yield f"{where}.op: must be one of {', '.join(sorted(_OPERATIONS))}"
        path = operation.get("path")
        if not isinstance(path, str) or not path.startswith("/"):
            yield f"{where}.path: must be a JSON pointer: /spec/replicas"
        elif _changes_identity(path) and operation.get("op") != "test":
            yield f"{where}.path: the operator says which object it is; patch something else"


def _changes_identity(path: str) -> bool:
    parts = path.split("/")[1:]
    return parts[0] in _OURS or parts == ["metadata"] or (parts[0] == "metadata" and parts[1] in _OURS_OF_METADATA)


def _identity_faults(patch: Json) -> Iterator[str]:
    metadata = patch.get("metadata")
    if metadata is not None and (not isinstance(metadata, dict) or is_place(metadata)):
        yield f"{HERE}.patch.metadata: must be an object; a parameter may stand inside it"
    else:
        for name in _OURS_OF_METADATA:
            if name in (metadata or {}):
                yield f"{HERE}.patch.metadata.{name}: the operator says which object it is; remove it"
        if is_place((metadata or {}).get("annotations")):
            yield f"{HERE}.patch.metadata.annotations: must be an object; a parameter may stand inside it"
    for name in _OURS:
        if name in patch:
            yield f"{HERE}.patch.{name}: is written in target; remove it"
