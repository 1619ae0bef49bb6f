"""set-hpa-bounds: between how many replicas a HorizontalPodAutoscaler chooses, and wait until it does."""

from typing import Annotated

from pydantic import Field, model_validator

from controller.actions.about import About, Family, Right
from controller.actions.base import Action, Parameters
from controller.actions.objects import ObjectName, read, target_of
from controller.actions.races import racing
from controller.actions.rollouts import ATTEMPTS
from controller.actions.scale_workload import AUTOSCALER
from controller.api.common import Change, Undo
from controller.api.names import Risk
from controller.core.errors import PermanentFailure
from controller.core.ports import Done, Json, Operation, PreviewResult, Request, Target, Verified

Replicas = Annotated[int, Field(ge=1, le=5000)]
FIELDS = ("minReplicas", "maxReplicas")


class HpaBoundsParameters(Parameters):
    name: ObjectName
    """Name of the HorizontalPodAutoscaler, in the proposal's namespace."""
    min_replicas: Replicas | None = None
    """The least number of replicas; absent: stays as it is."""
    max_replicas: Replicas | None = None
    """The greatest number of replicas; absent: stays as it is."""
    expected_min_replicas: Replicas | None = None
    """Set them only if this is the least number now."""
    expected_max_replicas: Replicas | None = None
    """Set them only if this is the greatest number now."""

    @model_validator(mode="after")
    def _consistent(self) -> "HpaBoundsParameters":
        if self.min_replicas is None and self.max_replicas is None:
            raise ValueError("minReplicas: give it, maxReplicas, or both")
        if self.min_replicas and self.max_replicas and self.min_replicas > self.max_replicas:
            raise ValueError(f"minReplicas: must be at most maxReplicas, {self.max_replicas} (got {self.min_replicas})")
        return self

    @property
    def bounds(self) -> dict[str, int]:
        """What is to be set."""
        given = {"minReplicas": self.min_replicas, "maxReplicas": self.max_replicas}
        return {field: value for field, value in given.items() if value is not None}

    @property
    def expected(self) -> dict[str, int]:
        given = {"minReplicas": self.expected_min_replicas, "maxReplicas": self.expected_max_replicas}
        return {field: value for field, value in given.items() if value is not None}


class SetHpaBounds(Action[HpaBoundsParameters]):
    """Absolute values, so that setting them again changes nothing."""

    name = "set-hpa-bounds"
    description = "Set the least and the greatest number of replicas of a HorizontalPodAutoscaler."
    about = About(
        Family.WORKLOADS,
        rights=(Right("autoscaling", ("horizontalpodautoscalers",), ("get", "patch")),),
        undone_by="the bounds from before",
    )
    risk = Risk.MEDIUM
    inverses = frozenset({name})
    parameters = HpaBoundsParameters

    async def preview(self, request: Request[HpaBoundsParameters]) -> PreviewResult:
        found, target = await _read(request)
        _check(request.parameters, found, target)
        answer = await _patch(request, found, dry_run=True)
        before, after = bounds_of(found), bounds_of(answer)
        changed = [field for field in FIELDS if before[field] != after[field]]
        if not changed:
            return PreviewResult(f"{target} already has these bounds: {_span(after)} replicas.", target=target)
        undo: Json = {"name": target.name}
        for field in changed:
            undo |= {field: before[field], f"expected{field[0].upper()}{field[1:]}": after[field]}
        return PreviewResult(
            summary=f"Let {target} choose from {_span(after)} replicas instead of {_span(before)}.",
            changes=tuple(
                Change(target=str(target), path=f"spec.{field}", before=before[field], after=after[field])
                for field in changed
            ),
            warnings=_warnings(found, target, after),
            undo=Undo(action=self.name, parameters=undo),
            target=target,
        )

    async def run(self, request: Request[HpaBoundsParameters], operation: Operation) -> Done:
        async def once() -> Done:
            found, target = await _read(request)
            _check(request.parameters, found, target)
            if not _are_so(request.parameters, found):
                await _patch(request, found)
            return _done(request, bounds_of(found))

        return await racing(once, attempts=ATTEMPTS)

    async def observe(self, request: Request[HpaBoundsParameters], operation: Operation) -> Done | None:
        found, _ = await _read(request)
        return _done(request, {}) if _are_so(request.parameters, found) else None

    async def verify(self, request: Request[HpaBoundsParameters], operation: Operation) -> Verified:
        found, target = await _read(request)
        if not _are_so(request.parameters, found):
            return Verified(False, f"{target}: somebody else changed its bounds to {_span(bounds_of(found))}")
        return obeyed(found)


def bounds_of(autoscaler: Json) -> dict[str, int]:
    """`minReplicas` and `maxReplicas`; the API server sets the first to 1 where it is left out."""
    spec = autoscaler["spec"]
    return {"minReplicas": int(spec.get("minReplicas", 1)), "maxReplicas": int(spec["maxReplicas"])}


def obeyed(autoscaler: Json) -> Verified:
    """Whether the number of replicas that it wants is within its bounds, or will not be set by it at all."""
    status, bounds = autoscaler.get("status", {}), bounds_of(autoscaler)
    for condition in status.get("conditions", ()):
        stopped = condition["type"] == "AbleToScale" or condition.get("reason") == "ScalingDisabled"
        if stopped and condition["status"] == "False":
            return Verified(True, f"The bounds are set, but it does not scale: {condition.get('message', '')}")
    wanted = int(status.get("desiredReplicas", 0))
    inside = bounds["minReplicas"] <= wanted <= bounds["maxReplicas"]
    return Verified(inside, f"it wants {wanted} replicas, bounds {_span(bounds)}")


async def _read(request: Request[HpaBoundsParameters]) -> tuple[Json, Target]:
    name = request.parameters.name
    found = await read(request.cluster, AUTOSCALER, name, request.namespace)
    return found, target_of(AUTOSCALER, name, request.namespace, found)


def _check(parameters: HpaBoundsParameters, found: Json, target: Target) -> None:
    """Raises PermanentFailure where a bound is neither the expected one nor the wanted one, or they would cross."""
    now = bounds_of(found)
    for field, expected in parameters.expected.items():
        if now[field] not in (expected, parameters.bounds.get(field)):
            raise PermanentFailure(
                f"{target} has {field} {now[field]}, parameters.expected{field[0].upper()}{field[1:]} says {expected}: "
                "see what changed it, then propose again"
            )
    then = now | parameters.bounds
    if then["minReplicas"] > then["maxReplicas"]:
        raise PermanentFailure(
            f"parameters: {target} would have minReplicas {then['minReplicas']} above maxReplicas "
            f"{then['maxReplicas']}; give both"
        )


async def _patch(request: Request[HpaBoundsParameters], found: Json, *, dry_run: bool = False) -> Json:
    """What was looked at must still be so: its uid and resourceVersion are preconditions."""
    metadata = {key: found["metadata"][key] for key in ("uid", "resourceVersion")}
    body = {"metadata": metadata, "spec": request.parameters.bounds}
    return await request.cluster.patch(AUTOSCALER, request.parameters.name, body, dry_run=dry_run)


def _are_so(parameters: HpaBoundsParameters, found: Json) -> bool:
    return bounds_of(found) == bounds_of(found) | parameters.bounds


def _done(request: Request[HpaBoundsParameters], before: dict[str, int]) -> Done:
    name, bounds = request.parameters.name, request.parameters.bounds
    told = ", ".join(f"{field} {value}" for field, value in bounds.items())
    previous = {"previous": before} if before and before != before | bounds else {}
    return Done(f"HorizontalPodAutoscaler {name} has {told} set.", {**previous, **bounds})


def _warnings(found: Json, target: Target, after: dict[str, int]) -> tuple[str, ...]:
    current = int(found.get("status", {}).get("currentReplicas", 0))
    nearest = min(max(current, after["minReplicas"]), after["maxReplicas"])
    scaled = found["spec"]["scaleTargetRef"]
    if not current or nearest == current:
        return ()
    return (f"{scaled['kind']} {scaled['name']} has {current} replicas and is scaled to {nearest} at once by {target}",)


def _span(bounds: dict[str, int]) -> str:
    return f"{bounds['minReplicas']} to {bounds['maxReplicas']}"
