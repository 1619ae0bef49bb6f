"""Differences between two forms of an object, as they are shown before anyone agrees."""

from typing import Any

import pytest

from controller.actions.differences import differences


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ({"a": 1}, {"a": 1}, {}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 3, "c": 2}}, {"a.b": (1, 3)}),
        ({}, {"a": {"b": 1}}, {"a.b": (None, 1)}),
        ({"a": {"b": 1}}, {}, {"a.b": (1, None)}),
        ({"a": {}}, {}, {"a": ({}, None)}),
        ({"a": [{"b": 1}, 2]}, {"a": [{"b": 3}, 2]}, {"a[0].b": (1, 3)}),
        ({"a": [1]}, {"a": [1, 2]}, {"a": ([1], [1, 2])}),
        ({"a": 1}, {"a": True}, {"a": (1, True)}),
        ({"a": {"b": 1}}, {"a": "x"}, {"a": ({"b": 1}, "x")}),
    ],
)
def test_each_leaf_that_differs_is_one_change(before: Any, after: Any, told: dict[str, Any]) -> None:
    changes = differences("ConfigMap shop/a", before, after)
    assert {change.path: (change.before, change.after) for change in changes} == told
    assert {change.target for change in changes} <= {"ConfigMap shop/a"}
