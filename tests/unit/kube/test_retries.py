"""What is repeated in process, how often, and how patiently."""

import asyncio
from collections.abc import Callable

import pytest

from controller.core.errors import (
    ActionError,
    Conflict,
    LostAnswer,
    NotFound,
    PermanentFailure,
    RightMissing,
    Throttled,
    TransientFailure,
)
from controller.core.retry_after import LONGEST_SECONDS
from controller.kube.retries import READ_TRIES, read_again, write_again


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """All waits of the test, which take no time."""
    taken: list[float] = []

    async def sleep(seconds: float) -> None:
        taken.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return taken


def failing(*errors: ActionError) -> tuple[Callable[[], object], list[int]]:
    calls: list[int] = []

    async def call() -> str:
        calls.append(1)
        if len(calls) <= len(errors):
            raise errors[len(calls) - 1]
        return "fine"

    return call, calls


def test_a_read_is_tried_again_while_the_trouble_may_pass(waits: list[float]) -> None:
    call, calls = failing(TransientFailure("away"), Throttled("busy", retry_after_seconds=1.5))
    assert asyncio.run(read_again(call)) == "fine"  # type: ignore[arg-type]
    assert len(calls) == 3
    assert 0 <= waits[0] <= 2
    assert waits[1] >= 1.5


def test_a_read_is_not_tried_for_ever() -> None:
    call, calls = failing(*[TransientFailure(f"away {n}") for n in range(1, 10)])
    with pytest.raises(TransientFailure, match=f"away {READ_TRIES}"):
        asyncio.run(read_again(call))  # type: ignore[arg-type]
    assert len(calls) == READ_TRIES


@pytest.mark.parametrize("asked_seconds", [60, LONGEST_SECONDS])
def test_a_read_does_not_wait_longer_than_a_few_seconds(waits: list[float], asked_seconds: float) -> None:
    call, calls = failing(Throttled("busy", retry_after_seconds=asked_seconds))
    with pytest.raises(Throttled):
        asyncio.run(read_again(call))  # type: ignore[arg-type]
    assert (len(calls), waits) == (1, [])


@pytest.mark.parametrize(
    "error", [NotFound("x"), PermanentFailure("x"), RightMissing("x"), Conflict("x"), LostAnswer("x")]
)
def test_other_answers_to_a_read_are_final(error: ActionError) -> None:
    call, calls = failing(error)
    with pytest.raises(type(error)):
        asyncio.run(read_again(call))  # type: ignore[arg-type]
    assert len(calls) == 1


def test_reads_at_the_same_time_do_not_share_their_tries() -> None:
    async def run() -> None:
        made = [failing(*[TransientFailure("away")] * 3) for _ in range(20)]
        assert await asyncio.gather(*(read_again(call) for call, _ in made)) == ["fine"] * 20  # type: ignore[arg-type]
        assert {len(calls) for _, calls in made} == {4}

    asyncio.run(run())


def test_a_write_under_a_fixed_name_is_also_repeated_after_a_lost_answer() -> None:
    call, calls = failing(LostAnswer("reset"), TransientFailure("away"), Conflict("exists"))
    with pytest.raises(Conflict):
        asyncio.run(write_again(call, tries=5, seconds=30))  # type: ignore[arg-type]
    assert len(calls) == 3
