"""`audit` and `diff`: what the status keeps joined with Events, gaps told; previews as diffs."""

from typing import Any

import cli_samples as samples
import pytest
from drawing import model

from controller.api.common import Preview
from controller.cli.auditing import gaps, merged
from controller.cli.diffing import diff_lines

DIGEST = "sha256:" + "0" * 64
UID = "5f0c1b9e-0000-4000-8000-000000000000"


def at(second: int) -> str:
    return f"2026-11-22T15:00:{second:02}.000Z"


def attempt(number: int, started: int, **more: Any) -> dict[str, Any]:
    return {
        "number": number, "id": f"id-{number}", "operation": "o", "owner": "pod", "typeDigest": DIGEST,
        "idempotent": True, "startedAt": at(started), "deadline": at(59), **more,
    }  # fmt: skip


def entry(n: int, reason: str, second: int) -> dict[str, Any]:
    return {"n": n, "at": at(second), "reason": reason, "actor": "action-operator", "message": f"no. {n}"}


def event(n: int, reason: str, second: int, uid: str = UID) -> dict[str, Any]:
    return {
        "metadata": {"name": f"one.5f0c1b9e.{n}.{reason.lower()}"}, "regarding": {"uid": uid},
        "eventTime": at(second), "reason": reason, "note": f"event {n}",
    }  # fmt: skip


def proposal(history: list[dict[str, Any]], attempts: list[dict[str, Any]]) -> Any:
    status = {"observedGeneration": 1, "history": history, "attempts": attempts}
    return model(samples.proposal("one", status=status, uid=UID))


def test_the_status_is_the_record_and_events_fill_in_what_it_keeps_no_longer() -> None:
    subject = proposal(
        [entry(5, "Retrying", 20), entry(6, "Completed", 25)], [attempt(1, 10, result="Failed"), attempt(2, 20)]
    )
    events = [event(1, "Proposed", 1), event(2, "Executing", 10), event(6, "Completed", 25),
              event(3, "Other", 11, uid="of-another")]  # fmt: skip
    found = merged(subject, events)
    assert [(one.n, one.source, one.who) for one in found] == [
        (1, "event", "-"), (2, "event", "-"), (5, "status", "action-operator"), (6, "status", "action-operator"),
    ]  # fmt: skip
    assert found[-1].message == "no. 6"
    assert [one.attempt.id if one.attempt else None for one in found] == [None, None, "id-2", "id-2"]
    assert gaps(found) == ["3 to 4"]


def test_what_came_before_an_attempt_is_not_said_to_be_of_it() -> None:
    subject = proposal([entry(1, "Proposed", 10), entry(2, "Executing", 10), entry(3, "Blocked", 30)],
                       [attempt(1, 10)])  # fmt: skip
    assert [one.attempt.number if one.attempt else None for one in merged(subject, [])] == [None, 1, None]
    assert gaps(merged(subject, [])) == []


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        (2, 6, ["-2", "+6"]),
        (None, "on", ["+on"]),
        ({"a": 1}, None, ["-a: 1"]),
        ("one\ntwo\nthree", "one\n2\nthree", [" one", "-two", "+2", " three"]),
        (["a", "b"], ["a", "c"], [" - a", "-- b", "+- c"]),
        (True, False, ["-true", "+false"]),
    ],
)
def test_a_change_is_a_hunk_of_what_differs(before: Any, after: Any, lines: list[str]) -> None:
    change = {"target": "Deployment shop/a", "path": "spec.x", "before": before, "after": after}
    preview = Preview.model_validate({"summary": "s", "computedAt": at(1), "changes": [change]})
    assert [line.plain for line in diff_lines("ap/one", preview)] == [
        "--- Deployment shop/a (now)",
        "+++ Deployment shop/a (after ap/one)",
        "@@ spec.x @@",
        *lines,
    ]
