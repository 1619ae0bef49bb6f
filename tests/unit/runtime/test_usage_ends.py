"""When targets were last left, against a list of all that ever ended."""

from datetime import UTC, datetime, timedelta
from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from controller.core.matching import UNPROVEN
from controller.runtime.usage.counting import Action, Counting, Subject
from controller.runtime.usage.ends import GROUPS_KEPT, Ends

BEGIN = datetime(2026, 11, 22, 15, tzinfo=UTC)
TARGET = "Deployment shop/web"
GROUPS = st.sampled_from("abcde")
SUBJECTS = st.sampled_from([Subject("shop", action, UNPROVEN) for action in ("scale", "restart", "wait")])


class _Counting:
    """A policy that counts all but what waits."""

    def counts(self, policy: str, subject: Subject) -> bool:
        return subject.action != "wait"

    def longest_cooldown(self) -> timedelta:
        return timedelta(hours=1)


@given(st.lists(st.tuples(SUBJECTS, GROUPS, st.integers(0, 20))), GROUPS)
def test_the_last_end_of_another_group_is_known_whatever_came_before(
    told: list[tuple[Subject, str, int]], asks: str
) -> None:
    ends = Ends(cast("Counting", _Counting()), lambda: BEGIN)
    for subject, group, second in told:
        ends.add(Action(subject, TARGET, group), BEGIN + timedelta(seconds=second))
    expected = max((second for one, group, second in told if one.action != "wait" and group != asks), default=None)
    found = ends.last("careful", TARGET, asks)
    assert found == (None if expected is None else BEGIN + timedelta(seconds=expected))
    kept = [groups for subjects in ends._ends.values() for groups in subjects.values()]
    assert all(len(groups) <= GROUPS_KEPT for groups in kept), "each proposal is a group: there is no end of them"
