"""What the types share that make one Job, at most once.

Its name follows from the operation, so a second one cannot be made.
"""

import logging
from abc import abstractmethod

from controller.actions.base import Action, cut
from controller.core.errors import ActionError, Conflict, EffectFailed, LostAnswer, NotFound, PermanentFailure
from controller.core.ports import Done, Json, Operation, P, Request, Resource, Verified

JOBS = Resource("batch", "v1", "jobs", "Job")
# In a dry run there is no operation yet; the name is as long as the real one.
DRY_RUN_OPERATION = "00000000-0000-7000-8000-000000000000"
_log = logging.getLogger("actionoperator.jobs")


class OneJob(Action[P]):
    """Missing proves nothing: a Job may have run, and somebody deleted it since."""

    idempotent = False

    @abstractmethod
    async def manifest(self, request: Request[P], operation_id: str) -> Json:
        """The Job as it is created. Reads what it needs; changes nothing."""

    @abstractmethod
    def job_name(self, request: Request[P], operation_id: str) -> str:
        """Its name, the same for the same operation. Pure."""

    @abstractmethod
    def is_ours(self, job: Json, request: Request[P], operation: Operation) -> bool:
        """Whether the Job was made for this operation of this very proposal. Pure."""

    async def run(self, request: Request[P], operation: Operation) -> Done:
        body = await self.manifest(request, operation.id)
        try:
            job = await request.cluster.create(JOBS, body)
        except Conflict as conflict:
            job = await self._existing(request, operation, conflict)
        return _done(job)

    async def observe(self, request: Request[P], operation: Operation) -> Done | None:
        try:
            job = await request.cluster.get(JOBS, self.job_name(request, operation.id))
        except NotFound:
            return None
        return _done(job) if self.is_ours(job, request, operation) else None

    async def verify(self, request: Request[P], operation: Operation) -> Verified:
        name = self.job_name(request, operation.id)
        try:
            job = await request.cluster.get(JOBS, name)
        except NotFound as error:
            raise EffectFailed(f"Job {request.namespace}/{name} was deleted before its end was seen") from error
        if not self.is_ours(job, request, operation):
            raise EffectFailed(f"Job {request.namespace}/{name} was replaced by one that is not ours")
        seen = finished(job)
        return await self.completed(request, job, seen) if seen.ok else seen

    async def completed(self, request: Request[P], job: Json, seen: Verified) -> Verified:
        """What its end gives beyond being complete: outputs. Changes nothing. Raises TransientFailure."""
        return seen

    async def stop(self, request: Request[P], operation: Operation) -> None:
        """Suspends the Job, which ends its pod and keeps the record. Best effort: a failure is only logged."""
        name = self.job_name(request, operation.id)
        try:
            job = await request.cluster.get(JOBS, name)
            if self.is_ours(job, request, operation):
                body = {"metadata": {"uid": job["metadata"]["uid"]}, "spec": {"suspend": True}}
                await request.cluster.patch(JOBS, name, body)
        except ActionError as error:
            _log.warning("Job %s/%s could not be stopped: %s", request.namespace, name, error)

    async def _existing(self, request: Request[P], operation: Operation, conflict: Conflict) -> Json:
        """The Job that has our name already, if it is ours."""
        name = self.job_name(request, operation.id)
        try:
            job = await request.cluster.get(JOBS, name)
        except NotFound:
            raise conflict from None  # refused for another reason, so known not done
        except ActionError as error:
            raise LostAnswer(f"Job {request.namespace}/{name} exists and could not be read: {error}") from error
        if not self.is_ours(job, request, operation):
            raise PermanentFailure(f"Job {request.namespace}/{name} exists and is not of this proposal")
        return job


def finished(job: Json) -> Verified:
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


def _done(job: Json) -> Done:
    name = job["metadata"]["name"]
    return Done(f"Job {name} is created.", {"job": name, "uid": job["metadata"]["uid"]})
