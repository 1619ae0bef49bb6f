"""Faults of parameters: all of them at once, each with its path, and no text of a caller in them."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.core.making import SHIPPED, type_entry, world

from controller.api.base import MAX_NESTING
from controller.core.parameters import MAX_FAULTS, ParameterSchema, parameter_faults, schema_fault
from controller.core.validation import action_faults

SECRET = "hunter2-hunter2"
SCHEMA: Any = {
    "type": "object",
    "required": ["name", "count"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string", "minLength": 2, "maxLength": 5, "pattern": "^[a-z]+$"},
        "count": {"type": "integer", "minimum": 1, "maximum": 10},
        "kind": {"type": "string", "enum": ["Deployment", "StatefulSet"]},
        "tags": {"type": "array", "maxItems": 2, "items": {"type": "string", "maxLength": 3}},
        "limits": {"type": "object", "properties": {"cpu": {"type": "string"}}, "additionalProperties": False},
        "ratio": {"type": "number", "multipleOf": 0.5},
    },
}


@pytest.mark.parametrize(
    ("parameters", "faults"),
    [
        pytest.param({"name": "abc", "count": 3}, [], id="in order"),
        pytest.param({}, ["parameters.count: is required", "parameters.name: is required"], id="all that is missing"),
        pytest.param({"name": "abc", "count": 50}, ["parameters.count: must be at most 10 (got 50)"], id="too much"),
        pytest.param({"name": "abc", "count": 0}, ["parameters.count: must be at least 1 (got 0)"], id="too little"),
        pytest.param(
            {"name": "abc", "count": "3"}, ["parameters.count: must be of type integer (got a text)"], id="type"
        ),
        pytest.param(
            {"name": "abc", "count": True}, ["parameters.count: must be of type integer (got True)"], id="no number"
        ),
        pytest.param(
            {"name": None, "count": 1}, ["parameters.name: must be of type string (got null)"], id="null is no text"
        ),
        pytest.param(
            {"name": "toolong", "count": 1}, ["parameters.name: must have at most 5 characters (got 7)"], id="long"
        ),
        pytest.param(
            {"name": "a", "count": 1}, ["parameters.name: must have at least 2 characters (got 1)"], id="short"
        ),
        pytest.param({"name": "ABC", "count": 1}, ["parameters.name: must match ^[a-z]+$"], id="pattern"),
        pytest.param(
            {"name": "abc", "count": 1, "kind": "Pod"},
            ["parameters.kind: must be one of Deployment, StatefulSet (got Pod)"],
            id="enum",
        ),
        pytest.param(
            {"name": "abc", "count": 1, "nmae": "x", "colour": 1},
            [
                "parameters.colour: is not a parameter of this action (it has: count, kind, limits, name, ratio, tags)",
                "parameters.nmae: is not a parameter of this action (it has: count, kind, limits, name, ratio, tags)",
            ],
            id="unknown ones",
        ),
        pytest.param(
            {"name": "abc", "count": 1, "tags": ["ok", "toolong"]},
            ["parameters.tags[1]: must have at most 3 characters (got 7)"],
            id="inside a list",
        ),
        pytest.param(
            {"name": "abc", "count": 1, "tags": ["a", "b", "c"]},
            ["parameters.tags: must have at most 2 entries (got 3)"],
            id="too many",
        ),
        pytest.param(
            {"name": "abc", "count": 1, "limits": {"cpu": 1, "gpu": 1}},
            [
                "parameters.limits.cpu: must be of type string (got 1)",
                "parameters.limits.gpu: is not a parameter of this action (it has: cpu)",
            ],
            id="inside an object",
        ),
        pytest.param(
            {"name": "abc", "count": 1, "ratio": 0.3}, ["parameters.ratio: does not satisfy multipleOf"], id="the rest"
        ),
        pytest.param(
            {"name": "abc", "count": 2**53 + 1},
            ["parameters.count: integers must lie within ±2^53; write it as a string"],
            id="beyond what JSON holds",
        ),
    ],
)
def test_every_fault_has_its_path(parameters: Any, faults: list[str]) -> None:
    assert parameter_faults(SCHEMA, parameters) == faults


def test_all_faults_are_named_at_once_but_not_without_end() -> None:
    many = parameter_faults(SCHEMA, {f"x{number}": 1 for number in range(50)})
    assert len(many) == MAX_FAULTS + 1
    assert many[-1] == "parameters: 32 more faults"


def test_what_is_too_big_is_said_before_anything_else() -> None:
    (only,) = parameter_faults(SCHEMA, {"name": "x" * 70_000})
    assert only.startswith("parameters: must be at most 65536 bytes as JSON (got ")


def nested(depth: int, *, lists: bool) -> Any:
    """An object with others in it, `depth` of them with itself; or lists in an object."""
    value: Any = [] if lists else {}
    for _ in range(depth - 2):
        value = [value] if lists else {"inner": value}
    return {"value": value}


@pytest.mark.parametrize("lists", [False, True], ids=["objects", "lists"])
def test_what_is_nested_too_deep_is_said_before_anything_walks_down_there(lists: bool) -> None:
    anything = {"type": "object"}
    assert parameter_faults(anything, nested(MAX_NESTING, lists=lists)) == []
    for depth in (MAX_NESTING + 1, 100_000):
        assert parameter_faults(anything, nested(depth, lists=lists)) == [
            f"parameters: must be nested at most {MAX_NESTING} deep"
        ]


plain = st.recursive(
    st.just(SECRET) | st.none() | st.booleans() | st.integers(-3, 20) | st.floats(-5, 5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["cpu", "gpu"]), inner, max_size=2),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(["name", "count", "tags", "limits", "ratio", "other"]), plain))
def test_no_text_of_the_caller_is_shown(parameters: Any) -> None:
    assert SECRET not in "".join(parameter_faults(SCHEMA, parameters))


@pytest.mark.parametrize("name", SHIPPED)
@settings(max_examples=20)
@given(parameters=st.dictionaries(st.text(max_size=8).filter(lambda key: SECRET not in key), plain, max_size=4))
def test_no_shipped_type_shows_them_either(name: str, parameters: Any) -> None:
    properties = SHIPPED[name]["spec"]["parameters"]["properties"]
    texts = {key: SECRET for key, field in properties.items() if "enum" not in field}
    for given_parameters in (parameters, texts, {**texts, **parameters}):
        faults = action_faults(world().catalogue, name, given_parameters, "spec")
        assert SECRET not in "".join(fault.message for fault in faults)
        assert all(fault.message.startswith("spec.parameters") for fault in faults)


MARKED: Any = {
    "type": "object",
    "properties": {
        "token": {"type": "object", "secret": True},
        "more": {"type": "object", "additionalProperties": {"secret": True}},
        "list": {"type": "array", "items": {"secret": True}},
    },
}


@pytest.mark.parametrize("value", [SECRET, 4711, None, True, [SECRET], {"value": SECRET}, {"secretKeyRef": SECRET}])
def test_what_is_marked_secret_takes_references_alone_and_says_it_once(value: Any) -> None:
    reference = {"secretKeyRef": {"name": "a", "key": "b"}}
    assert parameter_faults(MARKED, {"token": reference, "more": {"a": reference}, "list": [reference]}) == []
    faults = parameter_faults(MARKED, {"token": value, "more": {"a": value}, "list": [value]})
    assert [fault.partition(":")[0] for fault in faults] == [
        "parameters.list[0]", "parameters.more.a", "parameters.token",
    ]  # fmt: skip
    assert all("takes only {secretKeyRef" in fault for fault in faults)
    assert "4711" not in "".join(faults)


@given(plain)
def test_no_value_in_the_place_of_a_secret_is_shown(value: Any) -> None:
    (fault,) = parameter_faults(MARKED, {"token": value})
    assert fault.split("(got")[0].startswith("parameters.token: takes only {secretKeyRef")
    assert SECRET not in fault


def test_a_schema_is_made_ready_once_and_says_the_same() -> None:
    ready = ParameterSchema(SCHEMA)
    assert ready.fault is None
    assert ready.faults({"count": 50}, "spec.parameters") == parameter_faults(SCHEMA, {"count": 50}, "spec.parameters")


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        (SCHEMA, None),
        ({"type": "object"}, None),
        ({"type": "string"}, "spec.parameters.type"),
        ({}, "spec.parameters.type"),
        ({"type": "object", "properties": {"a": {"type": "text"}}}, "spec.parameters.properties.a.type"),
        ({"type": "object", "properties": {"a": {"minimum": "x"}}}, "spec.parameters.properties.a.minimum"),
        ({"type": "object", "properties": {"a": {"pattern": "("}}}, "spec.parameters.properties.a.pattern"),
        (
            {"type": "object", "properties": {"a": {"$ref": "http://example.com/x"}}},
            "spec.parameters.properties.a.$ref",
        ),
        ({"type": "object", "allOf": [{"$ref": "#/$defs/x"}]}, "spec.parameters.allOf[0].$ref"),
        ({"type": "object", "properties": {"a": {"$dynamicRef": "#x"}}}, "spec.parameters.properties.a.$dynamicRef"),
        ({"type": "object", "properties": {"a": {"secret": True}}}, None),
        ({"type": "object", "properties": {"a": {"type": "object", "secret": True, "description": "x"}}}, None),
        ({"type": "object", "properties": {"a": {"additionalProperties": {"secret": True}}}}, None),
        ({"type": "object", "properties": {"a": {"items": {"secret": True}}}}, None),
        ({"type": "object", "properties": {"a": {"properties": {"b": {"secret": True, "fixed": True}}}}}, None),
        ({"type": "object", "properties": {"secret": {"type": "string"}}}, None),
        ({"type": "object", "properties": {"a": {"enum": [{"secret": 1}]}}}, None),
        ({"type": "object", "properties": {"a": {"secret": False, "type": "string"}}}, None),
        ({"type": "object", "secret": True}, "spec.parameters.secret: may stand only in properties"),
        (
            {"type": "object", "properties": {"a": {"secret": "yes"}}},
            "spec.parameters.properties.a.secret: must be true",
        ),
        (
            {"type": "object", "properties": {"a": {"secret": True, "type": "string"}}},
            "spec.parameters.properties.a.type: must be object beside secret: true",
        ),
        (
            {"type": "object", "properties": {"a": {"secret": True, "default": "x"}}},
            "spec.parameters.properties.a.default: says nothing beside secret: true",
        ),
        (
            {"type": "object", "properties": {"a": {"anyOf": [{"type": "string"}, {"secret": True}]}}},
            "spec.parameters.properties.a.anyOf[1].secret: may stand only in properties",
        ),
        ({"type": "object", "not": {"properties": {"a": {"secret": True}}}}, "spec.parameters.not.properties.a.secret"),
        (
            {"type": "object", "patternProperties": {"a": {"secret": True}}},
            "spec.parameters.patternProperties.a.secret",
        ),
    ],
)
def test_faults_of_a_schema_itself(schema: Any, words: str | None) -> None:
    found = schema_fault(schema)
    assert found is None if words is None else found is not None and found.startswith(words)


@pytest.mark.parametrize("schema", [{"type": "nonsense"}, {"type": "object", "properties": {"a": {"pattern": "("}}}])
def test_a_type_with_a_broken_schema_is_not_ready(schema: Any) -> None:
    entry = type_entry("mine", like="log-message", parameters=schema)
    (found,) = action_faults(world(types=[entry]).catalogue, "mine", {"a": "b"}, "spec")
    assert found.reason == "TypeNotReady"
    assert found.missing
