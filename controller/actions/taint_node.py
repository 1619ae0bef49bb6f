"""taint-node and untaint-node: one taint, told by its key and effect. Each undoes the other.

The list of taints is written whole, with the resourceVersion that it was read at: those of others stay as they are.
"""

from abc import abstractmethod
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, ClassVar, TypeVar

from pydantic import Field

from controller.actions.about import About, Family, Right
from controller.actions.base import Action, cut
from controller.actions.nodes import NODE, NodeParameters, read_node
from controller.actions.pods import PODS, counted, is_ending, is_finished, listed, name_of
from controller.actions.races import racing
from controller.api.common import Change, Undo
from controller.api.names import Risk
from controller.core.errors import PermanentFailure, RightMissing
from controller.core.ports import Done, Json, Operation, PreviewResult, Request, Target, Verified

CORDONED = "node.kubernetes.io/unschedulable"
ATTEMPTS = 5
_NAME = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_KEY = rf"^([a-z0-9]([-a-z0-9.]{{0,251}}[a-z0-9])?/)?{_NAME}$"

TaintValue = Annotated[str, Field(max_length=63, pattern=rf"^({_NAME})?$")]
Taints = Sequence[Json]


class Effect(StrEnum):
    NO_SCHEDULE = "NoSchedule"
    PREFER_NO_SCHEDULE = "PreferNoSchedule"
    NO_EXECUTE = "NoExecute"


class UntaintNodeParameters(NodeParameters):
    key: Annotated[str, Field(min_length=1, max_length=317, pattern=_KEY)]
    """Key of the taint: `example.com/maintenance`."""
    effect: Effect
    """NoSchedule, PreferNoSchedule or NoExecute. Key and effect together tell the taint."""
    expected_value: TaintValue | None = None
    """Only if the taint has this value now."""


class TaintNodeParameters(UntaintNodeParameters):
    value: TaintValue = ""
    """Value of the taint."""


T = TypeVar("T", bound=UntaintNodeParameters)


class _ChangeTaint(Action[T]):
    """Making it so again changes nothing."""

    fixed = Action.fixed | {"key", "effect"}
    verb: ClassVar[str]
    done: ClassVar[str]

    async def preview(self, request: Request[T]) -> PreviewResult:
        node, target = await read_node(request)
        parameters = request.parameters
        if parameters.key == CORDONED:
            raise PermanentFailure(f"parameters.key: {CORDONED} follows from cordoning; use cordon-node, uncordon-node")
        before = value_of(taints_of(node), parameters)
        if before == self.wanted(parameters):
            return PreviewResult(f"{target}: {self.taint(parameters)} {self.done} already.", target=target)
        answer = await self._write(request, node, dry_run=True)
        after = value_of(taints_of(answer), parameters)
        return PreviewResult(
            summary=f"{target}: {self.verb} {self.taint(parameters)}.",
            changes=(Change(target=str(target), path=_path(parameters), before=before, after=after),),
            warnings=await self.warnings(request, target),
            undo=Undo(action=_undo_type(before), parameters=_undo(target, parameters, before, after)),
            target=target,
        )

    async def run(self, request: Request[T], operation: Operation) -> Done:
        async def once() -> Done:
            node, _ = await read_node(request)
            if value_of(taints_of(node), request.parameters) != self.wanted(request.parameters):
                await self._write(request, node)
            return self._done(request)

        return await racing(once, attempts=ATTEMPTS)

    async def observe(self, request: Request[T], operation: Operation) -> Done | None:
        node, _ = await read_node(request)
        is_so = value_of(taints_of(node), request.parameters) == self.wanted(request.parameters)
        return self._done(request) if is_so else None

    async def verify(self, request: Request[T], operation: Operation) -> Verified:
        node, target = await read_node(request)
        if value_of(taints_of(node), request.parameters) == self.wanted(request.parameters):
            return Verified(True)
        return Verified(False, f"{target}: somebody else changed {_path(request.parameters)} back")

    @abstractmethod
    def wanted(self, parameters: T) -> str | None:
        """The value that the taint shall have, None for none. Pure."""

    @abstractmethod
    def taint(self, parameters: T) -> str:
        """In words: `taint a=b:NoSchedule`. Pure."""

    async def warnings(self, request: Request[T], target: Target) -> tuple[str, ...]:
        """What to know before it is so."""
        return ()

    async def _write(self, request: Request[T], node: Json, *, dry_run: bool = False) -> Json:
        parameters, taints = request.parameters, taints_of(node)
        _demand_expected(taints, parameters, self.wanted(parameters))
        metadata = {key: node["metadata"][key] for key in ("uid", "resourceVersion")}
        body = {"metadata": metadata, "spec": {"taints": changed(taints, parameters, self.wanted(parameters))}}
        return await request.cluster.patch(NODE, parameters.node, body, dry_run=dry_run)

    def _done(self, request: Request[T]) -> Done:
        return Done(f"Node {request.parameters.node}: {self.taint(request.parameters)} {self.done}.")


class TaintNode(_ChangeTaint[TaintNodeParameters]):
    name = "taint-node"
    description = "Give a node a taint, so that only pods that tolerate it are scheduled or stay there."
    about = About(
        Family.NODES,
        rights=(
            Right("", ("nodes",), ("get", "patch"), cluster=True),
            Right("", ("pods",), ("list",), cluster=True, why="optional: to tell which pods NoExecute evicts"),
        ),
        undone_by="untaint-node, or the value from before",
    )
    risk = Risk.HIGH
    inverses = frozenset({"taint-node", "untaint-node"})
    verb = "set"
    done = "is set"
    parameters = TaintNodeParameters

    def wanted(self, parameters: TaintNodeParameters) -> str | None:
        return parameters.value

    def taint(self, parameters: TaintNodeParameters) -> str:
        return f"taint {parameters.key}={parameters.value}:{parameters.effect}"

    async def warnings(self, request: Request[TaintNodeParameters], target: Target) -> tuple[str, ...]:
        """NoExecute evicts at once, and no disruption budget is asked."""
        if request.parameters.effect is not Effect.NO_EXECUTE:
            return ()
        try:
            pods = await request.cluster.list(PODS, field_selector=f"spec.nodeName={target.name}", everywhere=True)
        except RightMissing:
            return ("The runner may not list pods: which of them NoExecute evicts is not known",)
        going = [name_of(pod) for pod in pods if _would_go(pod, request.parameters)]
        if not going:
            return ()
        return (cut(f"{counted(len(going))} on {target} go, whatever disruption budgets say: {listed(sorted(going))}"),)


class UntaintNode(_ChangeTaint[UntaintNodeParameters]):
    name = "untaint-node"
    description = "Take a taint off a node."
    about = About(
        Family.NODES,
        rights=(Right("", ("nodes",), ("get", "patch"), cluster=True),),
        undone_by="taint-node with the value from before",
    )
    risk = Risk.MEDIUM
    inverses = frozenset({"taint-node"})
    verb = "take off"
    done = "is off"
    parameters = UntaintNodeParameters

    def wanted(self, parameters: UntaintNodeParameters) -> str | None:
        return None

    def taint(self, parameters: UntaintNodeParameters) -> str:
        return f"taint {parameters.key}:{parameters.effect}"


def taints_of(node: Json) -> Taints:
    return node["spec"].get("taints") or ()


def value_of(taints: Taints, parameters: UntaintNodeParameters) -> str | None:
    """The value of that taint, None if there is none. One without a value has the empty one."""
    return next((taint.get("value", "") for taint in taints if _is_it(taint, parameters)), None)


def changed(taints: Taints, parameters: UntaintNodeParameters, wanted: str | None) -> list[Json]:
    """The list with that taint as wanted, the others as they are."""
    if wanted is None:
        return [dict(taint) for taint in taints if not _is_it(taint, parameters)]
    new: Json = {"key": parameters.key, "effect": str(parameters.effect), **({"value": wanted} if wanted else {})}
    if value_of(taints, parameters) is None:
        return [*map(dict, taints), new]
    return [new if _is_it(taint, parameters) else dict(taint) for taint in taints]


def tolerates(tolerations: Sequence[Json], parameters: TaintNodeParameters) -> bool:
    """Whether a pod with these tolerations may stay. Source: Kubernetes, "Taints and Tolerations"."""
    return any(_fits(toleration, parameters) for toleration in tolerations)


def _fits(toleration: Json, parameters: TaintNodeParameters) -> bool:
    if toleration.get("effect") not in (None, "", parameters.effect):
        return False
    exists = toleration.get("operator") == "Exists"
    if not toleration.get("key"):
        return exists
    return toleration["key"] == parameters.key and (exists or toleration.get("value", "") == parameters.value)


def _would_go(pod: Json, parameters: TaintNodeParameters) -> bool:
    if is_finished(pod) or is_ending(pod):
        return False
    return not tolerates(pod["spec"].get("tolerations") or (), parameters)


def _is_it(taint: Json, parameters: UntaintNodeParameters) -> bool:
    return (taint["key"], taint["effect"]) == (parameters.key, parameters.effect)


def _demand_expected(taints: Taints, parameters: UntaintNodeParameters, wanted: str | None) -> None:
    """Raises PermanentFailure unless the taint is as expected. One value replaces another only if that is named."""
    now, expected = value_of(taints, parameters), parameters.expected_value
    if now == expected or (expected is None and (now is None or wanted is None)):
        return
    is_now = "is not there" if now is None else f"has value {now!r}"
    wants = "does not say which to replace" if expected is None else f"says {expected!r}"
    raise PermanentFailure(
        f"Node {parameters.node}: taint {parameters.key}:{parameters.effect} {is_now}, "
        f"parameters.expectedValue {wants}: see what set it, then propose again"
    )


def _path(parameters: UntaintNodeParameters) -> str:
    return f"spec.taints[{parameters.key}:{parameters.effect}]"


def _undo_type(before: str | None) -> str:
    return "untaint-node" if before is None else "taint-node"


def _undo(target: Target, parameters: UntaintNodeParameters, before: str | None, after: str | None) -> Json:
    """Puts the value from before back, only where it still is as it was left."""
    undo: Json = {"node": target.name, "key": parameters.key, "effect": str(parameters.effect)}
    if after is not None:
        undo["expectedValue"] = after
    return undo | ({"value": before} if before else {})
