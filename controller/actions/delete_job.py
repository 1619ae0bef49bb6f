"""delete-job: delete one Job, and its pods with it."""

from controller.actions.about import About, Family, Right
from controller.actions.base import FIXED
from controller.actions.deletion import REPEATS, DeleteObject, DeletionParameters
from controller.actions.objects import ObjectName
from controller.actions.one_job import JOBS
from controller.api.names import Risk
from controller.core.ports import Request, Resource


class DeleteJobParameters(DeletionParameters):
    name: ObjectName
    """Name of the Job, in the proposal's namespace."""


class DeleteJob(DeleteObject[DeleteJobParameters]):
    name = "delete-job"
    description = "Delete one Job, its pods with it, and wait until it is gone."
    about = About(Family.JOBS, rights=(Right("batch", ("jobs",), ("get", "delete")),), repeats=REPEATS)
    risk = Risk.MEDIUM
    fixed = FIXED | {"uid"}
    parameters = DeleteJobParameters

    async def place(self, request: Request[DeleteJobParameters]) -> tuple[Resource, str]:
        return JOBS, request.parameters.name
