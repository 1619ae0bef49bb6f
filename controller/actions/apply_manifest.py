"""apply-manifest: create or change one object by server-side apply."""

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import AfterValidator, TypeAdapter, ValidationError

from controller.actions.about import About, Family, Right
from controller.actions.any_object import ApiVersion, KindName, resolved
from controller.actions.applying import ATTEMPTS, LENT, PATCH_RESOURCE, Write, way_back
from controller.actions.base import Action, Parameters
from controller.actions.field_changes import MISSING, Difference, changes, differences
from controller.actions.objects import ObjectName, target_of
from controller.actions.patch_parameters import body_faults
from controller.actions.races import racing
from controller.api.base import OpaqueMap
from controller.api.names import Risk
from controller.core.errors import NotFound, PermanentFailure
from controller.core.kinds import kind_name
from controller.core.ports import Done, Json, Operation, PatchForm, PreviewResult, Request, Target, Verified

_NAMING = ("name", "namespace")


def _checked(manifest: dict[str, Any]) -> dict[str, Any]:
    if fault := next(_faults(manifest), None):
        raise ValueError(fault)
    return manifest


def _faults(manifest: dict[str, Any]) -> Iterator[str]:
    metadata = manifest.get("metadata")
    if not isinstance(metadata, dict):
        yield "metadata: must be an object with a name"
        return
    for field, rule, value in (
        ("apiVersion", ApiVersion, manifest.get("apiVersion")),
        ("kind", KindName, manifest.get("kind")),
        ("metadata.name", ObjectName, metadata.get("name")),
    ):
        try:
            TypeAdapter(rule).validate_python(value, strict=True)
        except ValidationError:
            yield f"{field}: is missing, or cannot be one in Kubernetes"
    kept = {key: value for key, value in manifest.items() if key not in ("apiVersion", "kind")}
    kept["metadata"] = {key: value for key, value in metadata.items() if key not in _NAMING}
    yield from body_faults(kept, "manifest")


class ApplyManifestParameters(Parameters):
    manifest: Annotated[OpaqueMap, AfterValidator(_checked)]
    """The object: apiVersion, kind, metadata with name, and what it shall have. Of metadata only labels and annotations
    beside the name. A policy must allow its kind: `spec.kinds.allowed`.
    """
    force: bool = False
    """Take over fields that other managers have set. Else such a conflict ends it."""

    @property
    def api_version(self) -> str:
        return str(self.manifest["apiVersion"])

    @property
    def kind(self) -> str:
        return str(self.manifest["kind"])

    @property
    def name(self) -> str:
        return str(self.manifest["metadata"]["name"])


class ApplyManifest(Action[ApplyManifestParameters]):
    """Applying the same again changes nothing."""

    name = "apply-manifest"
    description = "Create or change one object by server-side apply, as `kubectl apply --server-side` does."
    about = About(
        Family.OBJECTS,
        rights=(
            Right(
                "",
                ("configmaps",),
                ("get", "create", "patch"),
                why="for ConfigMaps; one such rule for each kind it is used for",
            ),
            LENT,
        ),
        undone_by="the values from before, where the object was there",
    )
    risk = Risk.HIGH
    inverses = frozenset({PATCH_RESOURCE})
    fixed = frozenset({"manifest", "force"})
    parameters = ApplyManifestParameters

    def generic_kind(self, parameters: ApplyManifestParameters) -> str | None:
        return kind_name(parameters.api_version, parameters.kind)

    async def preview(self, request: Request[ApplyManifestParameters]) -> PreviewResult:
        write, stored, target = await _prepared(request)
        answer = await write.tried(request, target, stored)
        if stored is None:
            return PreviewResult(
                summary=f"Create {target}.",
                changes=changes(target, _given(request.parameters.manifest)),
                warnings=(f"{target} is new; what takes it away again is delete-resource",),
                target=target,
            )
        differing = differences(stored, answer)
        if not differing:
            return PreviewResult(f"{target} is already as the manifest says.", target=target)
        undo, warnings = await way_back(request, target, stored, answer, differing)
        return PreviewResult(
            summary=f"Apply {target}.",
            changes=changes(target, differing),
            warnings=warnings,
            undo=undo,
            target=target,
        )

    async def run(self, request: Request[ApplyManifestParameters], operation: Operation) -> Done:
        async def once() -> Done:
            write, stored, target = await _prepared(request)
            return _done(target, await write.made(request, target, stored), created=stored is None)

        return await racing(once, attempts=ATTEMPTS)

    async def observe(self, request: Request[ApplyManifestParameters], operation: Operation) -> Done | None:
        write, stored, target = await _prepared(request)
        if stored is None or not await write.is_so(request.cluster, stored):
            return None
        return _done(target, stored, created=False)

    async def verify(self, request: Request[ApplyManifestParameters], operation: Operation) -> Verified:
        write, stored, target = await _prepared(request)
        if stored is None:
            return Verified(False, f"{target} was deleted by somebody else meanwhile")
        if await write.is_so(request.cluster, stored):
            return Verified(True)
        return Verified(False, f"{target}: somebody else changed what was applied meanwhile")


async def _prepared(request: Request[ApplyManifestParameters]) -> tuple[Write, Json | None, Target]:
    """The write, the object as it is, None where there is none, and what it is. Raises PermanentFailure."""
    parameters = request.parameters
    home = parameters.manifest["metadata"].get("namespace", request.namespace)
    if home != request.namespace:
        raise PermanentFailure(
            f"parameters.manifest.metadata.namespace: must be {request.namespace}, the namespace of the proposal "
            f"(got {home}); leave it out"
        )
    resource = await resolved(request.cluster, parameters.api_version, parameters.kind)
    write = Write(resource, parameters.name, PatchForm.APPLY, parameters.manifest, parameters.force)
    try:
        stored = await request.cluster.get(resource, parameters.name)
    except NotFound:
        stored = None
    return write, stored, target_of(resource, parameters.name, request.namespace, stored)


def _given(manifest: Json) -> list[Difference]:
    """What a new object is given, a part at a time."""
    metadata = [(("metadata", key), value) for key, value in manifest["metadata"].items() if key not in _NAMING]
    parts = [((key,), value) for key, value in manifest.items() if key not in ("apiVersion", "kind", "metadata")]
    given = [Difference(keys, MISSING, value) for keys, value in (*metadata, *parts)]
    return given or [Difference(("metadata", "name"), MISSING, manifest["metadata"]["name"])]


def _done(target: Target, stored: Json, *, created: bool) -> Done:
    return Done(f"{target} is {'created' if created else 'applied'}.", {"uid": stored["metadata"]["uid"]})
