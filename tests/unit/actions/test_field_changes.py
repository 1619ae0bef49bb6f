"""What differs between two states of an object, and the way back: only where nothing changed since."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.actions.field_changes import MAX_INVERSE_BYTES, MISSING, differences, inverse, keys_of, pointer

Json = dict[str, Any]


def thing(spec: Any, **metadata: Any) -> Json:
    return {"apiVersion": "v1", "kind": "Thing", "metadata": {"name": "a", **metadata}, "spec": spec}


class Moved(Exception):
    """A test of a patch is not true."""


def patched(found: Json, operations: list[Json]) -> Json:
    """What RFC 6902 says of the operations that an inverse is made of."""
    result = _copy(found)
    for operation in operations:
        *parents, last = keys_of(operation["path"])
        where = result
        for key in parents:
            where = where[key]
        match operation["op"]:
            case "test":
                if last not in where or _strict(where[last]) != _strict(operation["value"]):
                    raise Moved
            case "remove":
                del where[last]
            case "replace":
                assert last in where
                where[last] = operation["value"]
            case "add":
                where[last] = operation["value"]
    return result


def _copy(value: Any) -> Any:
    return {key: _copy(item) for key, item in value.items()} if isinstance(value, dict) else value


def _strict(value: Any) -> str:
    return repr(value)


@pytest.mark.parametrize(
    ("before", "after", "paths"),
    [
        (thing({"a": 1}), thing({"a": 1}, resourceVersion="2", managedFields=[{}]), []),
        (thing({"a": 1}), thing({"a": 1.5}), ["spec.a"]),
        (thing({"a": 1}), thing({"a": True}), ["spec.a"]),
        (thing({"a": {"b": 1}}), thing({"a": {"b": 1, "c d": 2}}), ['spec.a["c d"]']),
        (thing({}), thing({}, labels={"example.com/team": "a"}), ['metadata.labels["example.com/team"]']),
        (thing({}, labels={}), thing({}), []),
        (thing({"a": [1, 2]}), thing({"a": [2, 1]}), ["spec.a"]),
        ({**thing({}), "status": {"a": 1}}, {**thing({}), "status": {"a": 2}}, []),
    ],
)
def test_what_differs_is_named_by_its_path(before: Json, after: Json, paths: list[str]) -> None:
    assert [one.path for one in differences(before, after)] == paths


VALUES: Any = st.recursive(
    st.integers(-2, 2) | st.booleans() | st.sampled_from(["", "a"]),
    lambda inner: (
        st.dictionaries(st.sampled_from(["a", "b/c", "d~e"]), inner, max_size=3) | st.lists(inner, max_size=2)
    ),
    max_leaves=8,
)
SPECS = st.dictionaries(st.sampled_from(["a", "b/c", "x"]), VALUES, max_size=3)


@given(SPECS, SPECS)
def test_the_way_back_leads_back(one: Json, other: Json) -> None:
    before, after = thing(one), thing(other)
    operations = inverse(differences(before, after), after)
    assert operations is not None
    assert patched(after, operations) == before


@given(SPECS, SPECS, SPECS)
def test_it_leads_nowhere_once_a_field_is_another(one: Json, other: Json, third: Json) -> None:
    before, after, now = thing(one), thing(other), thing(third)
    found = differences(before, after)
    operations = inverse(found, after)
    assert operations is not None
    moved = [d for d in found if _value(now, d.keys) != _value(after, d.keys)]
    if moved:
        with pytest.raises((Moved, KeyError, TypeError)):
            patched(now, operations)


def _value(found: Any, keys: tuple[str, ...]) -> str:
    for key in keys:
        if not isinstance(found, dict) or key not in found:
            return repr(MISSING)
        found = found[key]
    return _strict(found)


def test_there_is_no_way_back_that_could_not_be_tested_or_would_be_too_long() -> None:
    labelled, plain = thing({}, labels={"a": "b"}), thing({})
    assert inverse(differences(labelled, plain), plain) is None
    assert inverse(differences(plain, labelled), labelled) is not None
    whole = {**thing({}), "data": {"a": "b"}}
    assert inverse(differences(whole, plain), plain) is None
    long = thing({"a": "x" * MAX_INVERSE_BYTES})
    assert inverse(differences(thing({"a": ""}), long), long) is None


@pytest.mark.parametrize("keys", [("a",), ("a/b", "c~d", ""), ("~1", "~0", "/")])
def test_pointers_are_read_as_they_are_written(keys: tuple[str, ...]) -> None:
    assert keys_of(pointer(keys)) == keys
