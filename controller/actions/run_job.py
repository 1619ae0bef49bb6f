"""run-job: one Job, at most once per proposal. Its name comes from the operation, so a second one cannot be made.

Secrets are only named in it: the node reads them when the container starts. That they are lent to actions is seen to
before, once more right before the Job is made.
"""

import logging
import shlex

from controller.actions.about import About, Family, Right
from controller.actions.base import FIXED, Action, cut
from controller.actions.job_manifest import is_ours, job_name, manifest
from controller.actions.job_parameters import RunJobParameters
from controller.actions.job_report import reported, seen_secrets
from controller.actions.secrets import check
from controller.api.common import Change
from controller.api.names import Risk
from controller.core.errors import ActionError, Conflict, EffectFailed, LostAnswer, NotFound, PermanentFailure
from controller.core.ports import (
    Done,
    Json,
    Operation,
    PreviewResult,
    Request,
    Resource,
    Verified,
)

JOBS = Resource("batch", "v1", "jobs", "Job")
# In a dry run there is no operation yet; the name is as long as the real one.
_DRY_RUN_OPERATION = "00000000-0000-7000-8000-000000000000"
_log = logging.getLogger("actionoperator.run_job")


class RunJob(Action[RunJobParameters]):
    name = "run-job"
    description = "Run one container to its end as a Kubernetes Job, at most once, as the runner."
    about = About(
        Family.JOBS,
        rights=(
            Right("batch", ("jobs",), ("get", "create", "patch")),
            Right("", ("secrets",), ("get",), names=("db",), why="only where it names Secrets"),
            Right("", ("pods",), ("list",), why="only with `report`"),
        ),
    )
    risk = Risk.HIGH
    idempotent = False
    fixed = FIXED | {"image", "command", "imagePullSecrets", "mountServiceAccountToken", "secretEnv"}
    timeout_seconds = 3900  # longer than the Job's own deadline, so that its verdict is heard
    parameters = RunJobParameters

    async def preview(self, request: Request[RunJobParameters]) -> PreviewResult:
        await check(request, request.parameters.from_secrets)
        await request.cluster.create(JOBS, manifest(request, _DRY_RUN_OPERATION), dry_run=True)
        parameters = request.parameters
        return PreviewResult(
            summary=cut(f"Run a Job with image {parameters.image} as {request.runner}."),
            changes=(
                Change(
                    target=f"Job {request.namespace}/<new>",
                    path="spec",
                    after=_described(request),
                ),
            ),
            warnings=_warnings(parameters),
        )

    async def run(self, request: Request[RunJobParameters], operation: Operation) -> Done:
        await check(request, request.parameters.from_secrets)
        secrets = await seen_secrets(request)
        try:
            job = await request.cluster.create(JOBS, manifest(request, operation.id, secrets))
        except Conflict as conflict:
            job = await self._existing(request, operation, conflict)
        return _done(job)

    async def observe(self, request: Request[RunJobParameters], operation: Operation) -> Done | None:
        # Missing proves nothing: it may have run, and somebody deleted it since.
        try:
            job = await request.cluster.get(JOBS, _name(request, operation))
        except NotFound:
            return None
        return _done(job) if is_ours(job, request, operation) else None

    async def verify(self, request: Request[RunJobParameters], operation: Operation) -> Verified:
        name = _name(request, operation)
        try:
            job = await request.cluster.get(JOBS, name)
        except NotFound as error:
            raise EffectFailed(f"Job {request.namespace}/{name} was deleted before its end was seen") from error
        if not is_ours(job, request, operation):
            raise EffectFailed(f"Job {request.namespace}/{name} was replaced by one that is not ours")
        ended = _finished(job)
        if not ended.ok:
            return ended
        outputs, told = await reported(request, job)
        return Verified(True, " ".join(filter(None, (ended.message, told))), outputs=outputs)

    async def stop(self, request: Request[RunJobParameters], operation: Operation) -> None:
        """Suspends the Job, which ends its pod and keeps the record. Best effort: a failure is only logged."""
        name = _name(request, operation)
        try:
            job = await request.cluster.get(JOBS, name)
            if is_ours(job, request, operation):
                body = {"metadata": {"uid": job["metadata"]["uid"]}, "spec": {"suspend": True}}
                await request.cluster.patch(JOBS, name, body)
        except ActionError as error:
            _log.warning("Job %s/%s could not be stopped: %s", request.namespace, name, error)

    async def _existing(self, request: Request[RunJobParameters], operation: Operation, conflict: Conflict) -> Json:
        """The Job that has our name already, if it is ours."""
        name = _name(request, operation)
        try:
            job = await request.cluster.get(JOBS, name)
        except NotFound:
            raise conflict from None  # refused for another reason, so known not done
        except ActionError as error:
            raise LostAnswer(f"Job {request.namespace}/{name} exists and could not be read: {error}") from error
        if not is_ours(job, request, operation):
            raise PermanentFailure(f"Job {request.namespace}/{name} exists and is not of this proposal")
        return job


def _name(request: Request[RunJobParameters], operation: Operation) -> str:
    return job_name(request.proposal, request.proposal_uid, operation.id)


def _done(job: Json) -> Done:
    name = job["metadata"]["name"]
    return Done(f"Job {name} is created.", {"job": name, "uid": job["metadata"]["uid"]})


def _finished(job: Json) -> Verified:
    """Raises EffectFailed for a failed Job."""
    name, status = job["metadata"]["name"], job.get("status", {})
    for condition in status.get("conditions", ()):
        if condition["status"] != "True":
            continue
        if condition["type"] == "Complete":
            return Verified(True, "It is complete.")
        if condition["type"] == "Failed":
            why = f"{condition.get('reason', '')}: {condition.get('message', '')}"
            raise EffectFailed(cut(f"Job {name} failed: {why}"))
    if job["spec"].get("suspend"):
        return Verified(False, f"Job {name} is suspended")
    return Verified(False, f"Job {name} runs" if status.get("active") else f"Job {name} has not started")


def _described(request: Request[RunJobParameters]) -> str:
    parameters = request.parameters
    parts = [f"image {parameters.image}", f"as {request.runner}"]
    if parameters.command or parameters.args:
        parts.append(f"runs {shlex.join((*parameters.command, *parameters.args))}")
    if parameters.env:
        parts.append(f"variables {', '.join(sorted(parameters.env))}")
    parts += [f"variable {name} from {ref}" for name, ref in sorted(parameters.secret_env.items())]
    parts += [f"registry login from Secret {name}" for name in parameters.image_pull_secrets]
    if parameters.report:
        parts.append("its termination message becomes an output")
    return cut("; ".join(parts))


def _warnings(parameters: RunJobParameters) -> tuple[str, ...]:
    warnings = []
    if "@sha256:" not in parameters.image:
        warnings.append("The image has no digest: what its tag points to may change before it runs")
    if parameters.mount_service_account_token:
        warnings.append("The container gets the runner's token and with it all rights of the runner")
    return tuple(warnings)
