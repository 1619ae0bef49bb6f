"""The graph of steps: what waits for what, and every fault of it."""

from typing import Any

import pytest
from unit.core.making import workflow

from controller.core.graph import graph_faults, predecessors

GRAPH: Any = {"order": "Graph"}


def steps(**depends_on: str) -> list[Any]:
    """`b="a"`: b depends on a; several are separated by spaces."""
    return [{"name": name, **({"dependsOn": on.split()} if on else {})} for name, on in depends_on.items()]


def faults(rows: list[Any], spec: Any = GRAPH) -> list[str]:
    made = workflow(spec, steps=rows)[0].spec
    return list(graph_faults(made.steps, made.order))


def test_a_sequence_goes_one_by_one() -> None:
    made, _ = workflow(steps=steps(a="", b="", c=""))
    assert predecessors(made.spec.steps, made.spec.order) == {"a": (), "b": ("a",), "c": ("b",)}


def test_a_graph_goes_as_it_says() -> None:
    made, _ = workflow(GRAPH, steps=steps(a="", b="a", c="a", d="b c"))
    assert predecessors(made.spec.steps, made.spec.order) == {"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c")}


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        pytest.param(steps(a="", b="a", c="a b"), [], id="in order"),
        pytest.param(steps(a="b", b="a"), ["a -> b -> a|b -> a -> b"], id="two wait for each other"),
        pytest.param(steps(a="a"), ["a -> a"], id="one waits for itself"),
        pytest.param(steps(a="", b="d", c="b", d="c"), ["wait for each other"], id="three in a ring"),
        pytest.param(steps(a="x"), ["spec.steps[a].dependsOn: there is no step x (there are: a)"], id="unknown"),
        pytest.param(
            steps(a="x y", b="z"), ["[a].dependsOn: there is no step x", "[a].dependsOn: there is no step y",
                                    "[b].dependsOn: there is no step z"], id="every unknown one",
        ),
        pytest.param([*steps(a=""), *steps(a="")], ["the name a is used more than once"], id="doubled"),
    ],
)  # fmt: skip
def test_every_fault_is_named(rows: list[Any], words: list[str]) -> None:
    found = faults(rows)
    assert len(found) == len(words)
    for message, expected in zip(found, words, strict=True):
        assert any(part in message for part in expected.split("|"))


def test_a_doubled_name_in_a_sequence_is_one_fault_and_not_a_ring() -> None:
    assert faults([*steps(a="", b=""), *steps(a="")], {}) == ["spec.steps: the name a is used more than once"]
