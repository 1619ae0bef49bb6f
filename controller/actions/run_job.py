"""run-job: one Job, at most once per proposal. Its name comes from the operation, so a second one cannot be made.

Secrets are only named in it: the node reads them when the container starts. That they are lent to actions is seen to
before, once more right before the Job is made. Their values are read only for a report (`job_report`).
"""

import shlex

from controller.actions.about import About, Family, Right
from controller.actions.base import FIXED, cut
from controller.actions.job_manifest import is_ours, job_name, manifest
from controller.actions.job_parameters import RunJobParameters
from controller.actions.job_report import reported, seen_secrets
from controller.actions.one_job import DRY_RUN_OPERATION, JOBS, OneJob
from controller.actions.secrets import check
from controller.api.common import Change
from controller.api.names import Risk
from controller.core.ports import Json, Operation, PreviewResult, Request, Verified


class RunJob(OneJob[RunJobParameters]):
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
    fixed = FIXED | {"image", "command", "imagePullSecrets", "mountServiceAccountToken", "secretEnv", "report"}
    timeout_seconds = 3900  # longer than the Job's own deadline, so that its verdict is heard
    parameters = RunJobParameters

    async def preview(self, request: Request[RunJobParameters]) -> PreviewResult:
        await check(request, request.parameters.from_secrets)
        await request.cluster.create(JOBS, manifest(request, DRY_RUN_OPERATION), dry_run=True)
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

    async def manifest(self, request: Request[RunJobParameters], operation_id: str) -> Json:
        """Looks once more whether the Secrets are lent, and for a report at their values; a preview never does."""
        await check(request, request.parameters.from_secrets)
        return manifest(request, operation_id, await seen_secrets(request))

    def job_name(self, request: Request[RunJobParameters], operation_id: str) -> str:
        return job_name(request.proposal, request.proposal_uid, operation_id)

    def is_ours(self, job: Json, request: Request[RunJobParameters], operation: Operation) -> bool:
        return is_ours(job, request, operation)

    async def completed(self, request: Request[RunJobParameters], job: Json, seen: Verified) -> Verified:
        outputs, told = await reported(request, job)
        return Verified(True, " ".join(filter(None, (seen.message, told))), outputs=outputs)


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
