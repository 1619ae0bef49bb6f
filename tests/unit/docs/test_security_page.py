"""docs/security.md: every attack has a test that is there, and what stops it is among the shipped policies."""

import re
from pathlib import Path

import pytest

from controller.core.admission import SHIPPED

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "security.md").read_text()
ROW = re.compile(r"^\| (.+) \| (.+) \| \[(test_[a-z0-9_, ]+)\]\((.+)\) \|$", re.MULTILINE)
ATTACKS = ROW.findall(PAGE.partition("## Attacks")[2])
POLICIES = {name.removeprefix("action-operator-") for names in SHIPPED.values() for name in names}


def test_the_table_is_read_whole() -> None:
    rows = PAGE.partition("## Attacks")[2].partition("## Where it ends")[0]
    assert len(ATTACKS) == rows.count("\n| ") - 2 > 20


@pytest.mark.parametrize(("attack", "stops", "tests", "file"), ATTACKS, ids=[row[0] for row in ATTACKS])
def test_an_attack_has_its_test(attack: str, stops: str, tests: str, file: str) -> None:
    code = (DOCS / file).read_text()
    assert [name for name in tests.split(", ") if f"def {name}(" not in code] == []
    assert set(re.findall(r"`([a-z-]+)`", stops)) <= POLICIES
