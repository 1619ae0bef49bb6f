"""What answers prove, as one table; what of them is kept."""

from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.actions.http_answer import SUCCESS, Asked, fault_of, selected
from controller.core.errors import (
    ActionError,
    EffectFailed,
    LostAnswer,
    PermanentFailure,
    Repeatable,
    TransientFailure,
)
from controller.core.ports import HttpAnswer
from controller.core.retry_after import LONGEST_SECONDS, retry_after_seconds

NOW = datetime(2026, 11, 22, 15, 4, 5, tzinfo=UTC)
SAFE, REPEATABLE, ONCE = "GET", "PUT", "POST"


def asked(method: str, **more: Any) -> Asked:
    return Asked(
        method=method,
        host="hooks.example.com",
        idempotent=method != ONCE,
        may_change=method != SAFE,
        **more,
    )


def answer(status: int, text: str = "", **headers: str) -> HttpAnswer:
    return HttpAnswer(status, {name.replace("_", "-"): value for name, value in headers.items()}, text)


ALL = (SAFE, REPEATABLE, ONCE)
TABLE: list[tuple[tuple[str, ...], int, type[ActionError] | None]] = [
    (ALL, 200, None),
    (ALL, 204, None),
    (ALL, 299, None),
    (ALL, 400, PermanentFailure),
    (ALL, 401, PermanentFailure),
    (ALL, 403, PermanentFailure),
    (ALL, 404, PermanentFailure),
    (ALL, 410, PermanentFailure),
    (ALL, 422, PermanentFailure),
    (ALL, 409, TransientFailure),
    (ALL, 423, TransientFailure),
    (ALL, 425, TransientFailure),
    (ALL, 429, TransientFailure),
    ((SAFE,), 408, TransientFailure),
    ((SAFE,), 500, TransientFailure),
    ((SAFE,), 503, TransientFailure),
    ((REPEATABLE, ONCE), 408, LostAnswer),
    ((REPEATABLE, ONCE), 500, LostAnswer),
    ((REPEATABLE, ONCE), 503, LostAnswer),
    ((REPEATABLE, ONCE), 504, LostAnswer),
    ((REPEATABLE, ONCE), 599, LostAnswer),
    ((REPEATABLE, ONCE), 700, LostAnswer),
    ((SAFE, REPEATABLE), 301, PermanentFailure),
    ((SAFE, REPEATABLE), 302, PermanentFailure),
    (ALL, 307, PermanentFailure),
    (ALL, 308, PermanentFailure),
    ((SAFE,), 303, PermanentFailure),
    ((REPEATABLE, ONCE), 303, LostAnswer),
    ((ONCE,), 302, LostAnswer),
]


@pytest.mark.parametrize(
    ("method", "status", "fault"),
    [(method, status, fault) for methods, status, fault in TABLE for method in methods],
)
def test_what_a_status_proves(method: str, status: int, fault: type[ActionError] | None) -> None:
    found = fault_of(asked(method), answer(status), NOW)
    assert type(found) is (fault or type(None))


@given(st.sampled_from(ALL), st.integers(100, 999))
def test_only_a_named_or_good_status_is_success(method: str, status: int) -> None:
    assert (fault_of(asked(method), answer(status), NOW) is None) == (status in SUCCESS)


@given(st.integers(500, 999) | st.just(408))
def test_a_changing_request_is_never_called_not_done_without_proof(status: int) -> None:
    for method in (REPEATABLE, ONCE):
        assert isinstance(fault_of(asked(method), answer(status), NOW), LostAnswer)


@pytest.mark.parametrize("status", [404, 410, 302, 202])
def test_a_named_status_is_the_one_asked_for(status: int) -> None:
    assert fault_of(asked("DELETE", statuses=frozenset({status})), answer(status), NOW) is None


def test_another_success_than_the_named_was_done_all_the_same() -> None:
    found = fault_of(asked(ONCE, statuses=frozenset({201})), answer(202), NOW)
    assert isinstance(found, EffectFailed)
    assert "parameters.expect.status" in str(found)


@pytest.mark.parametrize("status", [400, 503, 408])
def test_not_done_on_proves_it_even_for_post(status: int) -> None:
    found = fault_of(asked(ONCE, not_done_on=frozenset({status})), answer(status, retry_after="7"), NOW)
    assert type(found) is TransientFailure
    assert found.retry_after_seconds == 7


@pytest.mark.parametrize(("method", "status"), [(SAFE, 503), (ONCE, 503), (ONCE, 429), (REPEATABLE, 409)])
def test_retry_after_is_handed_on(method: str, status: int) -> None:
    found = fault_of(asked(method), answer(status, retry_after="120"), NOW)
    assert isinstance(found, Repeatable)
    assert found.retry_after_seconds == 120


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        (" 5 ", 5),
        (format_datetime(NOW.replace(minute=5), usegmt=True), 60),
        (format_datetime(NOW.replace(hour=1), usegmt=True), 0),
        ("soon", None),
        ("-5", None),
        ("", None),
        ("٣", None),
        ("0000000005", 5),
        ("1000000001", LONGEST_SECONDS),
        ("9" * 5000, LONGEST_SECONDS),
        (format_datetime(NOW.replace(year=9999), usegmt=True), LONGEST_SECONDS),
        (f"Mon, 01 Jan {'9' * 20} 00:00:00 GMT", None),
        (f"Mon, 01 Jan 2026 00:00:00 +{'9' * 20}", None),
    ],
)
def test_retry_after_forms(value: str, seconds: float | None) -> None:
    assert retry_after_seconds(value, NOW) == seconds


@given(st.text(max_size=60))
def test_no_retry_after_breaks_it(value: str) -> None:
    seconds = retry_after_seconds(value, NOW)
    assert seconds is None or seconds >= 0


@pytest.mark.parametrize(
    ("expected", "body", "differs"),
    [
        pytest.param({"state": "done"}, '{"state": "done"}', None, id="equal"),
        pytest.param({"queue.depth": 0}, '{"queue": {"depth": 0.0}}', None, id="one number in two forms"),
        pytest.param({"items.1.name": "b"}, '{"items": [{}, {"name": "b"}]}', None, id="index of a list"),
        pytest.param({"a": {"b": [1, None]}}, '{"a": {"b": [1, null]}}', None, id="deep"),
        pytest.param(
            {"state": "done"},
            '{"state": "open"}',
            'state in its JSON is not what was expected ("done")',
            id="another value",
        ),
        pytest.param(
            {"ready": True}, '{"ready": 1}', "ready in its JSON is not what was expected (true)", id="one is not true"
        ),
        pytest.param({"a.b": 1}, '{"a": []}', "a.b is missing", id="missing"),
        pytest.param({"a.5": 1}, '{"a": [1]}', "a.5 is missing", id="index beyond the list"),
        pytest.param({"a": 1}, "<html>", "not JSON", id="no JSON"),
        pytest.param({"a": 1}, "[" * 100_000, "not JSON", id="nested too deep"),
    ],
)
def test_expected_json(expected: dict[str, Any], body: str, differs: str | None) -> None:
    found = fault_of(asked(ONCE, expected_json=expected), answer(200, body), NOW)
    if differs is None:
        assert found is None
    else:
        assert isinstance(found, EffectFailed)
        assert differs in str(found)


def test_selected_values_keep_their_bound() -> None:
    text = '{"small": 1, "big": "' + "x" * 5000 + '", "list": [{"id": 7}], "huge": 18446744073709551617}'
    paths = {"a": "small", "b": "big", "c": "list.0.id", "d": "nowhere", "e": "huge"}
    assert selected(paths, text, 4096) == ({"a": 1, "c": 7}, ("b", "d", "e"))
    assert selected(paths, "no json", 4096) == ({}, tuple(paths))
