"""drain-node: cordon a node, then evict its pods as far as disruption budgets allow, as `kubectl drain` does.

All that is remembered is in the cluster: the node is cordoned, a pod is there, ending or gone. So running it again goes
on where it was. What fails once the node is cordoned is told as an effect that failed, so that what takes the step back
uncordons the node.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime

from controller.actions.about import About, Family, Right
from controller.actions.base import Action, cut
from controller.actions.draining import DrainNodeParameters, Plan, plan_of
from controller.actions.evictions import END, Patience, evict
from controller.actions.nodes import UNSCHEDULABLE, is_unschedulable, read_node, set_unschedulable
from controller.actions.pods import PODS, counted, listed, losses, name_of, uid_of
from controller.api.common import Change, Undo
from controller.api.names import Risk
from controller.core.errors import (
    ActionError,
    Conflict,
    EffectFailed,
    NotFound,
    NotLeading,
    PermanentFailure,
    RightMissing,
)
from controller.core.ports import Done, Json, Operation, PreviewResult, Request, Target, Verified

AT_ONCE = 10
ASKED_BEFORE = 100
"""Of this many pods the preview asks whether they can be evicted now."""
MOST_TOLD = 3

_Refusals = dict[str, ActionError]
"""Why pods could not be evicted, by their names."""


class DrainNode(Action[DrainNodeParameters]):
    name = "drain-node"
    description = "Cordon a node, evict its pods as disruption budgets allow, and wait until they are gone."
    about = About(
        Family.NODES,
        rights=(
            Right("", ("nodes",), ("get", "patch"), cluster=True),
            Right("", ("pods",), ("list",), cluster=True),
            Right("", ("pods/eviction",), ("create",), cluster=True),
        ),
        undone_by="uncordon-node, if the node was not cordoned; pods do not come back by themselves",
    )
    risk = Risk.HIGH
    fixed = Action.fixed | {"podSelector", "force", "deleteEmptyDirData", "ignoreDaemonSets"}
    timeout_seconds = 900
    inverses = frozenset({"uncordon-node"})
    parameters = DrainNodeParameters

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now

    async def preview(self, request: Request[DrainNodeParameters]) -> PreviewResult:
        node, target = await read_node(request)
        plan = await self._plan(request)
        _demand_drainable(plan, request.parameters.node)
        cordoned = is_unschedulable(node)
        if cordoned and plan.is_empty:
            return PreviewResult(f"{target} is already drained.", target=target)
        answer = await set_unschedulable(request, True, dry_run=True)
        blocked = await _evict_all(request, plan.evict[:ASKED_BEFORE], dry_run=True)
        schedulable = Change(target=str(target), path=UNSCHEDULABLE, before=cordoned, after=is_unschedulable(answer))
        pods = Change(target=str(target), path="pods", before="run here", after="evicted")
        return PreviewResult(
            summary=cut(f"Drain {target}: {'' if cordoned else 'cordon it, '}evict {_told(plan.evict)}."),
            changes=(pods,) if cordoned else (schedulable, pods),
            warnings=tuple(map(cut, _warnings(plan, blocked))),
            undo=None if cordoned else Undo(action="uncordon-node", parameters={"node": target.name}),
            target=target,
        )

    async def run(self, request: Request[DrainNodeParameters], operation: Operation) -> Done:
        _demand_drainable(await self._plan(request), request.parameters.node)
        await set_unschedulable(request, True)
        try:
            evicted = await self._empty(request, operation)
        except (_UncordonedError, NotLeading):
            raise
        except ActionError as error:
            raise EffectFailed(cut(f"Node {request.parameters.node} is cordoned but not drained: {error}")) from error
        return Done(_drained(request.parameters.node, evicted))

    async def observe(self, request: Request[DrainNodeParameters], operation: Operation) -> Done | None:
        node, _ = await read_node(request)
        plan = await self._plan(request)
        if is_unschedulable(node) and not plan.evict and not plan.refused:
            return Done(f"Node {request.parameters.node} is cordoned and its pods are evicted.")
        return None

    async def verify(self, request: Request[DrainNodeParameters], operation: Operation) -> Verified:
        target = await _demand_cordoned(request)
        plan = await self._plan(request)
        if plan.evict:
            raise EffectFailed(cut(f"{target} has new pods, which may run on a cordoned node: {_told(plan.evict)}"))
        if plan.ending:
            left = f"{target} is cordoned; not gone yet: {_told(plan.ending)}"
            request.journal.progress(left)
            return Verified(False, cut(left))
        return Verified(True, "They are gone.")

    async def _empty(self, request: Request[DrainNodeParameters], operation: Operation) -> int:
        """Evicts until nothing is left to evict; how many it did. Raises what still refuses when time is up."""
        node, patience = request.parameters.node, Patience(self._now, operation.deadline - END)
        evicted: set[str] = set()
        while True:
            await _demand_cordoned(request)
            plan = await self._plan(request)
            _demand_drainable(plan, node)
            if not plan.evict:
                return len(evicted)
            refusals = await _evict_all(request, plan.evict)
            new = {uid_of(pod) for pod in plan.evict if name_of(pod) not in refusals} - evicted
            evicted |= new
            if new:
                patience.begin_anew()
            request.journal.progress(_progress(node, len(evicted), refusals))
            seconds = patience.next_wait(*refusals.values())
            if seconds is None and refusals:
                raise EffectFailed(_refused(refusals))
            if seconds is None:
                return len(evicted)
            await asyncio.sleep(seconds)

    async def _plan(self, request: Request[DrainNodeParameters]) -> Plan:
        parameters = request.parameters
        pods = await request.cluster.list(
            PODS,
            label_selector=parameters.pod_selector,
            field_selector=f"spec.nodeName={parameters.node}",
            everywhere=True,
        )
        return plan_of(pods, parameters, self._now())


async def _evict_all(
    request: Request[DrainNodeParameters], pods: Sequence[Json], *, dry_run: bool = False
) -> _Refusals:
    """Asks to evict each, some side by side; what refuses those that cannot be evicted now. Raises RightMissing."""
    side_by_side = asyncio.Semaphore(AT_ONCE)
    grace, refusals = request.parameters.grace_period_seconds, _Refusals()

    async def ask(pod: Json) -> None:
        async with side_by_side:
            try:
                await evict(request.cluster, pod, grace_period_seconds=grace, dry_run=dry_run)
            except (NotFound, Conflict):
                return  # it is gone, or another has its name: the next look tells
            except ActionError as error:
                refusals[name_of(pod)] = error

    async with asyncio.TaskGroup() as group:
        for pod in pods:
            group.create_task(ask(pod))
    for error in refusals.values():
        if isinstance(error, RightMissing):
            raise error
    return refusals


def _demand_drainable(plan: Plan, node: str) -> None:
    """Raises PermanentFailure with the pods that must not go and what would let them."""
    if plan.refused:
        raise PermanentFailure(cut(f"Node {node} must not be drained so: {'; '.join(plan.refused)}"))


async def _demand_cordoned(request: Request[DrainNodeParameters]) -> Target:
    """The node. Raises _UncordonedError."""
    node, target = await read_node(request)
    if not is_unschedulable(node):
        raise _UncordonedError(f"somebody uncordoned {target} while it was drained, so it is left as it is")
    return target


class _UncordonedError(PermanentFailure):
    """A person wants the node to take pods: to cordon it again would be to argue."""


def _warnings(plan: Plan, blocked: _Refusals) -> list[str]:
    lost = [loss for pod in plan.evict for loss in losses(pod)]
    waits = [f"Blocked now, so it would wait: {error}" for error in blocked.values()]
    return [*_first(waits, "pods are blocked"), *_first(lost, "such losses")]


def _first(told: list[str], what: str) -> list[str]:
    left = len(told) - MOST_TOLD
    return told if left <= 0 else [*told[:MOST_TOLD], f"And {left} more {what}"]


def _drained(node: str, evicted: int) -> str:
    """The count is that of this attempt alone: those before it, of this process or another, leave none."""
    return f"Node {node} is cordoned and has no pods left to evict; this attempt evicted {counted(evicted)}."


def _progress(node: str, evicted: int, refusals: _Refusals) -> str:
    waits = f"; {counted(len(refusals))} cannot go yet: {_refused(refusals)}" if refusals else ""
    return cut(f"Node {node} is cordoned, {counted(evicted)} evicted{waits}")


def _refused(refusals: _Refusals) -> str:
    """What refuses, the first of them in full and all by their names."""
    if not refusals:
        return ""
    names = f"{listed(list(refusals))}: " if len(refusals) > 1 else ""
    return names + "; ".join(dict.fromkeys(str(error) for error in list(refusals.values())[:MOST_TOLD]))


def _told(pods: Sequence[Json]) -> str:
    return f"{counted(len(pods))} ({listed(list(map(name_of, pods)))})" if pods else "no pods"
