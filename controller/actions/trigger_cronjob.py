"""trigger-cronjob: one run of a CronJob now, at most once, as `kubectl create job --from=cronjob/NAME` makes it.

The Job belongs to the CronJob, whose history limits clean it up. That it is ours is seen by its name and labels.
"""

from controller.actions.about import About, Family, Right
from controller.actions.base import Parameters, cut
from controller.actions.job_manifest import job_name
from controller.actions.objects import ObjectName, read, target_of
from controller.actions.one_job import DRY_RUN_OPERATION, JOBS, OneJob
from controller.actions.revisions import images
from controller.actions.suspend_cronjob import CRON_JOBS, running_jobs
from controller.api.common import Change
from controller.api.names import Risk
from controller.core.origin import OPERATION, PROPOSAL, PROPOSAL_UID
from controller.core.ports import Json, Operation, PreviewResult, Request, Target

MANUAL = "cronjob.kubernetes.io/instantiate"


class TriggerCronJobParameters(Parameters):
    name: ObjectName
    """Name of the CronJob, in the proposal's namespace."""


class TriggerCronJob(OneJob[TriggerCronJobParameters]):
    name = "trigger-cronjob"
    description = "Run a CronJob once now, at most once, beside its schedule, and wait until the Job is complete."
    about = About(
        Family.WORKLOADS,
        rights=(
            Right("batch", ("cronjobs",), ("get",)),
            Right("batch", ("jobs",), ("get", "create")),
            Right("batch", ("jobs",), ("patch",), why="optional: to suspend the Job when the proposal is cancelled"),
        ),
    )
    risk = Risk.MEDIUM
    timeout_seconds = 3900
    parameters = TriggerCronJobParameters

    async def preview(self, request: Request[TriggerCronJobParameters]) -> PreviewResult:
        cron_job, target = await _read(request)
        body = job_of(cron_job, request, DRY_RUN_OPERATION)
        await request.cluster.create(JOBS, body, dry_run=True)
        template = cron_job["spec"]["jobTemplate"]["spec"]["template"]
        told = cut(", ".join(f"{name} {image}" for name, image in images(template)))
        return PreviewResult(
            summary=cut(f"Run {target} once now: a Job with {told}."),
            changes=(Change(target=f"Job {request.namespace}/<new>", path="spec", after=told),),
            warnings=_warnings(cron_job, target),
            target=target,
        )

    async def manifest(self, request: Request[TriggerCronJobParameters], operation_id: str) -> Json:
        cron_job, _ = await _read(request)
        return job_of(cron_job, request, operation_id)

    def job_name(self, request: Request[TriggerCronJobParameters], operation_id: str) -> str:
        return job_name(request.parameters.name, request.proposal_uid, operation_id)

    def is_ours(self, job: Json, request: Request[TriggerCronJobParameters], operation: Operation) -> bool:
        labels = job["metadata"].get("labels", {})
        marks = (labels.get(PROPOSAL_UID), labels.get(OPERATION))
        return marks == (request.proposal_uid, operation.id)


def job_of(cron_job: Json, request: Request[TriggerCronJobParameters], operation_id: str) -> Json:
    """The Job for one operation. Pure."""
    template, owner = cron_job["spec"]["jobTemplate"], cron_job["metadata"]
    metadata = template.get("metadata") or {}
    ours = {
        PROPOSAL: request.proposal,
        PROPOSAL_UID: request.proposal_uid,
        OPERATION: operation_id,
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": job_name(request.parameters.name, request.proposal_uid, operation_id),
            "labels": {**(metadata.get("labels") or {}), **ours},
            "annotations": {MANUAL: "manual", **(metadata.get("annotations") or {})},
            "ownerReferences": [
                {
                    "apiVersion": "batch/v1",
                    "kind": CRON_JOBS.kind,
                    "name": owner["name"],
                    "uid": owner["uid"],
                    "controller": True,
                }
            ],
        },
        "spec": template["spec"],
    }


async def _read(request: Request[TriggerCronJobParameters]) -> tuple[Json, Target]:
    name = request.parameters.name
    found = await read(request.cluster, CRON_JOBS, name, request.namespace)
    return found, target_of(CRON_JOBS, name, request.namespace, found)


def _warnings(cron_job: Json, target: Target) -> tuple[str, ...]:
    running, rule = running_jobs(cron_job), cron_job["spec"].get("concurrencyPolicy", "Allow")
    if not running or rule == "Allow":
        return ()
    return (cut(f"{target} says {rule} of runs at one time, and this one is started beside {', '.join(running)}"),)
