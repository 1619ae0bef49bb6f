"""What http-request sends, and what it makes of the answers, with a target that is played."""

import asyncio
import json

import pytest
from unit.actions.http_stage import ACTION, OPERATION, PlayedTarget, preview, request, run

from controller.core.errors import LostAnswer, PermanentFailure, TransientFailure
from controller.core.ports import HttpAnswer


def test_every_request_carries_the_operation_and_who_we_are() -> None:
    target = PlayedTarget()
    run(target, body={"b": 1, "a": "é"}, headers={"X-Team": "checkout"})
    ((method, url, headers, body, may_change),) = target.sent
    assert (method, url, may_change) == ("POST", "https://hooks.example.com/deploys", True)
    assert headers["Idempotency-Key"] == OPERATION.id
    assert headers["User-Agent"].startswith("action-operator/")
    assert (headers["Content-Type"], headers["X-Team"]) == ("application/json", "checkout")
    assert body is not None
    assert json.loads(body) == {"a": "é", "b": 1}


def test_repeating_the_operation_sends_the_very_same() -> None:
    target = PlayedTarget()
    for _ in range(2):
        run(target, method="PUT", body={"b": 1, "a": 2})
    assert target.sent[0] == target.sent[1]


def test_given_content_type_wins_in_any_case() -> None:
    target = PlayedTarget()
    run(target, method="PATCH", body={}, headers={"content-type": "application/merge-patch+json"})
    headers = target.sent[0][2]
    assert [value for name, value in headers.items() if name.lower() == "content-type"] == [
        "application/merge-patch+json"
    ]


@pytest.mark.parametrize(("method", "may_change"), [("GET", False), ("HEAD", False), ("DELETE", True), ("PUT", True)])
def test_only_safe_methods_change_nothing(method: str, may_change: bool) -> None:
    target = PlayedTarget()
    run(target, method=method)
    assert target.sent[0][3:] == (None, may_change)


def test_preview_asks_policy_and_sends_nothing() -> None:
    target = PlayedTarget(refused="policy p allows no host")
    with pytest.raises(PermanentFailure, match="policy p"):
        preview(target)
    assert target.sent == []


def test_preview_names_what_is_sent_but_no_header_value() -> None:
    shown = preview(PlayedTarget(), body={"routing_key": "r-4711"}, headers={"X-Team": "red-team-7"})
    (change,) = shown.changes
    assert (change.target, change.path, change.before) == ("https://hooks.example.com/deploys", "POST", None)
    assert "routing_key" in change.after
    assert "X-Team" in change.after
    assert "red-team-7" not in str(shown)
    assert shown.undo is None
    assert any("parameters.body.routing_key looks like a credential" in warning for warning in shown.warnings)


def test_reading_changes_nothing() -> None:
    assert preview(PlayedTarget(), method="GET").changes == ()


def test_two_previews_of_one_request_are_equal() -> None:
    assert preview(PlayedTarget(), body={"a": 1}) == preview(PlayedTarget(), body={"a": 1})


def test_outputs_hold_the_status_and_what_was_asked_for() -> None:
    target = PlayedTarget(HttpAnswer(201, {"set-cookie": "session=1"}, '{"issue": {"key": "OPS-1"}, "rest": 2}'))
    assert run(target).outputs == {"status": 201}
    done = run(target, outputs={"ticket": "issue.key", "other": "nowhere"})
    assert done.outputs == {"status": 201, "json": {"ticket": "OPS-1"}}
    assert "other" in done.message


def test_a_lost_answer_to_a_read_is_only_a_failed_read() -> None:
    lost = LostAnswer("timed out", retry_after_seconds=3)
    with pytest.raises(TransientFailure) as caught:
        run(PlayedTarget(lost), method="GET")
    assert caught.value.retry_after_seconds == 3
    with pytest.raises(LostAnswer):
        run(PlayedTarget(lost), method="PUT")


def test_what_the_answer_proves_is_raised() -> None:
    with pytest.raises(PermanentFailure, match="status 422"):
        run(PlayedTarget(HttpAnswer(422, {}, "")))
    with pytest.raises(TransientFailure):
        run(PlayedTarget(HttpAnswer(503, {}, "")), notDoneOn=[503])


def test_what_came_of_it_cannot_be_seen_later() -> None:
    target = PlayedTarget()
    assert asyncio.run(ACTION.observe(request(target), OPERATION)) is None
    assert asyncio.run(ACTION.verify(request(target), OPERATION)).ok
    assert target.sent == []
