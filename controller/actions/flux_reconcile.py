"""flux-reconcile: have Flux fetch or apply now, as `flux reconcile` does.

The annotation carries the time of the operation: repeating the operation writes the same value, and Flux, which keeps
the value it has handled last, does nothing again.
"""

from controller.actions.about import About, Family
from controller.actions.base import Action, cut
from controller.actions.flux import RIGHTS, FluxParameters, condition, read_flux, resource_of, suspended
from controller.api.base import rfc3339
from controller.api.common import Change
from controller.api.names import Risk
from controller.core.errors import EffectFailed, PermanentFailure
from controller.core.ports import Done, Json, Operation, PreviewResult, Request, Target, Verified

ANNOTATION = "reconcile.fluxcd.io/requestedAt"
_DRY_RUN_TIME = "1970-01-01T00:00:00Z"


class FluxReconcile(Action[FluxParameters]):
    name = "flux-reconcile"
    description = "Have Flux reconcile an object now and wait until it is ready."
    about = About(Family.GITOPS, rights=RIGHTS)
    risk = Risk.MEDIUM
    timeout_seconds = 900
    parameters = FluxParameters

    async def preview(self, request: Request[FluxParameters]) -> PreviewResult:
        stored, target = await _reconcilable(request)
        await _annotate(request, _DRY_RUN_TIME, dry_run=True)
        return PreviewResult(
            summary=f"Have Flux reconcile {target}.",
            changes=(
                Change(
                    target=str(target),
                    path=f'metadata.annotations["{ANNOTATION}"]',
                    before=_requested(stored),
                    after="time of the operation",
                ),
            ),
            target=target,
        )

    async def run(self, request: Request[FluxParameters], operation: Operation) -> Done:
        stored, target = await _reconcilable(request)
        if _requested(stored) != _stamp(operation):
            await _annotate(request, _stamp(operation))
        return _done(target, operation)

    async def observe(self, request: Request[FluxParameters], operation: Operation) -> Done | None:
        stored, target = await read_flux(request)
        return _done(target, operation) if _requested(stored) == _stamp(operation) else None

    async def verify(self, request: Request[FluxParameters], operation: Operation) -> Verified:
        stored, target = await read_flux(request)
        return handled(stored, target)


def handled(stored: Json, target: Target) -> Verified:
    """Whether Flux has done what was last requested, and is content. A later request stands for an earlier one. Pure.

    Raises EffectFailed where Flux itself says that it cannot go on.
    """
    status = stored.get("status") or {}
    if status.get("lastHandledReconcileAt") != _requested(stored):
        return Verified(False, "Flux is suspended" if suspended(stored) else "Flux has not begun")
    stalled, why = condition(stored, "Stalled")
    if stalled == "True":
        raise EffectFailed(cut(f"{target} is stalled: {why}"))
    ready, message = condition(stored, "Ready")
    if ready != "True":
        return Verified(False, cut(f"{target} is not ready: {message}" if message else f"{target} is not ready"))
    applied = status.get("lastAppliedRevision") or (status.get("artifact") or {}).get("revision")
    return Verified(True, cut(f"It is ready: {message}"), outputs={"revision": applied} if applied else {})


async def _reconcilable(request: Request[FluxParameters]) -> tuple[Json, Target]:
    """Raises PermanentFailure where Flux would do nothing."""
    stored, target = await read_flux(request)
    if suspended(stored):
        raise PermanentFailure(f"{target} is suspended: Flux does nothing before it is resumed (flux-resume)")
    return stored, target


async def _annotate(request: Request[FluxParameters], value: str, *, dry_run: bool = False) -> None:
    body = {"metadata": {"annotations": {ANNOTATION: value}}}
    await request.cluster.patch(resource_of(request), request.parameters.name, body, dry_run=dry_run)


def _requested(stored: Json) -> str | None:
    value: str | None = (stored["metadata"].get("annotations") or {}).get(ANNOTATION)
    return value


def _stamp(operation: Operation) -> str:
    return rfc3339(operation.time)


def _done(target: Target, operation: Operation) -> Done:
    return Done(f"{target} is to be reconciled.", {"requestedAt": _stamp(operation)})
