"""What people type, as the schema asks for it."""

from typing import Any

import pytest

from controller.client.values import typed_values

SCHEMA = {
    "type": "object",
    "properties": {
        "kind": {"type": "string", "enum": ["Deployment", "StatefulSet"]},
        "name": {"type": "string"},
        "replicas": {"type": "integer"},
        "args": {"type": "array", "items": {"type": "string"}},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "expect": {"type": "object", "properties": {"status": {"type": "array"}, "json": {}}},
        "token": {"secret": True},
        "a.b": {"type": "string"},
    },
}


@pytest.mark.parametrize(
    ("typed", "values"),
    [
        ({"replicas": "6"}, {"replicas": 6}),
        ({"replicas": "six"}, {"replicas": "six"}),
        ({"name": "6"}, {"name": "6"}),
        ({"kind": "statefulset"}, {"kind": "StatefulSet"}),
        ({"args": '["-c", "ls"]'}, {"args": ["-c", "ls"]}),
        ({"labels.app": "1"}, {"labels": {"app": "1"}}),
        ({"labels.app.kubernetes.io/name": "web"}, {"labels": {"app.kubernetes.io/name": "web"}}),
        ({"labels": '{"a": "b"}', "labels.c": "d"}, {"labels": {"a": "b", "c": "d"}}),
        ({"expect.status": "[200]", "expect.json": "{}"}, {"expect": {"status": [200], "json": {}}}),
        ({"token": "vault/key"}, {"token": {"secretKeyRef": {"name": "vault", "key": "key"}}}),
        ({"a.b": "c"}, {"a.b": "c"}),
        ({"unknown.name": "1"}, {"unknown.name": 1}),
    ],
)
def test_values_are_typed_by_their_schema(typed: dict[str, str], values: dict[str, Any]) -> None:
    assert typed_values(SCHEMA, typed) == values
