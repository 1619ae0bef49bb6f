"""delete-resource: delete one object of any kind that policy allows."""

from controller.actions.about import About, Family, Right
from controller.actions.any_object import ObjectParameters, resolved
from controller.actions.base import FIXED
from controller.actions.deletion import REPEATS, DeleteObject, DeletionParameters
from controller.api.names import Risk
from controller.core.kinds import kind_name
from controller.core.ports import Request, Resource


class DeleteResourceParameters(DeletionParameters, ObjectParameters):
    pass


class DeleteResource(DeleteObject[DeleteResourceParameters]):
    name = "delete-resource"
    description = "Delete one object and wait until it is gone."
    about = About(
        Family.OBJECTS,
        rights=(
            Right(
                "",
                ("configmaps",),
                ("get", "delete"),
                why="for ConfigMaps; one such rule for each kind it is used for",
            ),
        ),
        repeats=REPEATS,
    )
    risk = Risk.HIGH
    fixed = FIXED | {"apiVersion", "uid"}
    parameters = DeleteResourceParameters

    def generic_kind(self, parameters: DeleteResourceParameters) -> str | None:
        return kind_name(parameters.api_version, parameters.kind)

    async def place(self, request: Request[DeleteResourceParameters]) -> tuple[Resource, str]:
        parameters = request.parameters
        return await resolved(request.cluster, parameters.api_version, parameters.kind), parameters.name
