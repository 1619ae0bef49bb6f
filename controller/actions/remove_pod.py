"""delete-pod and evict-pod: remove one pod. Its controller, if it has one, makes another.

A name can come back with another pod behind it, as those of a StatefulSet do. So what is removed is the pod with the
uid that was read right before; with `uid` given, that one or none, which is what makes it safe to repeat. Without it
the pod that is meant is the one that was there when the operation began: a younger one is never touched, as far as the
clocks of operator and API server agree.
"""

import asyncio
from abc import abstractmethod
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, ClassVar

from pydantic import Field

from controller.actions.about import About, Family, Right
from controller.actions.base import Action, Parameters, cut
from controller.actions.evictions import END, Patience, evict
from controller.actions.objects import ObjectName, read, target_of
from controller.actions.pods import PODS, GracePeriod, is_ending, is_mirror, losses, uid_of
from controller.api.common import Change
from controller.api.names import Risk
from controller.core.errors import Conflict, NotFound, PermanentFailure, Repeatable, Throttled
from controller.core.ports import Done, Json, Operation, PreviewResult, Request, Verified

PATH = "metadata.uid"
_REPEATS = "with `uid`; without it at most once"


class PodParameters(Parameters):
    name: ObjectName
    """Name of the pod, in the proposal's namespace."""
    uid: Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[0-9A-Za-z-]+$")] | None = None
    """Uid of the pod: if the name belongs to another one by now, nothing is removed. Makes it safe to repeat."""
    grace_period_seconds: GracePeriod | None = None
    """How long it may take to end. Default: what the pod itself says."""


class _RemovePod(Action[PodParameters]):
    fixed = Action.fixed | {"uid"}
    parameters = PodParameters
    verb: ClassVar[str]
    done: ClassVar[str]

    def is_idempotent(self, parameters: PodParameters) -> bool:
        """Only a uid tells the pod from one that has its name later."""
        return parameters.uid is not None

    async def preview(self, request: Request[PodParameters]) -> PreviewResult:
        pod = await _standing(request)
        target = target_of(PODS, request.parameters.name, request.namespace, pod)
        if pod is None:
            return PreviewResult(f"{target} with uid {request.parameters.uid} is gone already.")
        if is_ending(pod):
            return PreviewResult(f"{target} is being deleted already.", target=target)
        _demand_removable(pod)
        return PreviewResult(
            summary=f"{self.verb} {target}.",
            changes=(Change(target=str(target), path=PATH, before=uid_of(pod), after=None),),
            warnings=(*await self._ask(request, pod), *map(cut, losses(pod))),
            target=target,
        )

    async def run(self, request: Request[PodParameters], operation: Operation) -> Done:
        try:
            pod = await _standing(request)
        except NotFound:
            pod = None
        if pod is None or is_ending(pod) or _is_younger(pod, request, operation):
            return self._gone(request)
        _demand_removable(pod)
        try:
            await self._remove(request, pod, operation)
        except NotFound:
            return self._gone(request)
        except Conflict:
            if await _is_there(request, uid_of(pod)):
                raise
            return self._gone(request)
        return Done(f"{_named(request)} is {self.done}.", {"uid": uid_of(pod)})

    async def observe(self, request: Request[PodParameters], operation: Operation) -> Done | None:
        """That it is gone shows. That another has its name proves something only where its uid was said before."""
        try:
            pod = await _standing(request)
        except NotFound:
            pod = None
        return self._gone(request) if pod is None or is_ending(pod) else None

    async def verify(self, request: Request[PodParameters], operation: Operation) -> Verified:
        try:
            pod = await _standing(request)
        except NotFound:
            pod = None
        if pod is None:
            return Verified(True, "It is gone.")
        if is_ending(pod):
            since = pod["metadata"]["deletionTimestamp"]
            return Verified(False, f"{_named(request)} is not gone yet; it was to end by {since}")
        if request.parameters.uid is None:
            return Verified(True, "Another has its name now.")
        return Verified(False, f"{_named(request)} is still there")

    @abstractmethod
    async def _ask(self, request: Request[PodParameters], pod: Json) -> tuple[str, ...]:
        """By dry run whether it may; what to warn of."""

    @abstractmethod
    async def _remove(self, request: Request[PodParameters], pod: Json, operation: Operation) -> None:
        """Removes the pod with that uid."""

    def _gone(self, request: Request[PodParameters]) -> Done:
        uid = request.parameters.uid
        message = f"The pod that was {request.namespace}/{request.parameters.name} is {self.done}."
        return Done(message, {"uid": uid} if uid else {})


class DeletePod(_RemovePod):
    name = "delete-pod"
    description = "Delete one pod, whatever disruption budgets say, and wait until it is gone."
    about = About(
        Family.PODS,
        rights=(Right("", ("pods",), ("get", "delete")),),
        repeats=_REPEATS,
    )
    risk = Risk.HIGH
    verb = "Delete"
    done = "deleted"

    async def _ask(self, request: Request[PodParameters], pod: Json) -> tuple[str, ...]:
        await request.cluster.delete(PODS, request.parameters.name, uid=uid_of(pod), dry_run=True)
        return ()

    async def _remove(self, request: Request[PodParameters], pod: Json, operation: Operation) -> None:
        parameters = request.parameters
        await request.cluster.delete(
            PODS, parameters.name, uid=uid_of(pod), grace_period_seconds=parameters.grace_period_seconds
        )


class EvictPod(_RemovePod):
    """Waits by asking in dry runs: cancelled meanwhile, it is known that nothing was done."""

    name = "evict-pod"
    description = "Evict one pod as soon as its disruption budget allows it, and wait until it is gone."
    about = About(
        Family.PODS,
        rights=(Right("", ("pods",), ("get",)), Right("", ("pods/eviction",), ("create",))),
        repeats=_REPEATS,
    )
    risk = Risk.MEDIUM
    verb = "Evict"
    done = "evicted"

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now

    async def _ask(self, request: Request[PodParameters], pod: Json) -> tuple[str, ...]:
        try:
            await evict(request.cluster, pod, dry_run=True)
        except Repeatable as error:
            return (cut(f"Blocked now, so it would wait: {error}"),)
        return ()

    async def _remove(self, request: Request[PodParameters], pod: Json, operation: Operation) -> None:
        patience = Patience(self._now, operation.deadline - END)
        while True:
            try:
                await evict(request.cluster, pod, dry_run=True)
                break
            except Throttled as error:
                seconds = patience.next_wait(error)
                if seconds is None:
                    raise
                request.journal.progress(f"waits: {error}")
                await asyncio.sleep(seconds)
        await evict(request.cluster, pod, grace_period_seconds=request.parameters.grace_period_seconds)


async def _standing(request: Request[PodParameters]) -> Json | None:
    """The pod; None where that of the given uid is gone. Raises NotFound where no uid is given and there is none."""
    parameters = request.parameters
    try:
        pod = await read(request.cluster, PODS, parameters.name, request.namespace)
    except NotFound:
        if parameters.uid is None:
            raise
        return None
    return pod if parameters.uid in (None, uid_of(pod)) else None


async def _is_there(request: Request[PodParameters], uid: str) -> bool:
    try:
        return uid_of(await request.cluster.get(PODS, request.parameters.name)) == uid
    except NotFound:
        return False


def _is_younger(pod: Json, request: Request[PodParameters], operation: Operation) -> bool:
    """Whether the pod that was meant is gone, and this one has its name."""
    if request.parameters.uid is not None:
        return False
    return datetime.fromisoformat(pod["metadata"]["creationTimestamp"]) > operation.time


def _demand_removable(pod: Json) -> None:
    """Raises PermanentFailure for one that would come back as it is."""
    if is_mirror(pod):
        node = pod["spec"].get("nodeName", "")
        raise PermanentFailure(
            f"Pod {pod['metadata']['name']} is a static pod of Node {node}: only its node can end it"
        )


def _named(request: Request[PodParameters]) -> str:
    return str(target_of(PODS, request.parameters.name, request.namespace))
