"""delete-failed-pods: clear away pods whose phase is Failed, which nobody else does for a long time.

What is shown is what is deleted: each pod with its uid is a change of the preview, so that another one that failed
since voids an approval. Repeating it deletes only pods that there were when the operation began.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from pydantic import Field

from controller.actions.about import About, Family, Right
from controller.actions.base import Action, Parameters, cut
from controller.actions.pods import PODS, LabelSelector, counted, is_ending, listed, name_of, uid_of
from controller.api.common import Change
from controller.api.names import Risk
from controller.core.errors import ActionError, Conflict, EffectFailed, NotFound, NotLeading, PermanentFailure
from controller.core.ports import Done, Json, Operation, PreviewResult, Request, Verified

AT_ONCE = 10
_FAILED = "status.phase=Failed"


class DeleteFailedPodsParameters(Parameters):
    label_selector: LabelSelector = ""
    """Only pods with these labels, as `kubectl get pods -l` takes it. Empty: all failed ones of the namespace."""
    max_pods: Annotated[int, Field(ge=1, le=500)] = 100
    """If there are more than this, none is deleted."""


class DeleteFailedPods(Action[DeleteFailedPodsParameters]):
    name = "delete-failed-pods"
    description = "Delete the failed pods of the namespace that a label selector fits."
    about = About(Family.PODS, rights=(Right("", ("pods",), ("list", "delete")),))
    risk = Risk.LOW
    fixed = Action.fixed | {"labelSelector"}
    parameters = DeleteFailedPodsParameters

    async def preview(self, request: Request[DeleteFailedPodsParameters]) -> PreviewResult:
        pods = await _failed(request)
        if not pods:
            return PreviewResult("There are no failed pods to delete.")
        await asyncio.gather(*(_delete(request, pod, dry_run=True) for pod in pods[:1]))  # one tells of the right
        return PreviewResult(
            summary=cut(f"Delete {_failed_pods(pods)}: {listed(list(map(name_of, pods)))}."),
            changes=tuple(
                Change(target=f"Pod {name_of(pod)}", path="metadata.uid", before=uid_of(pod)) for pod in pods
            ),
        )

    async def run(self, request: Request[DeleteFailedPodsParameters], operation: Operation) -> Done:
        pods = _older(await _failed(request), operation)
        side_by_side = asyncio.Semaphore(AT_ONCE)

        async def deleted(pod: Json) -> ActionError | None:
            async with side_by_side:
                try:
                    await _delete(request, pod)
                except ActionError as error:
                    return error
                return None

        errors = [error for error in await asyncio.gather(*map(deleted, pods)) if error]
        if kept_back := next((error for error in errors if isinstance(error, NotLeading)), None):
            raise kept_back
        if errors and len(errors) < len(pods):
            raise EffectFailed(f"{len(errors)} of {_failed_pods(pods)} could not be deleted: {errors[0]}")
        if errors:
            raise errors[0]
        return Done(f"{_failed_pods(pods)} deleted.".capitalize())

    async def observe(self, request: Request[DeleteFailedPodsParameters], operation: Operation) -> Done | None:
        return None if _older(await _failed(request), operation) else Done("The failed pods are deleted.")

    async def verify(self, request: Request[DeleteFailedPodsParameters], operation: Operation) -> Verified:
        left = _older(await _failed(request, ending=True), operation)
        if left:
            return Verified(False, f"{_failed_pods(left)} not gone yet: {listed(list(map(name_of, left)))}")
        return Verified(True)


async def _failed(request: Request[DeleteFailedPodsParameters], *, ending: bool = False) -> list[Json]:
    """The oldest first. Raises PermanentFailure where there are too many. `ending`: with those deleted already."""
    parameters = request.parameters
    found = await request.cluster.list(PODS, label_selector=parameters.label_selector, field_selector=_FAILED)
    pods = [pod for pod in found if ending or not is_ending(pod)]
    if len(pods) > parameters.max_pods:
        raise PermanentFailure(
            f"{_failed_pods(pods)} fit, parameters.maxPods is {parameters.max_pods}: "
            "narrow parameters.labelSelector or raise it"
        )
    return sorted(pods, key=lambda pod: (pod["metadata"]["creationTimestamp"], pod["metadata"]["name"]))


def _older(pods: Sequence[Json], operation: Operation) -> list[Json]:
    return [pod for pod in pods if datetime.fromisoformat(pod["metadata"]["creationTimestamp"]) <= operation.time]


async def _delete(request: Request[DeleteFailedPodsParameters], pod: Json, *, dry_run: bool = False) -> None:
    """Deletes that very pod; that it is gone already is as good."""
    try:
        await request.cluster.delete(PODS, pod["metadata"]["name"], uid=uid_of(pod), dry_run=dry_run)
    except (NotFound, Conflict):
        return


def _failed_pods(pods: Sequence[Json]) -> str:
    return counted(len(pods)).replace("pod", "failed pod")
