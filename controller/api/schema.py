"""From a pydantic model to the structural OpenAPI v3 schema that a CRD carries.

pydantic writes JSON Schema 2020-12; the API server takes a subset of OpenAPI v3.0 in which every field has
one type ("Specifying a structural schema" in the Kubernetes documentation of CustomResourceDefinitions). Each
step below is one difference between the two. What a structural schema cannot say (unions, recursion) is
refused with the path of the field, never weakened.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

Schema = dict[str, Any]

ANY: Schema = {"x-kubernetes-preserve-unknown-fields": True, "nullable": True}
"""The schema of a field that may hold anything, null too."""

MAX_INT32 = 2**31 - 1

# Keys in the order in which a person reads a schema; those not named here say nothing to the API server.
_KEYS = (
    "description", "type", "format", "nullable", "default", "enum", "pattern", "minLength", "maxLength",
    "minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum", "minItems", "maxItems", "minProperties",
    "maxProperties", "x-kubernetes-preserve-unknown-fields", "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys", "x-kubernetes-validations", "required", "properties",
    "additionalProperties", "items",
)  # fmt: skip
_DROPPED = {"title", "$defs", "const", "anyOf", "$ref"}


class NotStructuralError(TypeError):
    """A model says something that a CRD cannot; the message begins with the path of the field."""


def structural(model: type[BaseModel], *, marks: Sequence[str] = ()) -> Schema:
    """Return the model's structural schema, with its rules and, for every field, its docstring.

    `marks`: keywords of our own that it may have, for schemas which no API server reads.

    Raises:
        NotStructuralError: a field is a union, contains its own model, or has a keyword that CRDs lack.
    """
    raw = model.model_json_schema(by_alias=True)
    return _Converter(raw.get("$defs", {}), (*_KEYS, *marks)).convert(raw, model.__name__, ())


class _Converter:
    """The conversion of one document, which has one set of definitions."""

    def __init__(self, definitions: Mapping[str, Schema], keys: Sequence[str]) -> None:
        self._definitions = definitions
        self._keys = keys

    def convert(self, raw: Schema, path: str, inside: tuple[str, ...]) -> Schema:
        """Convert one schema; `inside` names the models it is part of."""
        schema, inside = self._resolved(raw, path, inside)
        unknown = schema.keys() - _DROPPED - set(self._keys)
        if unknown:
            raise NotStructuralError(f"{path}: CRDs have no {', '.join(sorted(unknown))}")
        if "const" in schema:
            schema["enum"] = [schema["const"]]
        if "type" not in schema and "enum" not in schema:
            schema |= ANY
        _drop_silent_default(schema)
        _exclusive_as_flag(schema)
        _number_format(schema)
        _one_paragraph(schema)
        if isinstance(schema.get("additionalProperties"), bool):
            # What the Python model does with fields it does not know; the API server prunes them or refuses.
            del schema["additionalProperties"]
        if "properties" in schema:
            schema["properties"] = {
                name: self.convert(field, f"{path}.{name}", inside) for name, field in schema["properties"].items()
            }
        for key, suffix in (("items", "[]"), ("additionalProperties", "{}")):
            if key in schema:
                schema[key] = self.convert(schema[key], path + suffix, inside)
        return {key: schema[key] for key in self._keys if key in schema}

    def _resolved(self, raw: Schema, path: str, inside: tuple[str, ...]) -> tuple[Schema, tuple[str, ...]]:
        """Replace `$ref` and `X | None` by what they stand for; what stands beside them wins."""
        schema = dict(raw)
        while "$ref" in schema or "anyOf" in schema:
            if "$ref" in schema:
                name = schema.pop("$ref").rpartition("/")[2]
                if name in inside:
                    raise NotStructuralError(f"{path}: {name} contains itself")
                inside = (*inside, name)
                schema = self._definitions[name] | schema
            else:
                branches = [branch for branch in schema.pop("anyOf") if branch != {"type": "null"}]
                if len(branches) != 1:
                    raise NotStructuralError(f"{path}: a field has one type, not one of {len(branches)}")
                schema = branches[0] | schema
        return schema, inside


def _drop_silent_default(schema: Schema) -> None:
    """Keep a default only where it says something: absent, empty and null are the same to the models."""
    default = _said(schema.pop("default", None))
    if default is not None:
        schema["default"] = default


def _said(value: Any) -> Any:
    """The value without what is null or empty inside; None if nothing is left."""
    if isinstance(value, dict):
        value = {key: said for key, item in value.items() if (said := _said(item)) is not None}
    return None if value in ({}, [], "") else value


def _exclusive_as_flag(schema: Schema) -> None:
    """OpenAPI v3.0 has JSON Schema draft 4's form: a bound, and a flag that the bound itself is outside."""
    for bound, flag in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if flag in schema:
            schema[bound], schema[flag] = schema[flag], True


def _number_format(schema: Schema) -> None:
    match schema.get("type"):
        case "integer":
            fits = schema.get("maximum", MAX_INT32 + 1) <= MAX_INT32
            schema["format"] = "int32" if fits else "int64"
        case "number":
            schema["format"] = "double"


def _one_paragraph(schema: Schema) -> None:
    """Undo the line breaks of a docstring; `kubectl explain` wraps by itself."""
    if "description" in schema:
        paragraphs = schema["description"].split("\n\n")
        schema["description"] = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
