"""The converter: what each Python annotation becomes in a structural schema."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal

import pytest
from pydantic import BaseModel, Field, create_model

from controller.api.base import TIME_PATTERN, ApiModel, OpaqueMap, Rule, SpecModel, StatusModel, Timestamp, list_type
from controller.api.schema import NotStructuralError, structural


class Color(StrEnum):
    RED = "Red"
    BLUE = "Blue"


class Inner(SpecModel):
    """An inner part."""

    RULES: ClassVar[tuple[Rule, ...]] = (Rule(rule="self.size > 0", message="must not be empty", field_path=".size"),)

    size: Annotated[int, Field(ge=0, le=9)] = 3
    """How big."""


class Counted(StatusModel):
    """Nothing in it says anything by default."""

    generation: int = -1
    note: str = ""
    seen: tuple[Color, ...] = ()
    inner: Inner | None = None


class Node(ApiModel):
    children: "tuple[Node, ...]" = ()


class HasNode(ApiModel):
    top: Node


INNER_PROPERTIES = {
    "size": {
        "description": "How big.",
        "type": "integer",
        "format": "int32",
        "default": 3,
        "minimum": 0,
        "maximum": 9,
    },
}
INNER_RULES = [{"rule": "self.size > 0", "message": "must not be empty", "fieldPath": ".size"}]
INNER = {
    "description": "An inner part.",
    "type": "object",
    "x-kubernetes-validations": INNER_RULES,
    "properties": INNER_PROPERTIES,
}
REQUIRED: Any = ...

FIELDS = {
    "bounded text": (
        Annotated[str, Field(min_length=1, max_length=5, pattern="^a")],
        REQUIRED,
        {"type": "string", "minLength": 1, "maxLength": 5, "pattern": "^a"},
    ),
    "optional has the plain type and no default": (
        Annotated[str, Field(max_length=5)] | None,
        None,
        {"type": "string", "maxLength": 5},
    ),
    "a default that says something": (bool, False, {"type": "boolean", "default": False}),
    "zero is a default": (
        int,
        0,
        {"type": "integer", "format": "int64", "default": 0},
    ),
    "an empty text is no default": (str, "", {"type": "string"}),
    "small integer": (
        Annotated[int, Field(le=2**31 - 1)],
        REQUIRED,
        {"type": "integer", "format": "int32", "maximum": 2**31 - 1},
    ),
    "large integer": (
        Annotated[int, Field(le=2**31)],
        REQUIRED,
        {"type": "integer", "format": "int64", "maximum": 2**31},
    ),
    "integer without a bound": (int, REQUIRED, {"type": "integer", "format": "int64"}),
    "number": (
        Annotated[float, Field(ge=0, le=1)],
        REQUIRED,
        {"type": "number", "format": "double", "minimum": 0, "maximum": 1},
    ),
    "exclusive bounds are flags": (
        Annotated[float, Field(gt=0, lt=1)],
        REQUIRED,
        {
            "type": "number",
            "format": "double",
            "minimum": 0,
            "exclusiveMinimum": True,
            "maximum": 1,
            "exclusiveMaximum": True,
        },
    ),
    "enum": (Color, REQUIRED, {"type": "string", "enum": ["Red", "Blue"]}),
    "enum with a default": (Color, Color.RED, {"type": "string", "enum": ["Red", "Blue"], "default": "Red"}),
    "narrowed enum": (
        Annotated[Color, Field(json_schema_extra={"enum": ["Red"]})] | None,
        None,
        {"type": "string", "enum": ["Red"]},
    ),
    "one constant": (Literal["only"], REQUIRED, {"type": "string", "enum": ["only"]}),
    "some constants": (Literal["a", "b"], REQUIRED, {"type": "string", "enum": ["a", "b"]}),
    "time": (Timestamp, REQUIRED, {"type": "string", "format": "date-time", "pattern": TIME_PATTERN, "maxLength": 64}),
    "optional time": (
        Timestamp | None,
        None,
        {"type": "string", "format": "date-time", "pattern": TIME_PATTERN, "maxLength": 64},
    ),
    "time of any zone": (datetime, REQUIRED, {"type": "string", "format": "date-time"}),
    "list of named things": (
        Annotated[tuple[Inner, ...], Field(max_length=4, json_schema_extra=list_type("map", "name"))],
        (),
        {
            "type": "array",
            "maxItems": 4,
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
            "items": INNER,
        },
    ),
    "map of text": (
        Annotated[dict[str, Annotated[str, Field(max_length=5)]], Field(max_length=2)],
        REQUIRED,
        {"type": "object", "maxProperties": 2, "additionalProperties": {"type": "string", "maxLength": 5}},
    ),
    "opaque map": (
        OpaqueMap,
        REQUIRED,
        {"type": "object", "maxProperties": 256, "x-kubernetes-preserve-unknown-fields": True},
    ),
    "anything": (Any, None, {"nullable": True, "x-kubernetes-preserve-unknown-fields": True}),
    "model": (Inner, REQUIRED, INNER),
    "optional model": (Inner | None, None, INNER),
    "described model": (
        Annotated[Inner, Field(description="This one.")],
        REQUIRED,
        INNER | {"description": "This one."},
    ),
}


def model_of(annotation: Any, default: Any) -> type[BaseModel]:
    return create_model("Sample", __base__=ApiModel, some_field=(annotation, default))


@pytest.mark.parametrize(("annotation", "default", "expected"), FIELDS.values(), ids=FIELDS.keys())
def test_a_field_becomes(annotation: Any, default: Any, expected: dict[str, Any]) -> None:
    schema = structural(model_of(annotation, default))
    assert schema["properties"] == {"someField": expected}
    assert schema.get("required") == (["someField"] if default is REQUIRED else None)


def test_of_a_default_object_stays_what_says_something() -> None:
    schema = structural(model_of(Counted, Counted()))
    assert schema["properties"]["someField"]["default"] == {"generation": -1}


def test_the_schema_does_not_tell_how_python_treats_unknown_fields() -> None:
    assert "additionalProperties" not in structural(Inner)
    assert "additionalProperties" not in structural(Counted)


def test_a_docstring_is_one_line_a_paragraph() -> None:
    class Wrapped(ApiModel):
        """Begins here
        and goes on.

        Another one.
        """

        a: bool
        """Also
        here."""

    schema = structural(Wrapped)
    assert schema["description"] == "Begins here and goes on.\n\nAnother one."
    assert schema["properties"]["a"]["description"] == "Also here."


REFUSED = {
    "union": (str | int, "Sample.someField: a field has one type, not one of 2"),
    "union in a list": (tuple[str | int, ...], "Sample.someField[]: a field has one type"),
    "union in a map": (dict[str, str | int], "Sample.someField{}: a field has one type"),
    "recursion": (HasNode, "Sample.someField.top.children[]: Node contains itself"),
    "tuple of fixed length": (tuple[str, int], "Sample.someField: CRDs have no prefixItems"),
}


@pytest.mark.parametrize(("annotation", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_said_is_refused_with_its_path(annotation: Any, message: str) -> None:
    with pytest.raises(NotStructuralError) as refused:
        structural(model_of(annotation, REQUIRED))
    assert str(refused.value).startswith(message)
