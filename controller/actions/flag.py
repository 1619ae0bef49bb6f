"""What the types share that set one boolean of one object's spec. Each is undone by the type that sets the opposite."""

from abc import abstractmethod
from typing import ClassVar, TypeVar

from controller.actions.base import Action, Parameters
from controller.actions.objects import ObjectName, read, target_of
from controller.api.common import Change, Undo
from controller.core.ports import Done, Json, Operation, PreviewResult, Request, Resource, Target, Verified


class NamedParameters(Parameters):
    """Those of a type whose kind of target is fixed."""

    name: ObjectName


N = TypeVar("N", bound=NamedParameters)


class SetFlag(Action[N]):
    """Setting it again changes nothing; taking it back where somebody else did so already changes nothing either."""

    resource: ClassVar[Resource]
    field: ClassVar[str]
    """Of spec; absent is false."""
    value: ClassVar[bool]
    verb: ClassVar[str]
    """`Pause`."""
    then: ClassVar[str]
    """`paused`: how the target is once it is done."""

    async def preview(self, request: Request[N]) -> PreviewResult:
        found, target = await self._read(request)
        answer = await self._patch(request, dry_run=True)
        before, after = self._flag(found), self._flag(answer)
        if before == after:
            return PreviewResult(f"{target} is already {self.then}.", target=target)
        return PreviewResult(
            summary=f"{self.verb} {target}.",
            changes=(Change(target=str(target), path=f"spec.{self.field}", before=before, after=after),),
            warnings=self.warnings(found, target),
            undo=Undo(action=min(self.inverses), parameters={"name": target.name}),
            target=target,
        )

    async def run(self, request: Request[N], operation: Operation) -> Done:
        await self._patch(request)
        return self._done(request)

    async def observe(self, request: Request[N], operation: Operation) -> Done | None:
        found, _ = await self._read(request)
        return self._done(request) if self._flag(found) == self.value else None

    async def verify(self, request: Request[N], operation: Operation) -> Verified:
        found, target = await self._read(request)
        if self._flag(found) != self.value:
            return Verified(False, f"{target}: somebody else changed spec.{self.field} back")
        return self.reached(found)

    @abstractmethod
    def warnings(self, found: Json, target: Target) -> tuple[str, ...]:
        """What to know before it is set. Pure."""

    @abstractmethod
    def reached(self, found: Json) -> Verified:
        """Whether its purpose is, now that it is set. Pure."""

    async def _read(self, request: Request[N]) -> tuple[Json, Target]:
        found = await read(request.cluster, self.resource, request.parameters.name, request.namespace)
        return found, target_of(self.resource, request.parameters.name, request.namespace, found)

    async def _patch(self, request: Request[N], *, dry_run: bool = False) -> Json:
        body = {"spec": {self.field: self.value}}
        return await request.cluster.patch(self.resource, request.parameters.name, body, dry_run=dry_run)

    def _flag(self, found: Json) -> bool:
        return bool(found["spec"].get(self.field, False))

    def _done(self, request: Request[N]) -> Done:
        target = target_of(self.resource, request.parameters.name, request.namespace)
        return Done(f"{target} is {self.then}.", {self.field: self.value})
