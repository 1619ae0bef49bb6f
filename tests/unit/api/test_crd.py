"""What must be true of every generated CRD: bounds, descriptions, rules for what the contract promises."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from controller.api.base import ApiModel
from controller.api.crd import crd
from controller.api.kinds import KINDS
from controller.api.proposal import ProposalSpec
from controller.api.resource import Resource
from controller.api.workflow import WorkflowSpec

SERVED = {"apiVersion", "kind", "metadata"}
MUTABLE = {"suspend", "cancelled"}

every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.INFO.kind)


@cache
def root_schema(kind: type[Resource]) -> dict[str, Any]:
    schema: dict[str, Any] = crd(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


def parts(schema: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema inside one schema, itself first, with its path."""
    yield path, schema
    for name, field in schema.get("properties", {}).items():
        yield from parts(field, f"{path}.{name}")
    for key, suffix in (("items", "[]"), ("additionalProperties", "{}")):
        if key in schema:
            yield from parts(schema[key], path + suffix)


def own_parts(kind: type[Resource]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, schema in root_schema(kind)["properties"].items():
        if name not in SERVED:
            yield from parts(schema, name)


def bounded(schema: dict[str, Any]) -> bool:
    match schema.get("type"):
        case "string":
            return "enum" in schema or "maxLength" in schema
        case "array":
            return "maxItems" in schema and "x-kubernetes-list-type" in schema
        case "object":
            return "properties" in schema or "maxProperties" in schema
        case "integer" | "number":
            return "format" in schema
        case "boolean":
            return True
        case _:  # anything at all: the operator bounds what it writes there
            return schema.get("x-kubernetes-preserve-unknown-fields") is True


@every_kind
def test_everything_has_a_bound(kind: type[Resource]) -> None:
    assert [path for path, schema in own_parts(kind) if not bounded(schema)] == []


ANYTHING = {
    "spec.answer", "status.approvals[].answer",
    "spec.executor.http.path[]", "spec.executor.patch.target.name", "spec.executor.patch.patch",
}  # fmt: skip


@every_kind
def test_only_previewed_values_answers_and_what_a_custom_type_fills_in_may_be_anything(kind: type[Resource]) -> None:
    free = [path for path, schema in own_parts(kind) if "type" not in schema]
    assert all(path.startswith("status.preview.changes[].") or path in ANYTHING for path in free), free


@every_kind
def test_every_field_is_described(kind: type[Resource]) -> None:
    fields = [(path, schema) for path, schema in own_parts(kind) if not path.endswith(("[]", "{}"))]
    assert [path for path, schema in fields if not schema.get("description")] == []
    assert root_schema(kind)["description"]


@every_kind
def test_a_new_object_is_not_taken_for_finished(kind: type[Resource]) -> None:
    version = crd(kind)["spec"]["versions"][0]
    status = root_schema(kind)["properties"].get("status")
    assert ("subresources" in version) == (status is not None)
    if status is not None:
        assert status["default"] == {"observedGeneration": -1}


@every_kind
def test_the_spec_is_required(kind: type[Resource]) -> None:
    assert root_schema(kind)["required"] == ["spec"]


@every_kind
def test_columns_and_selectable_fields_name_fields_that_exist(kind: type[Resource]) -> None:
    known = {"." + path for path, _ in own_parts(kind)} | {".metadata.creationTimestamp"}
    for column in kind.INFO.columns:
        plain = column.json_path.replace("[?(@.type=='Ready')]", "[]").replace("[?(@.type=='Succeeded')]", "[]")
        assert plain in known, column.name
    assert known >= set(kind.INFO.selectable)


@pytest.mark.parametrize("spec", [ProposalSpec, WorkflowSpec], ids=lambda spec: spec.__name__)
def test_all_of_the_spec_is_immutable_but_suspend_and_cancelled(spec: type[ApiModel]) -> None:
    fields = {field.alias or name for name, field in spec.model_fields.items()}
    immutable = {
        (rule.field_path or "").removeprefix(".")
        for rule in spec.RULES
        if rule.message.endswith("cannot change after creation; propose it again under a new name")
    }
    assert immutable == fields - MUTABLE
