"""scale-workload: set the number of replicas through the `/scale` subresource.

Reads go to the workload itself, so that one read serves the preview and its warnings, and the runner needs
no right on `/scale` but `patch`. Autoscalers are asked for only when the number would change.
"""

import operator
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Annotated

from pydantic import Field, model_validator

from controller.actions.about import About, Family, Right
from controller.actions.base import Action, Parameters, cut
from controller.actions.objects import ObjectName, read, target_of
from controller.actions.races import racing
from controller.actions.rollouts import ATTEMPTS
from controller.actions.workloads import WORKLOADS, all_ready, wanted_replicas
from controller.api.common import Change, Undo
from controller.api.names import Risk
from controller.core.errors import NotFound, PermanentFailure, RightMissing
from controller.core.ports import (
    Cluster,
    Done,
    Json,
    Operation,
    PreviewResult,
    Request,
    Resource,
    Target,
    Verified,
)

AUTOSCALER = Resource("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler")
PATH = "spec.replicas"


class Kind(StrEnum):
    DEPLOYMENT = "Deployment"
    STATEFUL_SET = "StatefulSet"
    REPLICA_SET = "ReplicaSet"


class ScaleWorkloadParameters(Parameters):
    kind: Kind
    """Deployment, StatefulSet or ReplicaSet."""
    name: ObjectName
    """Name of the workload, in the proposal's namespace."""
    replicas: Annotated[int, Field(ge=0, le=5000)]
    """The number of replicas it shall have."""
    expected_replicas: Annotated[int, Field(ge=0, le=100_000)] | None = None
    """Scale only if it has this number of replicas now."""
    only_if_at_least: Annotated[int, Field(ge=0, le=100_000)] | None = None
    """Scale only if it has at least this number of replicas now."""
    only_if_at_most: Annotated[int, Field(ge=0, le=100_000)] | None = None
    """Scale only if it has at most this number of replicas now."""

    @model_validator(mode="after")
    def _consistent(self) -> "ScaleWorkloadParameters":
        least, most = self.only_if_at_least, self.only_if_at_most
        if least is not None and most is not None and least > most:
            raise ValueError(f"onlyIfAtLeast: must be at most onlyIfAtMost, {most} (got {least})")
        return self

    @property
    def conditions(self) -> Iterator[tuple[str, int, Callable[[int, int], bool]]]:
        """Those on the number of replicas now, by the parameters' wire names."""
        yield from (
            (name, value, holds)
            for name, value, holds in (
                ("expectedReplicas", self.expected_replicas, operator.eq),
                ("onlyIfAtLeast", self.only_if_at_least, operator.ge),
                ("onlyIfAtMost", self.only_if_at_most, operator.le),
            )
            if value is not None
        )


class ScaleWorkload(Action[ScaleWorkloadParameters]):
    """An absolute value, so that setting it again changes nothing."""

    name = "scale-workload"
    description = "Set the number of replicas of a Deployment, StatefulSet or ReplicaSet and wait until they are ready."
    about = About(
        Family.WORKLOADS,
        rights=(
            Right("apps", ("deployments", "statefulsets", "replicasets"), ("get",)),
            Right("apps", ("deployments/scale", "statefulsets/scale", "replicasets/scale"), ("patch",)),
            Right("autoscaling", ("horizontalpodautoscalers",), ("list",), why="optional: to warn of autoscalers"),
        ),
        undone_by="the replicas from before",
    )
    risk = Risk.MEDIUM
    inverses = frozenset({name})
    parameters = ScaleWorkloadParameters

    async def preview(self, request: Request[ScaleWorkloadParameters]) -> PreviewResult:
        workload, target = await _read(request)
        _check_expected(request.parameters, workload, target)
        before = wanted_replicas(workload)
        answer = await _set(request, {}, dry_run=True)
        after = int(answer["spec"].get("replicas", 0))
        if after == before:
            return PreviewResult(f"{target} already has {after} replicas.", target=target)
        managed_by, warnings = await _also_scaled_by(request.cluster, workload, target)
        undo = {"kind": target.kind, "name": target.name, "replicas": before}
        if not managed_by:
            undo["expectedReplicas"] = after
        return PreviewResult(
            summary=f"Scale {target} from {before} to {after} replicas.",
            changes=(Change(target=str(target), path=PATH, before=before, after=after, managed_by=managed_by),),
            warnings=warnings,
            undo=Undo(action=self.name, parameters=undo),
            target=target,
        )

    async def run(self, request: Request[ScaleWorkloadParameters], operation: Operation) -> Done:
        if not any(request.parameters.conditions):
            await _set(request, {})
            return _done(request)
        return await racing(lambda: self._run_if_expected(request), attempts=ATTEMPTS)

    async def observe(self, request: Request[ScaleWorkloadParameters], operation: Operation) -> Done | None:
        workload, _ = await _read(request)
        return _done(request) if _as_wanted(request, workload) else None

    async def verify(self, request: Request[ScaleWorkloadParameters], operation: Operation) -> Verified:
        workload, target = await _read(request)
        if not _as_wanted(request, workload):
            now = wanted_replicas(workload)
            return Verified(False, f"{target} was set to {now} replicas by somebody else meanwhile")
        return all_ready(workload)

    async def _run_if_expected(self, request: Request[ScaleWorkloadParameters]) -> Done:
        workload, target = await _read(request)
        _check_expected(request.parameters, workload, target)
        before = wanted_replicas(workload)
        if not _as_wanted(request, workload):
            metadata = workload["metadata"]
            await _set(request, {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]})
        return _done(request, before)


async def _read(request: Request[ScaleWorkloadParameters]) -> tuple[Json, Target]:
    resource, name = WORKLOADS[request.parameters.kind], request.parameters.name
    workload = await read(request.cluster, resource, name, request.namespace)
    return workload, target_of(resource, name, request.namespace, workload)


async def _set(request: Request[ScaleWorkloadParameters], preconditions: Json, *, dry_run: bool = False) -> Json:
    parameters = request.parameters
    resource = WORKLOADS[parameters.kind]
    body: Json = {"spec": {"replicas": parameters.replicas}}
    if preconditions:
        body["metadata"] = preconditions
    try:
        return await request.cluster.patch(resource, parameters.name, body, subresource="scale", dry_run=dry_run)
    except NotFound as error:
        target = target_of(resource, parameters.name, request.namespace)
        raise NotFound(f"{target} does not exist: check its name and namespace") from error


def _as_wanted(request: Request[ScaleWorkloadParameters], workload: Json) -> bool:
    return wanted_replicas(workload) == request.parameters.replicas


def _done(request: Request[ScaleWorkloadParameters], before: int | None = None) -> Done:
    replicas = request.parameters.replicas
    previous = {} if before is None else {"previousReplicas": before}
    return Done(f"{request.parameters.kind} has {replicas} replicas set.", {**previous, "replicas": replicas})


def _check_expected(parameters: ScaleWorkloadParameters, workload: Json, target: Target) -> None:
    """Raises PermanentFailure unless the workload's replicas are as the conditions say, or already the wanted ones."""
    now = wanted_replicas(workload)
    if now == parameters.replicas:
        return
    for name, value, holds in parameters.conditions:
        if not holds(now, value):
            raise PermanentFailure(
                f"{target} has {now} replicas, parameters.{name} says {value}: see what changed it, then propose again"
            )


async def _also_scaled_by(cluster: Cluster, workload: Json, target: Target) -> tuple[str | None, tuple[str, ...]]:
    """The controller that also writes the number, and what to warn of."""
    for owner in workload["metadata"].get("ownerReferences", ()):
        if owner.get("controller"):
            name = f"{owner['kind']} {owner['name']}"
            return cut(name, 256), (f"{name} owns {target} and sets its replicas again",)
    try:
        autoscalers = await cluster.list(AUTOSCALER)
    except RightMissing:
        return None, (f"The runner may not list {AUTOSCALER.plural}: whether one scales {target} too is not known",)
    except NotFound:
        return None, ()
    for autoscaler in autoscalers:
        spec = autoscaler["spec"]
        scaled = spec["scaleTargetRef"]
        if (scaled["kind"], scaled["name"]) == (target.kind, target.name):
            name = f"{AUTOSCALER.kind} {autoscaler['metadata']['name']}"
            span = f"{spec.get('minReplicas', 1)} to {spec['maxReplicas']}"
            return cut(name, 256), (cut(f"{name} also scales {target} ({span}) and will change it again"),)
    return None, ()
