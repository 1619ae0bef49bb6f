"""What all models of the API share: their configuration, the scalar types, the marks that Kubernetes adds.

Spec models keep fields they do not know, so that the operator can name them as faults; status models drop
them, so that an older operator survives what a newer one wrote. All are frozen: a change makes a new one.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    PlainSerializer,
)
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

GROUP = "actionoperator.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
OPERATOR = "action-operator"
"""Name of the package, and where nothing says another of namespace, ServiceAccount and Lease; so history calls it."""

# Opaque maps (parameters, bodies) as canonical JSON; the operator checks what a schema cannot.
MAX_OPAQUE_BYTES = 64 * 1024
MAX_SAFE_INTEGER = 2**53
MAX_NESTING = 32
"""So many objects and lists may lie in one another, the map itself included. Most JSON libraries, ours too, cannot
read what is nested a thousand deep (controller/core/nesting.py)."""

FIRST_YEAR, LAST_YEAR = 1970, 9000


class ApiModel(BaseModel):
    """A part of an object: camelCase on the wire, snake_case in Python, immutable."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, frozen=True, use_attribute_docstrings=True
    )

    RULES: ClassVar[tuple["Rule", ...]] = ()
    """CEL rules that the API server checks on this part."""

    def wire(self) -> dict[str, Any]:
        """This part as JSON-able data with the field names of the API, absent fields left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The model's JSON schema with its RULES in it, so that they go wherever the model is used."""
        reference = handler(core)
        schema = handler.resolve_ref_schema(reference)
        if cls.RULES:
            schema["x-kubernetes-validations"] = [rule.schema_entry() for rule in cls.RULES]
        return reference


class SpecModel(ApiModel):
    """A part that people write. Unknown fields are kept in `model_extra` and reported as faults."""

    model_config = ConfigDict(extra="allow")


class StatusModel(ApiModel):
    """A part that only the operator writes. Unknown fields are ignored."""

    model_config = ConfigDict(extra="ignore")


class Rule(BaseModel):
    """One CEL rule of a schema (`x-kubernetes-validations`)."""

    model_config = ConfigDict(frozen=True)

    rule: str
    message: str
    field_path: str | None = None

    def schema_entry(self) -> dict[str, str]:
        entry = {"rule": self.rule, "message": self.message}
        return entry | ({"fieldPath": self.field_path} if self.field_path else {})


def unknown_fields(model: BaseModel, path: str) -> Iterator[str]:
    """Paths of all fields that the models do not know, in `model` and every spec model inside it."""
    for name in model.model_extra or {}:
        yield f"{path}.{name}"
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        here = f"{path}.{field.alias or name}"
        for index, item in enumerate(value if isinstance(value, tuple) else [value]):
            if isinstance(item, BaseModel):
                yield from unknown_fields(item, f"{here}[{index}]" if isinstance(value, tuple) else here)


def rfc3339(moment: datetime) -> str:
    """UTC with milliseconds, the form of all times in status: `2026-11-22T15:04:05.000Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _utc(moment: datetime) -> datetime:
    """In UTC, and far enough from the ends of the calendar that every deadline after it is a date too."""
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise ValueError(f"must lie between the years {FIRST_YEAR} and {LAST_YEAR}")
    return moment.astimezone(UTC)


def list_type(kind: str, *keys: str) -> dict[str, Any]:
    """Schema marks of a list: how server-side apply merges it (`atomic`, `set`, `map` by keys)."""
    return {"x-kubernetes-list-type": kind} | ({"x-kubernetes-list-map-keys": list(keys)} if keys else {})


# What the API server's own date-time format lets pass and CEL then cannot read, such as an offset of 25 hours, would
# make every later write of the object fail. A year beyond those above would make a policy unreadable, which halts all.
TIME_PATTERN = (
    r"^(19[7-9][0-9]|[2-8][0-9]{3}|9000)-[0-9]{2}-[0-9]{2}"
    r"[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-](0[0-9]|1[0-4]):[0-5][0-9])$"
)

Timestamp = Annotated[
    AwareDatetime,
    AfterValidator(_utc),
    PlainSerializer(rfc3339, return_type=str, when_used="json"),
    Field(json_schema_extra={"maxLength": 64, "pattern": TIME_PATTERN}),
]
"""A moment in UTC. Naive times are refused; written with milliseconds."""

ATOMIC = list_type("atomic")
SET = list_type("set")

Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$", max_length=71)]
"""`sha256:` and 64 hex digits over canonical JSON (docs/spec/digest.md)."""

ActionName = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
ServiceAccountName = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]
ObjectName = Annotated[str, Field(min_length=1, max_length=253)]
ShortText = Annotated[str, Field(max_length=256)]
Text = Annotated[str, Field(max_length=1024)]
LongText = Annotated[str, Field(max_length=4096)]
UserName = Annotated[str, Field(min_length=1, max_length=512)]
"""User names and groups as authenticators give them; a service account's has up to 339 characters."""
Seconds = Annotated[int, Field(ge=1, le=31_536_000)]
"""A whole number of seconds, at most a year."""

OpaqueMap = Annotated[
    dict[str, Any], Field(max_length=256, json_schema_extra={"x-kubernetes-preserve-unknown-fields": True})
]
"""Any JSON object of at most 256 keys; its own schema decides what is inside."""
