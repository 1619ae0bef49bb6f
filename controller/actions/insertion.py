"""Parameters that stand in for values in the executor of a custom type. Pure.

`{fromParameter: name}` is replaced by the whole value of that parameter: what a proposer writes is a value and never
becomes part of a text, a path or a structure that the type's author wrote. Where its parameter is absent, the entry or
item is left out.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from controller.core.ports import Json
from controller.core.secret_parameters import SECRET

KEY = "fromParameter"
MAX_BOUNDED_TEXT = 1024
_ABSENT = object()


@dataclass(frozen=True)
class Place:
    """Where a parameter stands for a value: `spec.executor.http.body.text`."""

    path: str
    parameter: str


def is_place(value: Any) -> bool:
    return isinstance(value, dict) and KEY in value


def parameter_of(value: Any) -> str | None:
    """Name of the parameter that the value stands for, None if it stands for itself."""
    return str(value[KEY]) if is_place(value) else None


def places(value: Any, path: str) -> Iterator[Place]:
    """Every place in the value, those of a wrong form too."""
    match value:
        case dict() if KEY in value:
            yield Place(path, str(value[KEY]))
        case dict():
            for name, item in value.items():
                yield from places(item, f"{path}.{name}")
        case list() | tuple():
            for index, item in enumerate(value):
                yield from places(item, f"{path}[{index}]")


def form_faults(value: Any, path: str) -> Iterator[str]:
    """What looks like a place and is none: it would be sent as it stands."""
    match value:
        case dict() if KEY in value:
            if value.keys() != {KEY} or not isinstance(value[KEY], str):
                yield f"{path}: must be {{{KEY}: NAME}} and nothing else"
        case dict():
            for name, item in value.items():
                yield from form_faults(item, f"{path}.{name}")
        case list() | tuple():
            for index, item in enumerate(value):
                yield from form_faults(item, f"{path}[{index}]")


def filled(value: Any, parameters: Mapping[str, Any]) -> Any:
    """The value with every place filled; None if it is itself a place whose parameter is absent."""
    made = _filled(value, parameters)
    return None if made is _ABSENT else made


def _filled(value: Any, parameters: Mapping[str, Any]) -> Any:
    match value:
        case dict() if KEY in value:
            return parameters.get(value[KEY], _ABSENT)
        case dict():
            made = {name: _filled(item, parameters) for name, item in value.items()}
            return {name: item for name, item in made.items() if item is not _ABSENT}
        case list() | tuple():
            return [item for inner in value if (item := _filled(inner, parameters)) is not _ABSENT]
        case _:
            return value


@dataclass(frozen=True)
class Declared:
    """The parameters that a type declares: what can be said of each before there is a value."""

    properties: Mapping[str, Any]
    required: frozenset[str]

    @classmethod
    def of(cls, schema: Json) -> "Declared":
        properties = schema.get("properties")
        required = schema.get("required")
        return cls(
            {name: field if isinstance(field, dict) else {} for name, field in properties.items()}
            if isinstance(properties, dict)
            else {},
            frozenset(required if isinstance(required, list) else ()),
        )

    def is_secret(self, name: str | None) -> bool:
        return name is not None and self.properties.get(name, {}).get(SECRET) is True

    def sample(self) -> Json:
        """A value for each, of its own form: enough to see whether what is built with them holds together."""
        return {name: _sample(name, field) for name, field in self.properties.items()}

    def unknown(self, place: Place) -> Iterator[str]:
        if place.parameter not in self.properties:
            known = ", ".join(sorted(self.properties)) or "none"
            properties = "spec.parameters.properties"
            yield f"{place.path}: there is no parameter {place.parameter} in {properties} (it has: {known})"

    def not_secret(self, place: Place, allowed: str) -> Iterator[str]:
        if self.is_secret(place.parameter):
            yield f"{place.path}: a secret cannot stand here; {allowed}"

    def not_naming(self, place: Place, *, required: bool) -> Iterator[str]:
        """Why the parameter cannot say what is touched: that must be bounded, approved as it is, and there."""
        field = self.properties.get(place.parameter, {})
        where = f"spec.parameters.properties.{place.parameter}"
        if fault := _unbounded(field):
            yield f"{where}: {fault}, because it stands in {place.path}"
        if field.get("fixed") is not True:
            yield f"{where}: add fixed: true, because it says what is touched ({place.path})"
        if required and place.parameter not in self.required:
            yield f"spec.parameters.required: add {place.parameter}, because {place.path} cannot do without it"


def _unbounded(field: Mapping[str, Any]) -> str | None:
    if "enum" in field or "const" in field:
        return None
    match field.get("type"):
        case "boolean":
            return None
        case "integer" | "number":
            missing = [bound for bound in ("minimum", "maximum") if bound not in field]
            return f"add {' and '.join(missing)}" if missing else None
        case "string":
            fits = isinstance(field.get("maxLength"), int) and field["maxLength"] <= MAX_BOUNDED_TEXT
            return None if fits else f"add maxLength, of at most {MAX_BOUNDED_TEXT}"
        case _:
            return "must be of type string, integer, number or boolean"


def _sample(name: str, field: Mapping[str, Any]) -> Any:
    if field.get(SECRET) is True:
        return {"secretKeyRef": {"name": "sample", "key": "sample"}}
    if field.get("enum"):
        return field["enum"][0]
    match field.get("type"):
        case "object":
            return {}
        case "array":
            return []
        case "boolean":
            return True
        case "integer" | "number":
            return 1
        case _:
            return "sample"
