"""What a program asks for, as objects: names, specs, every fault of their fields. Pure, but for random names."""

import secrets
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

import pydantic

from controller.api.base import API_VERSION, ApiModel, SpecModel, unknown_fields
from controller.api.common import RetryConfig, RetrySpec
from controller.api.resource import KindInfo
from controller.api.workflow import Order, WorkflowSpec
from controller.client.errors import ValidationError
from controller.core.graph import graph_faults
from controller.core.ports import Json

S = TypeVar("S", bound=SpecModel)

MAX_NAME = 63
_RANDOM_BYTES = 4


@dataclass(frozen=True)
class ActionRecommendation:
    """One step of a workflow. Without a name it gets that of its action, numbered from the second on."""

    action: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    name: str | None = None
    depends_on: Sequence[str] = ()
    timeout_seconds: int | None = None
    retry: RetryConfig | RetrySpec | None = None


Recommendation = ActionRecommendation | Mapping[str, Any]
"""A step as a dataclass, or as a mapping of the same fields (or those of the API: `dependsOn`)."""


def generated_name(action: str) -> str:
    """`scale-workload-1f9a27c4`: of the action, and never the same twice."""
    tail = "-" + secrets.token_hex(_RANDOM_BYTES)
    return action[: MAX_NAME - len(tail)].rstrip("-") + tail


def step_mappings(actions: Sequence[Recommendation]) -> list[Json]:
    """The steps as the API takes them, each with a name."""
    steps = [_step(action) for action in actions]
    taken = {step["name"] for step in steps if step.get("name")}
    seen = Counter[str]()
    for step in steps:
        if not step.get("name"):
            step["name"] = _free_name(str(step.get("action", "step")), taken, seen)
    return steps


def manifest(
    info: KindInfo, name: str, namespace: str, spec: ApiModel, labels: Mapping[str, str] | None = None
) -> Json:
    """The object to create: only what was said, so that it stays as small as a hand-written one."""
    metadata: Json = {"name": name, "namespace": namespace}
    return {
        "apiVersion": API_VERSION,
        "kind": info.kind,
        "metadata": {**metadata, "labels": dict(labels)} if labels else metadata,
        "spec": spec.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_unset=True),
    }


def parsed(model: type[S], values: Mapping[str, Any]) -> S:
    """The spec. `values` without those that are None. Raises ValidationError with every fault."""
    given = {name: _plain(value) for name, value in values.items() if value is not None}
    try:
        spec = model.model_validate(given)
    except pydantic.ValidationError as error:
        raise ValidationError(list(field_faults(error))) from None
    unknown = [f"{path}: is not a field of this kind" for path in unknown_fields(spec, "spec")]
    if unknown:
        raise ValidationError(unknown)
    return spec


def field_faults(error: pydantic.ValidationError) -> Iterator[str]:
    """pydantic's errors in our form: `spec.steps[0].timeoutSeconds: input should be ...`."""
    for fault in error.errors(include_url=False, include_input=False):
        where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in fault["loc"])
        message = fault["msg"].removeprefix("Value error, ")
        yield f"spec{where}: {message[:1].lower()}{message[1:]}"


def order_faults(spec: WorkflowSpec) -> Iterator[str]:
    """What is wrong with the steps as a graph."""
    for step in spec.steps:
        if step.depends_on and spec.order is Order.SEQUENCE:
            yield f"spec.steps[{step.name}].dependsOn: needs order Graph; a Sequence runs one after the other"
    yield from graph_faults(spec.steps, spec.order)


def _step(action: Recommendation) -> Json:
    values = _fields(action) if isinstance(action, ActionRecommendation) else dict(action)
    return {name: _plain(value) for name, value in values.items() if value is not None}


def _fields(action: ActionRecommendation) -> Json:
    return {name: getattr(action, name) for name in (field.name for field in fields(action))}


def _plain(value: Any) -> Any:
    """Models as what they were given, other mappings as dicts."""
    if isinstance(value, ApiModel):
        return value.wire()
    return dict(value) if isinstance(value, Mapping) else value


def _free_name(action: str, taken: set[str], seen: Counter[str]) -> str:
    while True:
        seen[action] += 1
        tail = "" if seen[action] == 1 else f"-{seen[action]}"
        name = action[: MAX_NAME - len(tail)] + tail
        if name not in taken:
            taken.add(name)
            return name
