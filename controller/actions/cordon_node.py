"""cordon-node and uncordon-node: whether new pods may be scheduled on a node. Each undoes the other."""

from typing import ClassVar

from controller.actions.about import About, Family, Right
from controller.actions.base import Action
from controller.actions.nodes import UNSCHEDULABLE, NodeParameters, is_unschedulable, read_node, set_unschedulable
from controller.api.common import Change, Undo
from controller.api.names import Risk
from controller.core.ports import Done, Operation, PreviewResult, Request, Verified

_RIGHTS = (Right("", ("nodes",), ("get", "patch"), cluster=True),)


class _SetUnschedulable(Action[NodeParameters]):
    """One boolean: setting it again changes nothing."""

    unschedulable: ClassVar[bool]
    verb: ClassVar[str]
    parameters = NodeParameters

    async def preview(self, request: Request[NodeParameters]) -> PreviewResult:
        node, target = await read_node(request)
        answer = await set_unschedulable(request, self.unschedulable, dry_run=True)
        before, after = is_unschedulable(node), is_unschedulable(answer)
        if before == after:
            return PreviewResult(f"{target} is already {self.verb.lower()}ed.", target=target)
        return PreviewResult(
            summary=f"{self.verb} {target}.",
            changes=(Change(target=str(target), path=UNSCHEDULABLE, before=before, after=after),),
            undo=Undo(action=min(self.inverses), parameters={"node": target.name}),
            target=target,
        )

    async def run(self, request: Request[NodeParameters], operation: Operation) -> Done:
        await set_unschedulable(request, self.unschedulable)
        return self._done(request)

    async def observe(self, request: Request[NodeParameters], operation: Operation) -> Done | None:
        return self._done(request) if await self._is_so(request) else None

    async def verify(self, request: Request[NodeParameters], operation: Operation) -> Verified:
        if await self._is_so(request):
            return Verified(True)
        return Verified(False, f"Node {request.parameters.node}: somebody else changed {UNSCHEDULABLE} back")

    async def _is_so(self, request: Request[NodeParameters]) -> bool:
        node, _ = await read_node(request)
        return is_unschedulable(node) == self.unschedulable

    def _done(self, request: Request[NodeParameters]) -> Done:
        return Done(f"Node {request.parameters.node} is {self.verb.lower()}ed.")


class CordonNode(_SetUnschedulable):
    name = "cordon-node"
    description = "Keep new pods off a node. Pods that run on it stay."
    about = About(
        Family.NODES,
        rights=_RIGHTS,
        undone_by="uncordon-node",
    )
    risk = Risk.MEDIUM
    unschedulable = True
    inverses = frozenset({"uncordon-node"})
    verb = "Cordon"


class UncordonNode(_SetUnschedulable):
    name = "uncordon-node"
    description = "Let new pods be scheduled on a node again."
    about = About(
        Family.NODES,
        rights=_RIGHTS,
        undone_by="cordon-node",
    )
    risk = Risk.LOW
    unschedulable = False
    inverses = frozenset({"cordon-node"})
    verb = "Uncordon"
