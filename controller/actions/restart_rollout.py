"""restart-rollout: replace all pods of a workload, as `kubectl rollout restart` does.

The annotation on the pod template carries the time of the operation, not of the request: repeating the operation
writes the same value, and nothing restarts twice.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from controller.actions.about import About, Family
from controller.actions.base import Action
from controller.actions.rollouts import RIGHT, RolloutParameters, is_paused, read_rollout, replaces_on_delete
from controller.actions.workloads import WORKLOADS, partition, rolled_out
from controller.api.common import Change
from controller.api.names import Risk
from controller.core.errors import PermanentFailure
from controller.core.ports import Done, Json, Operation, PreviewResult, Request, Target, Verified

ANNOTATION = "kubectl.kubernetes.io/restartedAt"
_DRY_RUN_TIME = "1970-01-01T00:00:00Z"
_CLOCK_TOLERANCE = timedelta(minutes=1)


class RestartRollout(Action[RolloutParameters]):
    """A restart that anybody made after the operation began counts as ours: its pods are new enough."""

    name = "restart-rollout"
    description = (
        "Replace all pods of a Deployment, StatefulSet or DaemonSet by its update strategy and wait until done."
    )
    about = About(Family.WORKLOADS, rights=(RIGHT,))
    risk = Risk.MEDIUM
    timeout_seconds = 900
    parameters = RolloutParameters

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now

    async def preview(self, request: Request[RolloutParameters]) -> PreviewResult:
        workload, target = await _restartable(request)
        await _annotate(request, _DRY_RUN_TIME, dry_run=True)
        kept = partition(workload)
        return PreviewResult(
            summary=f"Restart {target}: its pods are replaced by its update strategy.",
            changes=(
                Change(
                    target=str(target),
                    path=f'spec.template.metadata.annotations["{ANNOTATION}"]',
                    before=_annotation(workload),
                    after="time of the operation",
                ),
            ),
            warnings=(f"{target} has partition {kept}: only pods from ordinal {kept} on are replaced",) if kept else (),
            target=target,
        )

    async def run(self, request: Request[RolloutParameters], operation: Operation) -> Done:
        workload, target = await _restartable(request)
        if not self._restarted_since(workload, operation):
            await _annotate(request, _stamp(operation))
        return _done(target, operation)

    async def observe(self, request: Request[RolloutParameters], operation: Operation) -> Done | None:
        workload, target = await read_rollout(request)
        done = self._restarted_since(workload, operation)
        return _done(target, operation) if done else None

    async def verify(self, request: Request[RolloutParameters], operation: Operation) -> Verified:
        workload, target = await read_rollout(request)
        if not self._restarted_since(workload, operation):
            return Verified(False, f"{target}: somebody else took back the restart ({ANNOTATION})")
        return rolled_out(workload)

    def _restarted_since(self, workload: Json, operation: Operation) -> bool:
        """Whether the pods of the current template were made for this operation or after it began."""
        try:
            restarted = datetime.fromisoformat(_annotation(workload) or "")
        except ValueError:
            return False
        if restarted.tzinfo is None:
            return False
        # A time yet to come is from a clock that is wrong, and proves nothing.
        return operation.time.replace(microsecond=0) <= restarted <= self._now() + _CLOCK_TOLERANCE


async def _restartable(request: Request[RolloutParameters]) -> tuple[Json, Target]:
    """Raises PermanentFailure where a changed template would replace no pod."""
    workload, target = await read_rollout(request)
    if is_paused(workload):
        raise PermanentFailure(f"{target} is paused: run `kubectl rollout resume` first")
    if replaces_on_delete(workload):
        raise PermanentFailure(f"{target} has update strategy OnDelete: its pods are replaced only when deleted")
    return workload, target


async def _annotate(request: Request[RolloutParameters], value: str, *, dry_run: bool = False) -> None:
    body: Json = {"spec": {"template": {"metadata": {"annotations": {ANNOTATION: value}}}}}
    await request.cluster.patch(WORKLOADS[request.parameters.kind], request.parameters.name, body, dry_run=dry_run)


def _annotation(workload: Json) -> str | None:
    value: str | None = workload["spec"]["template"]["metadata"].get("annotations", {}).get(ANNOTATION)
    return value


def _stamp(operation: Operation) -> str:
    return operation.time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _done(target: Target, operation: Operation) -> Done:
    return Done(f"{target} restarts.", {"restartedAt": _stamp(operation)})
