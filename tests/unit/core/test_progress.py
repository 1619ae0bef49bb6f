"""What status says of an attempt under way: the newest, rarely, and nothing of what is short."""

from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from unit.core.making import CHANCE, NOW, after, attempt, claimed, view, with_status

from controller.api.base import rfc3339
from controller.api.names import ConditionType, Phase
from controller.core.attempt_report import Stop
from controller.core.decision import Decision
from controller.core.progress import EVERY
from controller.core.proposal import decide
from controller.core.view import ProposalView

HALT = {"mode": "Execute", "halt": True}


def running(progress: str, *, policies: Any = ({"mode": "Execute"},), **attempt_fields: Any) -> ProposalView:
    """With an attempt that was claimed at NOW."""
    fields = {"startedAt": rfc3339(NOW), "deadline": rfc3339(after(600)), **attempt_fields}
    return view(status=claimed(attempt(**fields)), running=True, progress=progress, policies=policies)


def test_what_is_short_costs_no_write() -> None:
    decision = decide(running("1 of 3 pods evicted"), after(9.999), CHANCE)
    assert decision == Decision(wake_at=after(10))


def test_what_says_nothing_costs_nothing_however_long_it_takes() -> None:
    assert decide(running(""), after(500), CHANCE) == Decision()


def test_after_ten_seconds_status_says_how_far_it_is_and_history_does_not() -> None:
    seen = running("1 of 3 pods evicted")
    status = decide(seen, after(10), CHANCE).status
    assert status is not None
    assert (status.phase, status.outcome) == (Phase.RUNNING, None)
    assert status.message == "attempt 1: 1 of 3 pods evicted"
    assert status.attempts[-1].progress_at == after(10)
    assert status.history == seen.proposal.status.history
    told = {condition.type: condition.message for condition in status.conditions}
    assert told[ConditionType.RECONCILING] == status.message


def test_the_same_is_not_said_twice() -> None:
    seen = running("1 of 3 pods evicted")
    status = decide(seen, after(10), CHANCE).status
    assert status is not None
    assert decide(with_status(seen, status), after(60), CHANCE) == Decision()


def test_it_is_cut_to_what_the_schema_takes() -> None:
    status = decide(running("x" * 5000), after(10), CHANCE).status
    assert status is not None
    assert len(status.message or "") <= 1024
    assert decide(with_status(running("x" * 5000), status), after(60), CHANCE) == Decision()


def test_a_halt_comes_first() -> None:
    decision = decide(running("1 of 3 pods evicted", policies=(HALT,)), after(60), CHANCE)
    assert (decision.stop, decision.status) == (Stop.HALTED, None)


@given(st.lists(st.floats(min_value=0.001, max_value=30), min_size=1, max_size=60))
def test_however_often_it_says_something_new_it_is_written_at_most_every_ten_seconds(pauses: list[float]) -> None:
    seen, now, written = running("begins"), NOW, [NOW]
    for number, pause in enumerate(pauses):
        now += timedelta(seconds=pause)
        decision = decide(_saying(seen, f"pod {number}"), now, CHANCE)
        if decision.status is None:
            assert decision.wake_at is not None
            assert decision.wake_at > now
            continue
        assert now - written[-1] >= EVERY - timedelta(milliseconds=1)  # status keeps milliseconds
        written.append(now)
        seen = with_status(seen, decision.status)
    assert len(written) - 1 <= (now - NOW) / EVERY + 1


def _saying(seen: ProposalView, progress: str) -> ProposalView:
    return with_status(seen, seen.proposal.status, progress=progress)
