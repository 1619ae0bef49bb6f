"""set-resources: what one container asks for and may use at most, by resource. What is not named stays as it is."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import Field, model_validator

from controller.actions.about import About, Family
from controller.actions.base import FIXED, Parameters, cut
from controller.actions.container_field import ContainerField, ContainerParameters, Place
from controller.actions.quantities import amount, same
from controller.actions.rollouts import RIGHT
from controller.api.common import Change
from controller.api.names import Risk
from controller.core.errors import PermanentFailure
from controller.core.ports import Json, Target

NONE = "none"
PARTS = ("requests", "limits")
QuantityOrNone = Annotated[
    str, Field(max_length=32, pattern=r"^([0-9]+(\.[0-9]+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?|none)$")
]
ByResource = Annotated[dict[str, QuantityOrNone], Field(max_length=8, default_factory=dict)]


class ExpectedResources(Parameters):
    requests: ByResource
    """What it asks for now."""
    limits: ByResource
    """What it may use at most now."""


class SetResourcesParameters(ContainerParameters):
    requests: ByResource
    """What is set aside for it, by resource: `cpu: 500m`, `memory: 256Mi`; `none` takes a request away."""
    limits: ByResource
    """What it may use at most, by resource; `none` takes a limit away."""
    expected: ExpectedResources | None = None
    """Set them only if these are its values now; `none` for one that it shall not have."""

    @model_validator(mode="after")
    def _consistent(self) -> "SetResourcesParameters":
        if not self.requests and not self.limits:
            raise ValueError("requests: name at least one request or limit")
        for resource in self.requests.keys() & self.limits.keys():
            request, limit = self.requests[resource], self.limits[resource]
            if NONE not in (request, limit) and amount(request) > amount(limit):
                raise ValueError(f"requests.{resource}: must be at most the limit of {limit} (got {request})")
        return self

    def part(self, name: str) -> Mapping[str, str]:
        return self.requests if name == "requests" else self.limits


class SetResources(ContainerField[SetResourcesParameters]):
    name = "set-resources"
    description = (
        "Set requests and limits of one container of a Deployment, StatefulSet or DaemonSet and wait for the pods."
    )
    about = About(Family.WORKLOADS, rights=(RIGHT,), undone_by="the requests and limits from before")
    risk = Risk.MEDIUM
    fixed = FIXED | {"container"}
    timeout_seconds = 900
    inverses = frozenset({name})
    parameters = SetResourcesParameters
    field = "resources"

    def wanted(self, parameters: SetResourcesParameters, container: Json) -> Any:
        resources = dict(container.get("resources") or {})
        for part in PARTS:
            values = {**(resources.get(part) or {}), **parameters.part(part)}
            resources[part] = {name: value for name, value in values.items() if value != NONE}
        return {name: value for name, value in resources.items() if value}

    def is_so(self, parameters: SetResourcesParameters, container: Json) -> bool:
        now, wanted = container.get("resources") or {}, self.wanted(parameters, container)
        return all(same(now.get(part) or {}, wanted.get(part) or {}) for part in PARTS)

    def check(self, parameters: SetResourcesParameters, container: Json, target: Target) -> None:
        if parameters.expected is None or self.is_so(parameters, container):
            return
        for part, expected in (("requests", parameters.expected.requests), ("limits", parameters.expected.limits)):
            for resource, value in expected.items():
                now = value_of(container, part, resource)
                if not _equal(now, value):
                    raise PermanentFailure(
                        cut(
                            f"container {parameters.container} of {target} has {part}.{resource} {now}, "
                            f"parameters.expected says {value}: see what changed it, then propose again"
                        )
                    )

    def told(self, parameters: SetResourcesParameters) -> str:
        given = [f"{part}.{name} {value}" for part in PARTS for name, value in sorted(parameters.part(part).items())]
        return cut(", ".join(given), 512)

    def changes(self, parameters: SetResourcesParameters, target: str, place: Place, after: Json) -> Iterator[Change]:
        for part in PARTS:
            for resource in sorted(parameters.part(part)):
                old, new = value_of(place.container, part, resource), value_of(after, part, resource)
                if not _equal(old, new):
                    path = f"{place.path}.resources.{part}.{resource}"
                    yield Change(target=target, path=path, before=old, after=new)

    def back(self, parameters: SetResourcesParameters, before: Json, after: Json) -> Json:
        return {**_values(parameters, before), "expected": _values(parameters, after)}

    def previous(self, parameters: SetResourcesParameters, container: Json) -> Json:
        return {"previous": _values(parameters, container)}


def value_of(container: Json, part: str, resource: str) -> str:
    """Its request or limit, `none` where it has none."""
    return str(((container.get("resources") or {}).get(part) or {}).get(resource, NONE))


def _values(parameters: SetResourcesParameters, container: Json) -> Json:
    """The container's values of what the parameters name."""
    named = {part: parameters.part(part) for part in PARTS}
    return {
        part: {resource: value_of(container, part, resource) for resource in sorted(resources)}
        for part, resources in named.items()
        if resources
    }


def _equal(one: str, other: str) -> bool:
    return one == other if NONE in (one, other) else amount(one) == amount(other)
