"""What is nested too deep is read all the same, and nothing else is changed."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.core.nesting import KEPT, ShallowDecoder, loads, shallow, too_deep

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6) | st.sampled_from(['"', "\\", '\\"[', "]}", "{"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)


def deep(levels: int, opening: str, closing: str, inside: str = "1") -> str:
    return opening * levels + inside + closing * levels


@pytest.mark.parametrize(("opening", "closing"), [('{"a":', "}"), ("[", "]"), ('[{"]": ', "}]")], ids=str)
@pytest.mark.parametrize("levels", [1_000, 9_990])
def test_what_is_nested_too_deep_is_read_with_what_stands_beside_it(levels: int, opening: str, closing: str) -> None:
    document = '{"before": "\\"[{", "deep": ' + deep(levels, opening, closing) + ', "after": [2, "]"]}'
    for text in (document, document.encode()):
        found = loads(text)
        assert (found["before"], found["after"]) == ('"[{', [2, "]"])
        assert too_deep(found["deep"])
    assert ShallowDecoder().decode(document) == loads(document)


@given(json_values)
def test_the_rest_is_read_as_it_stands(value: Any) -> None:
    assert loads(json.dumps(value)) == value
    assert json.loads(shallow(json.dumps(value))) == value


def test_it_leaves_out_what_is_below_the_levels_that_are_kept() -> None:
    assert json.loads(shallow(deep(KEPT, "[", "]"))) == json.loads(deep(KEPT, "[", "]"))
    assert json.loads(shallow(deep(KEPT + 2, "[", "]"))) == json.loads(deep(KEPT, "[", "]", "null"))


@pytest.mark.parametrize("text", ["[" * 5_000, "]" * 5_000, "[" * 5_000 + "]" * 4_000, "", "nul"])
def test_what_is_no_json_stays_none(text: str) -> None:
    with pytest.raises(ValueError):
        loads(text)
