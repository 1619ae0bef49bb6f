"""One taint among others: which it is, what the list becomes, which pods may stay."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.actions.taint_node import Effect, TaintNodeParameters, changed, tolerates, value_of
from controller.core.ports import Json

KEYS, VALUES = st.sampled_from("abc"), st.sampled_from(["", "x", "y"])


def asked(key: str = "a", value: str = "x", effect: Effect = Effect.NO_EXECUTE) -> TaintNodeParameters:
    return TaintNodeParameters(node="n1", key=key, value=value, effect=effect)


def taint(key: str, value: str = "", effect: str = "NoExecute", **more: str) -> Json:
    return {"key": key, "effect": effect, **({"value": value} if value else {}), **more}


TAINTS = st.dictionaries(st.tuples(KEYS, st.sampled_from(list(Effect))), VALUES).map(
    lambda found: [taint(key, value, str(effect)) for (key, effect), value in found.items()]
)


@given(TAINTS, KEYS, VALUES, st.sampled_from(list(Effect)))
def test_it_is_set_and_taken_off_and_all_others_stay(taints: Any, key: str, value: str, effect: Effect) -> None:
    parameters = asked(key, value, effect)
    others = [one for one in taints if (one["key"], one["effect"]) != (key, effect)]
    with_it = changed(taints, parameters, value)
    assert value_of(with_it, parameters) == value
    assert [one for one in with_it if (one["key"], one["effect"]) != (key, effect)] == others
    assert changed(with_it, parameters, None) == others


def test_what_others_wrote_beside_key_value_and_effect_stays() -> None:
    theirs = taint("b", "y", timeAdded="2026-11-22T15:04:05Z")
    assert changed([theirs], asked(), "x") == [theirs, taint("a", "x")]


TOLERATIONS: list[tuple[str, Json, bool]] = [
    ("all", {"operator": "Exists"}, True),
    ("all of another effect", {"operator": "Exists", "effect": "NoSchedule"}, False),
    ("the key", {"key": "a", "operator": "Exists"}, True),
    ("the key and effect", {"key": "a", "operator": "Exists", "effect": "NoExecute"}, True),
    ("another key", {"key": "b", "operator": "Exists"}, False),
    ("the value", {"key": "a", "operator": "Equal", "value": "x"}, True),
    ("the value, by default", {"key": "a", "value": "x"}, True),
    ("another value", {"key": "a", "value": "y"}, False),
    ("no value", {"key": "a"}, False),
    ("no key", {"value": "x"}, False),
]


@pytest.mark.parametrize(("toleration", "stays"), [row[1:] for row in TOLERATIONS], ids=[row[0] for row in TOLERATIONS])
def test_which_pods_may_stay(toleration: Json, stays: bool) -> None:
    assert tolerates([toleration], asked()) is stays


def test_without_tolerations_none_may() -> None:
    assert not tolerates([], asked())
