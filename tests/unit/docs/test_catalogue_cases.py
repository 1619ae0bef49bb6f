"""The table of cases that the tests of the catalogue play: complete, and true to what the types say of themselves."""

import re
from pathlib import Path

import pytest
from harness.catalogue import CASES
from harness.catalogue.case import REGISTRY, Case

ROOT = Path(__file__).parents[3]
README = ROOT / "docs" / "actions" / "README.md"

each = pytest.mark.parametrize("case", CASES, ids=str)


def test_every_type_has_one() -> None:
    assert sorted(case.action for case in CASES) == sorted(action.name for action in REGISTRY)


def test_every_type_has_an_example() -> None:
    examples = {path.stem for path in (ROOT / "examples" / "actions").glob("*.yaml")}
    assert examples == {action.name for action in REGISTRY}


@each
def test_it_is_at_most_once_if_its_type_is(case: Case) -> None:
    if not case.type.about.repeats:
        assert case.once != case.type.idempotent


@each
def test_what_takes_it_back_is_documented_where_anything_does(case: Case) -> None:
    assert bool(case.type.about.undone_by) == bool(case.type.inverses)


@each
def test_it_says_how_its_effect_is_seen(case: Case) -> None:
    assert case.before != case.after or not case.effects


@each
def test_its_bad_parameters_are_named_by_as_many_faults(case: Case) -> None:
    assert case.bad
    assert len(case.faults) == len(case.bad)


def test_the_documentation_lists_what_is_not_played() -> None:
    wanted = {case.action: case.instead for case in CASES if case.instead}
    for action, instead in wanted.items():
        print(f"{action}: {instead}")
    rows = README.read_text().partition("## How they are tested")[2].partition("\n## ")[0].partition("| --- | --- |")[2]
    assert dict(re.findall(r"^\| ([a-z-]+) \| (.*) \|$", rows, re.MULTILINE)) == wanted
