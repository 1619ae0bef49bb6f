"""rollback-rollout: the pod template of an earlier revision, as `kubectl rollout undo` does, and wait until it is out.

Going back is relative: done twice it would come forward again. So the write that does it also marks the workload with
the proposal it was for, and asks that the workload is still as it was looked at.
"""

from typing import Annotated

from pydantic import Field

from controller.actions.about import About, Family, Right
from controller.actions.base import Action
from controller.actions.marks import is_marked_by, is_marked_since, mark
from controller.actions.races import racing
from controller.actions.revisions import Revision, history, images
from controller.actions.rollouts import (
    ATTEMPTS,
    RIGHT,
    RolloutParameters,
    arrived,
    held_back,
    is_paused,
    read_rollout,
)
from controller.actions.workloads import WORKLOADS, seen_by_its_controller
from controller.api.common import Change, Undo
from controller.api.names import Risk
from controller.core.errors import PermanentFailure, TransientFailure
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

Number = Annotated[int, Field(ge=1, le=2**31 - 1)]
# In a dry run there is no operation yet.
_DRY_RUN_OPERATION = "00000000-0000-7000-8000-000000000000"


class RollbackRolloutParameters(RolloutParameters):
    to_revision: Number | None = None
    """The revision to go back to, as `kubectl rollout history` numbers it; absent: the one before."""
    expected_revision: Number | None = None
    """Roll back only if this is its revision now."""


class RollbackRollout(Action[RollbackRolloutParameters]):
    name = "rollback-rollout"
    description = "Roll a Deployment, StatefulSet or DaemonSet back to an earlier revision and wait until it is out."
    about = About(
        Family.WORKLOADS,
        rights=(
            RIGHT,
            Right("apps", ("replicasets", "controllerrevisions"), ("list",)),
        ),
        undone_by="the revision from before",
    )
    risk = Risk.HIGH
    timeout_seconds = 900
    inverses = frozenset({name})
    parameters = RollbackRolloutParameters

    async def preview(self, request: Request[RollbackRolloutParameters]) -> PreviewResult:
        workload, target = await read_rollout(request)
        now, then = await _way_back(request, workload, target)
        if now == then:
            return PreviewResult(f"{target} is already at {now}.", target=target)
        await _patch(request, workload, then, _DRY_RUN_OPERATION, dry_run=True)
        return PreviewResult(
            summary=f"Roll {target} back from revision {now.number} to {then}.",
            changes=(Change(target=str(target), path="spec.template", before=str(now), after=str(then)),),
            warnings=held_back(workload, target),
            undo=Undo(
                action=self.name,
                parameters={
                    "kind": target.kind,
                    "name": target.name,
                    "toRevision": now.number,
                    "expectedRevision": now.number + 1,  # what is rolled back to becomes the newest
                },
            ),
            target=target,
        )

    async def run(self, request: Request[RollbackRolloutParameters], operation: Operation) -> Done:
        return await racing(lambda: self._once(request, operation), attempts=ATTEMPTS)

    async def observe(self, request: Request[RollbackRolloutParameters], operation: Operation) -> Done | None:
        workload, target = await read_rollout(request)
        return _done(target, workload) if is_marked_by(workload, request) else None

    async def verify(self, request: Request[RollbackRolloutParameters], operation: Operation) -> Verified:
        workload, target = await read_rollout(request)
        if is_marked_since(workload, operation) and not is_marked_by(workload, request):
            return Verified(False, f"{target} was rolled back again by another proposal meanwhile")
        return arrived(workload)

    async def _once(self, request: Request[RollbackRolloutParameters], operation: Operation) -> Done:
        workload, target = await read_rollout(request)
        if is_marked_by(workload, request):
            return _done(target, workload)
        if is_marked_since(workload, operation):
            raise PermanentFailure(f"{target} was rolled back by another proposal meanwhile: look at it again")
        now, then = await _way_back(request, workload, target)
        if now == then:
            return _done(target, workload)
        answer = await _patch(request, workload, then, operation.id)
        return _done(target, answer, {"fromRevision": now.number, "toRevision": then.number})


async def _way_back(
    request: Request[RollbackRolloutParameters], workload: Json, target: Target
) -> tuple[Revision, Revision]:
    """The revision now, and the one to go to. Raises PermanentFailure where there is no way back."""
    parameters = request.parameters
    if is_paused(workload):
        raise PermanentFailure(f"{target} is paused, which keeps every rollout back: resume it first (resume-rollout)")
    if not seen_by_its_controller(workload, "").ok:
        raise TransientFailure(f"{target} was changed and its controller has not seen it yet")
    revisions = {revision.number: revision for revision in await history(request.cluster, workload)}
    if not revisions:
        raise TransientFailure(f"{target} has no revision yet")
    newest, *older = sorted(revisions, reverse=True)
    to = parameters.to_revision
    if parameters.expected_revision not in (None, newest):
        raise PermanentFailure(
            f"{target} is at revision {newest}, parameters.expectedRevision says {parameters.expected_revision}: "
            "see what was rolled out since, then propose again"
        )
    if to is None and not older:
        raise PermanentFailure(f"{target} has no revision before {newest}: its controller keeps none")
    if to is not None and to not in revisions:
        kept = ", ".join(map(str, sorted(revisions)))
        raise PermanentFailure(f"parameters.toRevision: {target} has no revision {to}; it keeps {kept}")
    return revisions[newest], revisions[older[0] if to is None else to]


async def _patch(
    request: Request[RollbackRolloutParameters],
    workload: Json,
    revision: Revision,
    operation_id: str,
    *,
    dry_run: bool = False,
) -> Json:
    """What was looked at must still be so: another resourceVersion is a Conflict."""
    metadata = workload["metadata"]
    annotations = {**(metadata.get("annotations") or {}), **mark(request, operation_id)}
    body = [
        {"op": "replace", "path": "/metadata/resourceVersion", "value": metadata["resourceVersion"]},
        {"op": "add", "path": "/metadata/annotations", "value": annotations},
        {"op": "replace", "path": "/spec/template", "value": revision.template},
    ]
    parameters = request.parameters
    return await request.cluster.patch(
        WORKLOADS[parameters.kind], parameters.name, body, form=PatchForm.JSON, dry_run=dry_run
    )


def _done(target: Target, workload: Json, way: Json | None = None) -> Done:
    told = dict(images(workload["spec"]["template"]))
    return Done(f"{target} is rolled back.", {**(way or {}), "images": dict(list(told.items())[:16])})
