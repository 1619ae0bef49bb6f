"""wait and log-message: no API behind them."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.actions.base import Action
from controller.actions.log_message import LogMessage, visible
from controller.actions.wait import Wait
from controller.core.ports import Cluster, Done, Http, Operation, Request

START = datetime(2026, 11, 22, 15, 4, 5, tzinfo=UTC)
OPERATION = Operation("0193f0a0-0000-7000-8000-000000000001", START, START + timedelta(hours=1))


def request(action: Action[Any], **parameters: Any) -> Request[Any]:
    return Request(
        parameters=action.parse(parameters),
        namespace="shop",
        proposal="p",
        proposal_uid="1",
        runner=None,
        cluster=cast("Cluster", None),
        http=cast("Http", None),
    )


@pytest.mark.parametrize(("passed", "over"), [(0, False), (59.999, False), (60, True), (86_400, True)])
def test_wait_is_over_when_the_time_since_the_claim_has_passed(passed: float, over: bool) -> None:
    wait = Wait(lambda: START + timedelta(seconds=passed))  # a new process knows nothing but the clock
    seen = asyncio.run(wait.verify(request(wait, seconds=60), OPERATION))
    assert seen.ok is over
    assert over or seen.again_at == START + timedelta(seconds=60)


def test_wait_runs_and_is_found_again_at_once() -> None:
    wait = Wait(lambda: START)
    done = asyncio.run(wait.run(request(wait, seconds=60), OPERATION))
    assert done == asyncio.run(wait.observe(request(wait, seconds=60), OPERATION))
    assert isinstance(done, Done)
    assert done.outputs == {"until": "2026-11-22T15:05:05.000Z"}


@pytest.mark.parametrize(
    ("level", "number"),
    [("Debug", logging.DEBUG), ("Info", logging.INFO), ("Warning", logging.WARNING), ("Error", logging.ERROR)],
)
def test_log_message_writes_one_line_of_that_level(caplog: pytest.LogCaptureFixture, level: str, number: int) -> None:
    action = LogMessage()
    with caplog.at_level(logging.DEBUG, logger="actionoperator.log_message"):
        asyncio.run(action.run(request(action, message="100% done\nERROR fake\x1b[2J %s", level=level), OPERATION))
    (record,) = caplog.records
    assert (record.levelno, record.name) == (number, "actionoperator.log_message")
    assert record.getMessage() == r"100% done\nERROR fake\x1b[2J %s"


def test_log_message_is_of_level_info_unless_told() -> None:
    assert request(LogMessage(), message="x").parameters.level == "Info"


@given(st.text())
def test_whatever_is_logged_stays_on_one_line(text: str) -> None:
    shown = visible(text)
    assert shown.isprintable()
    assert len(shown.splitlines()) <= 1
    if text.isprintable():
        assert shown == text
