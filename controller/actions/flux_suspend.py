"""flux-suspend and flux-resume: whether Flux reconciles an object. Each undoes the other."""

from typing import ClassVar

from controller.actions.about import About, Family
from controller.actions.base import Action
from controller.actions.flux import RIGHTS, FluxParameters, read_flux, resource_of, suspended
from controller.api.common import Change, Undo
from controller.api.names import Risk
from controller.core.ports import Done, Json, Operation, PreviewResult, Request, Target, Verified

PATH = "spec.suspend"


class _SetSuspend(Action[FluxParameters]):
    """One boolean: setting it again changes nothing, nor does taking back what somebody else took back."""

    value: ClassVar[bool]
    verb: ClassVar[str]
    then: ClassVar[str]
    parameters = FluxParameters

    async def preview(self, request: Request[FluxParameters]) -> PreviewResult:
        stored, target = await read_flux(request)
        answer = await self._patch(request, dry_run=True)
        before, after = suspended(stored), suspended(answer)
        if before == after:
            return PreviewResult(f"{target} is already {self.then}.", target=target)
        named = {"kind": target.kind, "name": target.name}
        return PreviewResult(
            summary=f"{self.verb} {target}.",
            changes=(Change(target=str(target), path=PATH, before=before, after=after),),
            undo=Undo(action=min(self.inverses), parameters=named),
            target=target,
        )

    async def run(self, request: Request[FluxParameters], operation: Operation) -> Done:
        await self._patch(request)
        return self._done(request)

    async def observe(self, request: Request[FluxParameters], operation: Operation) -> Done | None:
        stored, _ = await read_flux(request)
        return self._done(request) if suspended(stored) == self.value else None

    async def verify(self, request: Request[FluxParameters], operation: Operation) -> Verified:
        stored, target = await read_flux(request)
        if suspended(stored) == self.value:
            return Verified(True)
        return Verified(False, f"{target}: somebody else changed {PATH} back")

    async def _patch(self, request: Request[FluxParameters], *, dry_run: bool = False) -> Json:
        body = {"spec": {"suspend": self.value}}
        return await request.cluster.patch(resource_of(request), request.parameters.name, body, dry_run=dry_run)

    def _done(self, request: Request[FluxParameters]) -> Done:
        target = Target("", request.parameters.kind, request.parameters.name, request.namespace)
        return Done(f"{target} is {self.then}.", {"suspend": self.value})


class FluxSuspend(_SetSuspend):
    name = "flux-suspend"
    description = "Have Flux leave an object alone until it is resumed."
    about = About(Family.GITOPS, rights=RIGHTS, undone_by="flux-resume")
    risk = Risk.MEDIUM
    inverses = frozenset({"flux-resume"})
    value = True
    verb = "Suspend"
    then = "suspended"


class FluxResume(_SetSuspend):
    name = "flux-resume"
    description = "Have Flux reconcile a suspended object again."
    about = About(Family.GITOPS, rights=RIGHTS, undone_by="flux-suspend")
    risk = Risk.MEDIUM
    inverses = frozenset({"flux-suspend"})
    value = False
    verb = "Resume"
    then = "resumed"
