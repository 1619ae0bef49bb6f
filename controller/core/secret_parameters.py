"""Parameters that an action type's schema marks `secret: true`: they take a reference to a Secret, never a value.

The mark is a keyword of the schema like `type`. It says the whole form by itself, so that nothing beside it can widen
it, and it stands only where it holds for every value: in properties, additionalProperties and items.
"""

import re
from collections.abc import Iterator
from typing import Any

from jsonschema.exceptions import ValidationError

from controller.core.ports import Json

SECRET = "secret"  # noqa: S105  the keyword
REFERENCE = "secretKeyRef"
SECRET_NAME = r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$"  # noqa: S105
SECRET_KEY = r"^[-._a-zA-Z0-9]{1,253}$"  # noqa: S105

_BESIDE = frozenset({SECRET, "fixed", "type", "title", "description"})
_FORMS = {"name": (SECRET_NAME, "the name of a Secret in this namespace"), "key": (SECRET_KEY, "a key in it")}


def reference_faults(_: Any, marked: Any, instance: Any, __: Json) -> Iterator[ValidationError]:
    """The keyword `secret`, for a JSON Schema library."""
    fault = fault_of_reference(instance) if marked is True else None
    if fault:
        yield ValidationError(fault)


def fault_of_reference(instance: Any) -> str | None:
    """Why it is no reference to a Secret. Never repeats the instance: it may be the very secret."""
    fault = _fault(instance)
    form = f"{{{REFERENCE}: {{name: ..., key: ...}}}}"
    return f"takes only {form}, a Secret in this namespace and a key in it ({fault})" if fault else None


def _fault(instance: Any) -> str | None:
    match instance:
        case str():
            return "got a text; a secret must not stand in plain text"
        case {"secretKeyRef": dict() as reference, **rest} if not rest:
            missing = sorted(_FORMS.keys() - reference.keys())
            unknown = reference.keys() - _FORMS.keys()
            wrong = [
                f"{name} must be {what}"
                for name, (pattern, what) in _FORMS.items()
                if name in reference and not _fits(pattern, reference[name])
            ]
            if missing:
                return f"{REFERENCE}.{missing[0]} is missing"
            if "namespace" in unknown:
                return "no other namespace can be named"
            return "it has other fields" if unknown else next(iter(wrong), None)
        case dict():
            return "got an object of another form"
        case _:
            return "got something else"


def _fits(pattern: str, value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(pattern, value) is not None and ".." not in value


def mark_faults(schema: Any, path: str, *, here: bool = False, below: bool = True) -> Iterator[str]:
    """Marks of a type's schema that are not `true`, stand where they say nothing, or beside what contradicts them.

    `here`, `below`: whether this schema, and those of its properties and items, may be marked.
    """
    match schema:
        case dict():
            yield from _faults_of_mark(schema, path, here)
            for key, item in schema.items():
                yield from _inside(key, item, f"{path}.{key}", below)
        case list():
            for index, item in enumerate(schema):
                yield from mark_faults(item, f"{path}[{index}]", below=False)


def _faults_of_mark(schema: Json, path: str, here: bool) -> Iterator[str]:
    mark = schema.get(SECRET, False)
    if not isinstance(mark, bool):
        yield f"{path}.{SECRET}: must be true or false"
    elif mark and not here:
        yield f"{path}.{SECRET}: may stand only in properties, additionalProperties and items"
    elif mark:
        for other in sorted(schema.keys() - _BESIDE):
            yield f"{path}.{other}: says nothing beside {SECRET}: true; remove it"
        if schema.get("type", "object") != "object":
            yield f"{path}.type: must be object beside {SECRET}: true, or left out"


def _inside(key: str, item: Any, path: str, below: bool) -> Iterator[str]:
    match key:
        case "default" | "enum" | "const" | "examples":
            return  # values, not schemas
        case "additionalProperties" | "items":
            yield from mark_faults(item, path, here=below, below=below)
        case "properties" | "patternProperties" | "dependentSchemas" | "$defs" if isinstance(item, dict):
            may = below and key == "properties"
            for name, field in item.items():
                yield from mark_faults(field, f"{path}.{name}", here=may, below=may)
        case _:
            yield from mark_faults(item, path, below=False)
