"""The built-in types as ActionType objects. What is not in the cluster's catalogue cannot run."""

from collections.abc import Iterable
from typing import Any

from controller.actions.base import Action
from controller.api.base import API_VERSION
from controller.api.schema import structural
from controller.core.ports import Json
from controller.core.secret_parameters import SECRET


def catalogue(actions: Iterable[Action[Any]]) -> tuple[Json, ...]:
    """One ActionType manifest for each action, in the order given."""
    return tuple(_manifest(action) for action in actions)


def parameters_schema(action: Action[Any]) -> Json:
    """The JSON Schema of the action's parameters: unknown ones refused, those that name a target marked `fixed`."""
    schema = _closed(structural(action.parameters, marks=(SECRET,)))
    schema.pop("description", None)
    for name, field in schema["properties"].items():
        if name in action.fixed:
            field["fixed"] = True
    return schema


def _manifest(action: Action[Any]) -> Json:
    return {
        "apiVersion": API_VERSION,
        "kind": "ActionType",
        "metadata": {"name": action.name},
        "spec": {
            "description": action.description,
            "risk": str(action.risk),
            "idempotent": action.idempotent,
            "parameters": parameters_schema(action),
            "executor": {"builtIn": {"name": action.name, "version": action.version}},
            "defaults": {"timeoutSeconds": action.timeout_seconds},
        },
    }


def _closed(schema: Json) -> Json:
    """The schema with `additionalProperties: false` wherever it lists properties."""
    closed = dict(schema)
    if "properties" in closed:
        closed["properties"] = {name: _closed(field) for name, field in closed["properties"].items()}
        closed["additionalProperties"] = False
    elif isinstance(closed.get("additionalProperties"), dict):
        closed["additionalProperties"] = _closed(closed["additionalProperties"])
    if "items" in closed:
        closed["items"] = _closed(closed["items"])
    return closed
