"""What the types that write whole parts of an object share: how the server is asked, and when it is as asked.

Whether the stored object is as asked is told by a dry run that would change nothing: only the API server knows
what it makes of defaults and of other spellings (`1000m` is `1`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from controller.actions.about import Right
from controller.actions.field_changes import Difference, differences, inverse
from controller.actions.plain_credentials import plain_credentials
from controller.actions.pod_leave import demand_leave, may_be_put_back
from controller.actions.pod_rules import has_pods
from controller.api.common import Undo
from controller.core.errors import Conflict, PermanentFailure, TransientFailure
from controller.core.ports import Cluster, Json, P, PatchForm, Request, Resource, Target

PATCH_RESOURCE = "patch-resource"
LENT = Right("", ("secrets",), ("get",), names=("db",), why="only where pods newly get Secrets")
NO_WAY_BACK = "It cannot be undone by itself: what it changes cannot be put back with a test of what is there then"
_PODS_BEFORE = "It cannot be undone by itself: its pods had what a generic action may not give them"
ATTEMPTS = 5
"""Of a write that others' writes come between."""
_ANOTHER_MANAGER = "conflict with "
_DOES_NOT_FIT = "failed to create typed patch object"


@dataclass(frozen=True)
class Write:
    """One write of an object, ready to be asked for."""

    resource: Resource
    name: str
    form: PatchForm
    body: Json | Sequence[Json]
    force: bool = False

    async def send(self, cluster: Cluster, *, dry_run: bool = False) -> Json:
        """The object as it is then. Raises PermanentFailure where other managers own a field."""
        try:
            return await cluster.patch(
                self.resource, self.name, self.body, form=self.form, force=self.force, dry_run=dry_run
            )
        except Conflict as conflict:
            # Asking again would not help; a conflict of another kind is one with a write that came first.
            if self.form is PatchForm.APPLY and _ANOTHER_MANAGER in str(conflict):
                raise PermanentFailure(f"{conflict}; leave these fields out, or say force: true to take them") from None
            raise
        except TransientFailure as failure:
            # Of a dry run: the server answers a manifest that does not fit its kind as if it had failed itself.
            if _DOES_NOT_FIT in str(failure):
                raise PermanentFailure(str(failure)) from None
            raise

    async def tried(self, request: Request[P], target: Target, stored: Json | None) -> Json:
        """The object as it would be. Raises PermanentFailure where its pods would get what they may not get."""
        answer = await self.send(request.cluster, dry_run=True)
        await demand_leave(request, target, stored or {}, answer)
        return answer

    async def made(self, request: Request[P], target: Target, stored: Json | None) -> Json:
        """Sends it, tried once more right before. An object with pods must still be as it was then: else Conflict."""
        answer = await self.tried(request, target, stored)
        pinned = self._of_version(stored) if stored is not None and has_pods(answer) else self
        return await pinned.send(request.cluster)

    def _of_version(self, stored: Json) -> "Write":
        """Only for the object as it was read."""
        version = stored["metadata"]["resourceVersion"]
        if isinstance(self.body, dict):
            metadata = {**(self.body.get("metadata") or {}), "resourceVersion": version}
            return replace(self, body={**self.body, "metadata": metadata})
        # Replaced by another than it has, it is a conflict; a test that fails would be told as a bad request.
        return replace(
            self, body=[{"op": "replace", "path": "/metadata/resourceVersion", "value": version}, *self.body]
        )

    async def is_so(self, cluster: Cluster, stored: Json) -> bool:
        """Whether it would change nothing any more."""
        return not differences(stored, await self.send(cluster, dry_run=True))


async def way_back(
    request: Request[P], target: Target, stored: Json, answer: Json, found: Sequence[Difference]
) -> tuple[Undo | None, tuple[str, ...]]:
    """What puts back what differs; where nothing does, the warning that says why. Raises TransientFailure."""
    undo = undo_of(stored, answer, found)
    if undo is None:
        return None, (NO_WAY_BACK,)
    if not await may_be_put_back(request, target, stored, answer):
        return None, (_PODS_BEFORE,)
    return undo, ()


def undo_of(stored: Json, answer: Json, found: Sequence[Difference]) -> Undo | None:
    """The patch that restores what differs, each value only while it is still the one that was written.

    None where there is no such patch, or where a credential would stand in it in plain text.
    """
    operations = inverse(found, answer)
    if operations is None or any(plain_credentials(operations, "")):
        return None
    named = {"apiVersion": stored["apiVersion"], "kind": stored["kind"], "name": stored["metadata"]["name"]}
    return Undo(action=PATCH_RESOURCE, parameters={**named, "type": "json", "operations": operations})
