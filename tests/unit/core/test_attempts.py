"""Claiming attempts: numbers, identifiers, which operation, what is kept of the earlier ones."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.core.making import CREATED, NOW, after, attempt, attempts, type_entry, view

from controller.api.base import rfc3339
from controller.api.names import AttemptResult
from controller.api.proposal import Attempt
from controller.core.attempt_report import Stop
from controller.core.attempts import any_unclear, claim
from controller.core.operation import new_operation, operation_time
from controller.core.proposal import recheck
from controller.core.view import Chance

DIGEST = "sha256:" + "a" * 64


def claimed_after(*earlier: Any, seconds: int = 300, end: float = 86_400) -> tuple[Attempt, ...]:
    return claim(
        attempts(*earlier),
        owner="operator-1",
        type_digest=DIGEST,
        idempotent=True,
        timeout_seconds=seconds,
        end=after(end),
        now=NOW,
        chance=Chance(0.5, UUID(int=99, version=4)),
    )


def test_the_first_claim() -> None:
    (made,) = claimed_after()
    assert (made.number, made.id, made.result, made.done_at) == (1, str(UUID(int=99, version=4)), None, None)
    assert made.deadline == after(300)
    assert UUID(made.operation).version == 7
    assert operation_time(made.operation) == NOW


def test_an_attempt_is_given_up_at_the_end_of_the_whole() -> None:
    (made,) = claimed_after(seconds=300, end=20)
    assert made.deadline == after(20)


LAST = [
    pytest.param(attempt(1, "NotDone"), "kept", False, id="not done: nothing to tell apart"),
    pytest.param(attempt(1, "Unknown"), "kept", False, id="lost answer: the target must recognise it"),
    pytest.param(attempt(1, "Interrupted", reason="OutcomeUnknown"), "kept", False, id="crash"),
    pytest.param(attempt(1, "Interrupted", reason="Halted"), "kept", False, id="halted"),
    pytest.param(attempt(1, "Failed"), "renewed", False, id="the target says that it failed"),
    pytest.param(attempt(1, "Failed", doneAt=rfc3339(CREATED)), "kept", True, id="done, not verified"),
    pytest.param(attempt(1, "Interrupted", doneAt=rfc3339(CREATED)), "kept", True, id="halted while verified"),
]


@pytest.mark.parametrize(("last", "operation", "done"), LAST)
def test_the_operation_is_the_effect(last: Any, operation: str, done: bool) -> None:
    made = claimed_after(last)[-1]
    assert (made.operation == last["operation"]) is (operation == "kept")
    assert (made.done_at is not None) is done
    assert made.number == 2


def test_ten_attempts_are_kept_and_numbers_go_on() -> None:
    kept = claimed_after(*(attempt(number, "NotDone") for number in range(7, 17)))
    assert [one.number for one in kept] == [*range(8, 18)]


@pytest.mark.parametrize("position", range(10))
def test_a_lost_answer_is_not_forgotten_however_many_attempts_follow(position: int) -> None:
    row = [attempt(number + 1, "Unknown" if number == position else "NotDone") for number in range(10)]
    kept = attempts(*row)
    for _ in range(25):
        kept = claimed_after(*(one.wire() for one in kept))
        assert len(kept) == 10
        assert any_unclear(kept)
        kept = (*kept[:-1], kept[-1].model_copy(update={"result": AttemptResult.NOT_DONE}))
    assert [one.number for one in kept[1:]] == [*range(27, 36)]


@pytest.mark.parametrize(
    ("row", "unclear"),
    [
        ([], False),
        ([attempt(1, "NotDone")], False),
        ([attempt(1, "Unknown")], True),
        ([attempt(1, "Unknown"), attempt(2)], True),
        ([attempt(1, "Unknown"), attempt(2, "NotDone")], True),
        ([attempt(1, "Unknown"), attempt(2, doneAt=rfc3339(NOW))], False),
        ([attempt(1, "Unknown"), attempt(2, "Failed")], False),
        ([attempt(1, "Unknown"), attempt(2, operation="another")], False),
        ([attempt(1, "Interrupted", reason="OutcomeUnknown")], True),
        ([attempt(1, "Interrupted", reason="Halted")], False),
    ],
)
def test_what_may_have_taken_effect(row: list[Any], unclear: bool) -> None:
    assert any_unclear(attempts(*row)) is unclear


@given(st.datetimes(min_value=CREATED.replace(tzinfo=None)), st.uuids(version=4))
def test_an_operation_carries_its_time(moment: Any, entropy: UUID) -> None:
    moment = moment.replace(tzinfo=NOW.tzinfo)
    operation = new_operation(moment, entropy)
    assert timedelta() <= moment - operation_time(operation) < timedelta(milliseconds=1)
    assert (UUID(operation).version, UUID(operation).variant) == (7, UUID(int=0, version=4).variant)


@pytest.mark.parametrize(
    ("circumstances", "fields", "stop"),
    [
        pytest.param({}, {}, None, id="start"),
        pytest.param({"spec": {"suspend": True}}, {}, Stop.HALTED, id="suspended meanwhile"),
        pytest.param({"spec": {"cancelled": True}}, {}, Stop.CANCELLED, id="cancelled meanwhile"),
        pytest.param({"policies": [{"halt": True}]}, {}, Stop.HALTED, id="halted meanwhile"),
        pytest.param({"types": []}, {}, Stop.HALTED, id="type gone"),
        pytest.param({"types": [type_entry("scale-workload", description="x")]}, {}, Stop.HALTED, id="type changed"),
        pytest.param({}, {"deadline": rfc3339(NOW)}, Stop.TIMEOUT, id="the answer came too late"),
    ],
)
def test_the_claim_is_checked_again_before_it_acts(circumstances: Any, fields: Any, stop: Stop | None) -> None:
    (made,) = attempts(attempt(**fields))
    assert recheck(view(**circumstances), made, NOW) is stop
