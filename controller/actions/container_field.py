"""What the types share that change one field of one container in a workload's pod template.

The change is a JSON patch (RFC 6902) whose tests hold the container's name and the value that was looked at: what
somebody else changed in between is looked at again, never overwritten.
"""

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import Field

from controller.actions.base import Action
from controller.actions.races import racing
from controller.actions.rollouts import ATTEMPTS, RolloutParameters, arrived, held_back, read_rollout
from controller.actions.workloads import WORKLOADS
from controller.api.common import Change, Undo
from controller.core.errors import Conflict, PermanentFailure
from controller.core.ports import (
    Done,
    Json,
    Operation,
    PatchForm,
    PreviewResult,
    Request,
    Target,
    Verified,
)

ContainerName = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
LISTS = ("containers", "initContainers")


class ContainerParameters(RolloutParameters):
    container: ContainerName
    """Name of the container, or of the init container."""


C = TypeVar("C", bound=ContainerParameters)


@dataclass(frozen=True)
class Place:
    """Where a container stands in a pod template."""

    list: str
    index: int
    container: Json

    @property
    def pointer(self) -> str:
        """As JSON pointer (RFC 6901)."""
        return f"/spec/template/spec/{self.list}/{self.index}"

    @property
    def path(self) -> str:
        return f"spec.template.spec.{self.list}[{self.container['name']}]"


class ContainerField(Action[C]):
    """An absolute value, so that setting it again changes nothing."""

    field: ClassVar[str]

    async def preview(self, request: Request[C]) -> PreviewResult:
        workload, target = await read_rollout(request)
        place = find(workload, request.parameters.container, target)
        self.check(request.parameters, place.container, target)
        if self.is_so(request.parameters, place.container):
            return PreviewResult(f"{target} already has this {self.field}.", target=target)
        answer = await self._patch(request, place, dry_run=True)
        after = find(answer, request.parameters.container, target).container
        return PreviewResult(
            summary=f"Set the {self.field} of container {request.parameters.container} in {target}: "
            f"{self.told(request.parameters)}. Its pods are replaced.",
            changes=tuple(self.changes(request.parameters, str(target), place, after)),
            warnings=(*held_back(workload, target), *self.warnings(request.parameters)),
            undo=Undo(
                action=self.name,
                parameters={
                    "kind": str(request.parameters.kind),
                    "name": request.parameters.name,
                    "container": request.parameters.container,
                    **self.back(request.parameters, place.container, after),
                },
            ),
            target=target,
        )

    async def run(self, request: Request[C], operation: Operation) -> Done:
        return await racing(lambda: self._once(request), attempts=ATTEMPTS)

    async def observe(self, request: Request[C], operation: Operation) -> Done | None:
        workload, target = await read_rollout(request)
        container = find(workload, request.parameters.container, target).container
        return self._done(request, target, {}) if self.is_so(request.parameters, container) else None

    async def verify(self, request: Request[C], operation: Operation) -> Verified:
        workload, target = await read_rollout(request)
        if not self.is_so(request.parameters, find(workload, request.parameters.container, target).container):
            return Verified(False, f"{target}: somebody else changed the {self.field} meanwhile")
        return arrived(workload)

    @abstractmethod
    def wanted(self, parameters: C, container: Json) -> Any:
        """The new value of the field. Pure."""

    @abstractmethod
    def is_so(self, parameters: C, container: Json) -> bool:
        """Whether the container has what is asked for. Pure."""

    @abstractmethod
    def check(self, parameters: C, container: Json, target: Target) -> None:
        """Raises PermanentFailure where the value is neither the expected one nor the wanted one. Pure."""

    @abstractmethod
    def told(self, parameters: C) -> str:
        """What is set, in a few words. Pure."""

    @abstractmethod
    def changes(self, parameters: C, target: str, place: Place, after: Json) -> Iterator[Change]:
        """What differs between the container now and after. Pure."""

    @abstractmethod
    def back(self, parameters: C, before: Json, after: Json) -> Json:
        """The parameters that put the container's value back, only where it still has the new one. Pure."""

    @abstractmethod
    def previous(self, parameters: C, container: Json) -> Json:
        """The value from before as outputs. Pure."""

    def warnings(self, parameters: C) -> tuple[str, ...]:
        return ()

    async def _once(self, request: Request[C]) -> Done:
        workload, target = await read_rollout(request)
        place = find(workload, request.parameters.container, target)
        self.check(request.parameters, place.container, target)
        if self.is_so(request.parameters, place.container):
            return self._done(request, target, {})
        try:
            await self._patch(request, place)
        except PermanentFailure as error:
            # A test of the patch that does not hold is answered like any wrong patch.
            latest, _ = await read_rollout(request)
            if find(latest, request.parameters.container, target) != place:
                raise Conflict(f"{target} was changed at the same moment") from error
            raise
        return self._done(request, target, self.previous(request.parameters, place.container))

    async def _patch(self, request: Request[C], place: Place, *, dry_run: bool = False) -> Json:
        where, old = f"{place.pointer}/{self.field}", place.container.get(self.field)
        parameters = request.parameters
        new = self.wanted(parameters, place.container)
        tests: list[Json] = [{"op": "test", "path": f"{place.pointer}/name", "value": parameters.container}]
        if old is not None:
            tests.append({"op": "test", "path": where, "value": old})
        body = [*tests, {"op": "add", "path": where, "value": new}]  # `add` replaces what there is
        resource = WORKLOADS[parameters.kind]
        return await request.cluster.patch(resource, parameters.name, body, form=PatchForm.JSON, dry_run=dry_run)

    def _done(self, request: Request[C], target: Target, previous: Json) -> Done:
        parameters = request.parameters
        message = f"Container {parameters.container} of {target} has the {self.field} set: {self.told(parameters)}."
        return Done(message, {"container": parameters.container, **previous})


def find(workload: Json, name: str, target: Target) -> Place:
    """The container of that name. Raises PermanentFailure with the names that there are."""
    spec = workload["spec"]["template"]["spec"]
    names = []
    for kind in LISTS:
        for index, container in enumerate(spec.get(kind) or ()):
            if container["name"] == name:
                return Place(kind, index, container)
            names.append(container["name"])
    raise PermanentFailure(f"parameters.container: {target} has no container {name}; it has {', '.join(names)}")
