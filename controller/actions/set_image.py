"""set-image: the image of one container, as `kubectl set image` does, and wait until the pods run it."""

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import Field

from controller.actions.about import About, Family
from controller.actions.base import FIXED, cut
from controller.actions.container_field import ContainerField, ContainerParameters, Place
from controller.actions.rollouts import RIGHT
from controller.api.common import Change
from controller.api.names import Risk
from controller.core.errors import PermanentFailure
from controller.core.ports import Json, Target

Image = Annotated[str, Field(min_length=1, max_length=512, pattern=r"^[a-zA-Z0-9][a-zA-Z0-9._:/@-]*$")]


class SetImageParameters(ContainerParameters):
    image: Image
    """The image it shall have; with a digest (`@sha256:...`) what is approved is what runs."""
    expected_image: Image | None = None
    """Set it only if this is its image now."""


class SetImage(ContainerField[SetImageParameters]):
    name = "set-image"
    description = (
        "Set the image of a container of a Deployment, StatefulSet or DaemonSet and wait until its pods run it."
    )
    about = About(Family.WORKLOADS, rights=(RIGHT,), undone_by="the image from before")
    risk = Risk.HIGH
    fixed = FIXED | {"container", "image"}
    timeout_seconds = 900
    inverses = frozenset({name})
    parameters = SetImageParameters
    field = "image"

    def wanted(self, parameters: SetImageParameters, container: Json) -> Any:
        return parameters.image

    def is_so(self, parameters: SetImageParameters, container: Json) -> bool:
        return bool(container.get("image") == parameters.image)

    def check(self, parameters: SetImageParameters, container: Json, target: Target) -> None:
        now, expected = container.get("image"), parameters.expected_image
        if expected is not None and now not in (expected, parameters.image):
            raise PermanentFailure(
                cut(
                    f"container {parameters.container} of {target} has image {now}, parameters.expectedImage says "
                    f"{expected}: see what changed it, then propose again"
                )
            )

    def told(self, parameters: SetImageParameters) -> str:
        return parameters.image

    def changes(self, parameters: SetImageParameters, target: str, place: Place, after: Json) -> Iterator[Change]:
        before = place.container.get("image")
        yield Change(target=target, path=f"{place.path}.image", before=before, after=after.get("image"))

    def back(self, parameters: SetImageParameters, before: Json, after: Json) -> Json:
        return {"image": before.get("image"), "expectedImage": after.get("image")}

    def previous(self, parameters: SetImageParameters, container: Json) -> Json:
        return {"previousImage": container.get("image"), "image": parameters.image}

    def warnings(self, parameters: SetImageParameters) -> tuple[str, ...]:
        if "@sha256:" in parameters.image:
            return ()
        return ("The image has no digest: what its tag points to may change before it runs",)
