"""What people type as the values that a schema asks for. Pure; what does not fit stays as it is, for others to tell."""

import json
from collections.abc import Mapping
from typing import Any

from controller.core.ports import Json


def typed_values(schema: Json, given: Mapping[str, str]) -> Json:
    """`{"replicas": "6", "labels.app": "web"}` as `{"replicas": 6, "labels": {"app": "web"}}`."""
    values: Json = {}
    for name, text in given.items():
        _put(values, schema, name, text)
    return values


def typed(schema: Json, text: str) -> Any:
    """The text itself where a text is asked for, else what it says as JSON, else the text.

    One of several texts may be in any case; a Secret is `NAME/KEY`.
    """
    if schema.get("secret"):
        name, slash, key = text.partition("/")
        if slash and not text.startswith("{"):
            return {"secretKeyRef": {"name": name, "key": key}}
    if "enum" in schema:
        alike = [value for value in schema["enum"] if isinstance(value, str) and value.lower() == text.lower()]
        if len(alike) == 1:
            return alike[0]
    if schema.get("type") == "string":
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _put(values: Json, schema: Json, name: str, text: str) -> None:
    """Puts it where the name says: a property, one inside another by dots, an entry of a map by its whole key."""
    properties = schema.get("properties") or {}
    first, dot, rest = name.partition(".")
    inner = properties.get(first)
    if name in properties or not dot or not isinstance(inner, dict):
        values[name] = typed(properties.get(name) or _entries(schema), text)
        return
    within = values.setdefault(first, {})
    if isinstance(within, dict):
        _put(within, inner, rest, text)
    else:
        values[name] = text


def _entries(schema: Json) -> Json:
    found = schema.get("additionalProperties")
    return found if isinstance(found, dict) else {}
