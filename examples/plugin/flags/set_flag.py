"""set-flag: one key of a ConfigMap gets a value. The previous one comes back only where ours still stands."""

from typing import Annotated

from pydantic import Field

from controller.actions.about import About, Family, Right
from controller.actions.base import Action, Parameters
from controller.actions.objects import ObjectName, read, target_of
from controller.api.common import Change, Undo
from controller.api.names import Risk
from controller.core.errors import PermanentFailure
from controller.core.ports import Done, Json, Operation, PreviewResult, Request, Resource, Verified

CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap")


class SetFlagParameters(Parameters):
    name: ObjectName
    """Name of the ConfigMap."""
    key: Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[-._a-zA-Z0-9]+$")]
    """Key of the flag."""
    value: Annotated[str, Field(max_length=256)]
    """Its new value."""
    expected_value: Annotated[str, Field(max_length=256)] | None = None
    """Refuse if it has another value now."""


class SetFlag(Action[SetFlagParameters]):
    name = "set-flag"
    description = "Set one flag in a ConfigMap."
    about = About(
        Family.OBJECTS, rights=(Right("", ("configmaps",), ("get", "patch")),), undone_by="the value from before"
    )
    risk = Risk.MEDIUM
    inverses = frozenset({"set-flag"})
    parameters = SetFlagParameters

    async def preview(self, request: Request[SetFlagParameters]) -> PreviewResult:
        found, before = await _flag(request)
        parameters = request.parameters
        await request.cluster.patch(CONFIG_MAPS, parameters.name, _patch(request, found), dry_run=True)
        target = target_of(CONFIG_MAPS, parameters.name, request.namespace, found)
        if before == parameters.value:
            return PreviewResult(f"{target} has {parameters.key} as asked.", target=target)
        change = Change(target=str(target), path=f"data.{parameters.key}", before=before, after=parameters.value)
        undo = None
        if before is not None:
            back = {"name": parameters.name, "key": parameters.key, "value": before}
            undo = Undo(action=self.name, parameters={**back, "expectedValue": parameters.value})
        return PreviewResult(f"Set {parameters.key} of {target}.", (change,), undo=undo, target=target)

    async def run(self, request: Request[SetFlagParameters], operation: Operation) -> Done:
        found, before = await _flag(request)
        await request.cluster.patch(CONFIG_MAPS, request.parameters.name, _patch(request, found))
        return Done(f"{request.parameters.key} is set.", {} if before is None else {"previousValue": before})

    async def observe(self, request: Request[SetFlagParameters], operation: Operation) -> Done | None:
        return None  # who set the value cannot be seen; setting it again does no harm

    async def verify(self, request: Request[SetFlagParameters], operation: Operation) -> Verified:
        _, now = await _flag(request, expect=False)
        return Verified(now == request.parameters.value, f"{request.parameters.key} has another value")


async def _flag(request: Request[SetFlagParameters], *, expect: bool = True) -> tuple[Json, str | None]:
    """The ConfigMap and the flag's value. Raises PermanentFailure where it is not the expected one."""
    parameters = request.parameters
    found = await read(request.cluster, CONFIG_MAPS, parameters.name, request.namespace)
    value = (found.get("data") or {}).get(parameters.key)
    if expect and parameters.expected_value is not None and value not in (parameters.expected_value, parameters.value):
        raise PermanentFailure(f"{parameters.key} is {value!r}, not {parameters.expected_value!r}: nothing was done")
    return found, value


def _patch(request: Request[SetFlagParameters], found: Json) -> Json:
    """Only of the object as it was read: with another resource version it is a Conflict."""
    parameters = request.parameters
    version = found["metadata"]["resourceVersion"]
    return {"metadata": {"resourceVersion": version}, "data": {parameters.key: parameters.value}}
