"""What the types that delete one object share. An object is its uid: another one of the same name is not touched.

With `uid` given, deleting again finds the object gone and does nothing. Without it the uid is that of the object found
when it is due, and nothing is repeated: a second try could meet a new object.
"""

from abc import abstractmethod
from collections.abc import Iterator
from typing import Annotated, TypeVar

from pydantic import Field

from controller.actions.base import Action, Parameters
from controller.actions.objects import target_of
from controller.api.common import Change
from controller.core.errors import NotFound, PermanentFailure
from controller.core.ports import Done, Json, Operation, PreviewResult, Propagation, Request, Resource, Target, Verified

REPEATS = "with `uid` yes; without it no"
Uid = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9][-A-Za-z0-9]*$")]
_PODS_OF = ("replicas", "currentNumberScheduled", "active")
"""Fields of status that count the pods of an object."""


class DeletionParameters(Parameters):
    uid: Uid | None = None
    """Delete only the object with this uid. Without it: the one that has the name when it is due, at most once."""
    propagation: Propagation = Propagation.BACKGROUND
    """What it owns: Background deletes that after it, Foreground before it, Orphan leaves it."""


D = TypeVar("D", bound=DeletionParameters)


class DeleteObject(Action[D]):
    """Deletes one object and waits until it is gone."""

    def is_idempotent(self, parameters: D) -> bool:
        return parameters.uid is not None

    @abstractmethod
    async def place(self, request: Request[D]) -> tuple[Resource, str]:
        """Where its kind is served, and its name."""

    async def preview(self, request: Request[D]) -> PreviewResult:
        resource, name, stored = await self._look(request)
        target = target_of(resource, name, request.namespace, stored)
        if stored is None:
            raise NotFound(f"{target} does not exist: check its name and namespace")
        uid, wanted = stored["metadata"]["uid"], request.parameters.uid
        if wanted not in (None, uid):
            raise PermanentFailure(f"{target} has uid {uid}, parameters.uid says {wanted}: that object is gone")
        if _is_ending(stored):
            return PreviewResult(f"{target} is being deleted already.", target=target)
        propagation = request.parameters.propagation
        await request.cluster.delete(resource, name, uid=uid, propagation=propagation, dry_run=True)
        return PreviewResult(
            summary=f"Delete {target}.",
            changes=(Change(target=str(target), path="metadata.uid", before=uid),),
            warnings=tuple(_consequences(stored, target, propagation)),
            target=target,
        )

    async def run(self, request: Request[D], operation: Operation) -> Done:
        resource, name, stored = await self._look(request)
        target, wanted = target_of(resource, name, request.namespace), request.parameters.uid
        if stored is None and wanted is None:
            raise NotFound(f"{target} does not exist any more")
        if stored is None or wanted not in (None, stored["metadata"]["uid"]):
            return _done(target, wanted)
        uid = stored["metadata"]["uid"]
        if not _is_ending(stored):
            try:
                await request.cluster.delete(resource, name, uid=uid, propagation=request.parameters.propagation)
            except NotFound:
                return _done(target, uid)
        return _done(target, uid)

    async def observe(self, request: Request[D], operation: Operation) -> Done | None:
        resource, name, stored = await self._look(request)
        target, wanted = target_of(resource, name, request.namespace), request.parameters.uid
        gone = stored is None or _is_ending(stored) or wanted not in (None, stored["metadata"]["uid"])
        return _done(target, wanted) if gone else None

    async def verify(self, request: Request[D], operation: Operation) -> Verified:
        resource, name, stored = await self._look(request)
        if stored is None:
            return Verified(True, "It is gone.")
        target, wanted = target_of(resource, name, request.namespace), request.parameters.uid
        same = wanted in (None, stored["metadata"]["uid"])
        if same and _is_ending(stored):
            held = ", ".join(stored["metadata"].get("finalizers") or ())
            return Verified(False, f"{target} is being deleted" + (f"; its finalizers hold it: {held}" if held else ""))
        if same and wanted is not None:
            return Verified(False, f"{target} is still there")
        return Verified(True, "It is gone; another one of its name was made since.")

    async def _look(self, request: Request[D]) -> tuple[Resource, str, Json | None]:
        resource, name = await self.place(request)
        try:
            return resource, name, await request.cluster.get(resource, name)
        except NotFound:
            return resource, name, None


def _is_ending(stored: Json) -> bool:
    return "deletionTimestamp" in stored["metadata"]


def _consequences(stored: Json, target: Target, propagation: Propagation) -> Iterator[str]:
    """What depends on it, as far as the object itself tells."""
    for owner in stored["metadata"].get("ownerReferences") or ():
        if owner.get("controller"):
            yield f"{owner['kind']} {owner['name']} owns {target} and may make it anew"
    if finalizers := stored["metadata"].get("finalizers"):
        yield f"{target} has finalizers and is gone only once they are: {', '.join(finalizers)}"
    status = stored.get("status") or {}
    pods = next((status[field] for field in _PODS_OF if isinstance(status.get(field), int) and status[field]), 0)
    if pods:
        stay = propagation is Propagation.ORPHAN
        yield f"{target} has pods, which {'stay without it' if stay else 'are deleted with it'}: {pods}"


def _done(target: Target, uid: str | None) -> Done:
    return Done(f"{target} is deleted.", {"uid": uid} if uid else {})
