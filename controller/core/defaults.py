"""Defaults of a structural schema, as the API server fills them in. Pure."""

import copy
from typing import Any

from controller.core.ports import Json


def with_defaults(value: object, schema: Json) -> object:
    """The value as a structural schema defaults it.

    Source: Kubernetes' rules for CustomResourceDefinitions ("Defaulting and Nullable"): a null of a field that is not
    nullable is dropped, then defaults are applied, from the outside in.
    """
    if isinstance(value, list):
        return [with_defaults(item, _schema(schema.get("items"))) for item in value]
    if not isinstance(value, dict):
        return value
    fields = {name: _schema(field) for name, field in _schema(schema.get("properties")).items()}
    kept = {
        name: item
        for name, item in value.items()
        if item is not None or name not in fields or fields[name].get("nullable")
    }
    for name, field in fields.items():
        if "default" in field and name not in kept:
            kept[name] = copy.deepcopy(field["default"])
    rest = _schema(schema.get("additionalProperties"))
    return {name: with_defaults(item, fields.get(name, rest)) for name, item in kept.items()}


def _schema(found: Any) -> Json:
    """What stands where a schema may stand. What is wrong with it is for validation to tell."""
    return found if isinstance(found, dict) else {}
