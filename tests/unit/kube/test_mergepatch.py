"""The laws of merge patches."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from controller.core.mergepatch import Json, apply_merge_patch, merge_patch

scalars = st.booleans() | st.integers(-2, 2) | st.text(max_size=2) | st.floats(allow_nan=False, width=16)
names = st.sampled_from(["a", "b", "c", "d"])
values = st.recursive(
    scalars | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=10,
)
objects = st.dictionaries(names, values, max_size=4)


def without_nulls(value: Any) -> Any:
    """As the API server stores it: fields that are null are absent (nulls inside lists stay)."""
    if isinstance(value, dict):
        return {name: without_nulls(inner) for name, inner in value.items() if inner is not None}
    return value


def exactly(value: Any) -> Any:
    """The value in a form in which true is not 1."""
    if isinstance(value, dict):
        return {name: exactly(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [exactly(inner) for inner in value]
    return (isinstance(value, bool), value)


@given(objects, objects)
def test_applying_the_patch_to_the_old_gives_the_new(old: Json, new: Json) -> None:
    stored = without_nulls(old)
    assert exactly(apply_merge_patch(stored, merge_patch(stored, new))) == exactly(without_nulls(new))


@given(objects)
def test_nothing_to_change_is_an_empty_patch(value: Json) -> None:
    assert merge_patch(value, value) == {}


@given(objects, objects)
def test_patching_twice_is_patching_once(old: Json, new: Json) -> None:
    stored = without_nulls(old)
    patch = merge_patch(stored, new)
    once = apply_merge_patch(stored, patch)
    assert exactly(apply_merge_patch(once, patch)) == exactly(once)


def test_only_what_differs_is_sent() -> None:
    old = {"phase": "Running", "attempts": [{"number": 1}], "approval": {"required": 2, "have": 1}, "message": "x"}
    new = {"phase": "Running", "attempts": [{"number": 1}], "approval": {"required": 2, "have": 2}}
    assert merge_patch(old, new) == {"approval": {"have": 2}, "message": None}


def test_the_order_of_fields_inside_lists_does_not_matter() -> None:
    assert merge_patch({"list": [{"a": 1, "b": 2}]}, {"list": [{"b": 2, "a": 1}]}) == {}


def test_the_examples_of_rfc_7386() -> None:
    cases: list[tuple[Json, Json, Json]] = [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ]
    for target, patch, result in cases:
        assert apply_merge_patch(target, patch) == result
