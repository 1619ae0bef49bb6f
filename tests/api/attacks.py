"""Tables of attacks: one line each, what is done and what the API server tells the one who does it."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from api_server import Answer
from guarded import Guarded

Deed = Callable[[Guarded], Answer]


@dataclass(frozen=True)
class Attack:
    """Something that is refused, and what is told. NAMESPACE stands for the name of the namespace."""

    name: str
    do: Deed
    told: str


def attacks(*rows: tuple[str, Deed, str]) -> pytest.MarkDecorator:
    """A test for each row."""
    return pytest.mark.parametrize("attack", [Attack(*row) for row in rows], ids=lambda attack: attack.name)


def refused(attack: Attack, guard: Guarded) -> None:
    """It is forbidden, in these words."""
    answer = attack.do(guard)
    assert answer.status == 403, f"{answer.status} {answer.says or answer.body}"
    assert attack.told.replace("NAMESPACE", guard.namespace) in answer.says


def accepted(answer: Answer) -> None:
    """It is not refused."""
    assert answer.accepted, answer.says
