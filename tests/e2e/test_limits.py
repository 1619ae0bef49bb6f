"""Limits, windows and freezes: what waits says which policy, which rule and until when, writes nothing while it waits,
and goes on by itself; what was counted survives restarts and deletions.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from harness.stage import OPERATOR, Json, Stage

from controller.api.base import rfc3339
from hack.hook_target import HookTarget

MESSAGE: Json = {"message": "x"}
ADMITTED = ["blocked", "claimed", "ended"]
"""The writes to the status of what waited once and then ran: one each, however long it waited."""


@contextmanager
def ruled(stage: Stage, suffix: str, **spec: Any) -> Iterator[str]:
    """A policy for a while; its name. The operator has read it."""
    name = stage.policy(suffix, **spec)
    try:
        stage.kubectl("wait", f"apol/{name}", "--for=condition=Ready", "--timeout=20s")
        yield name
    finally:
        stage.kubectl("delete", "apol", name)


def put(stage: Stage, name: str, url: str, **spec: Any) -> None:
    stage.propose(name, "http-request", {"method": "PUT", "url": url}, **spec)


def blocked(stage: Stage, name: str, policy: str, rule: str, reason: str) -> Json:
    """What is said of it while it waits."""
    status = stage.phase("ap", name, "Blocked")
    assert (status["blocked"]["policy"], status["blocked"]["rule"]) == (policy, rule)
    assert f"policy {policy}" in status["message"], "people read it there"
    assert stage.condition(status, "Reconciling")["reason"] == "Blocked"
    assert stage.condition(status, "Ready")["reason"] == reason
    return status


def until(status: Json) -> datetime:
    return datetime.fromisoformat(status["blocked"]["until"])


def begun(status: Json) -> datetime:
    return datetime.fromisoformat(status["startedAt"])


def answers(stage: Stage, resource: str, name: str) -> list[int]:
    """What the API server answered to each of the operator's writes to one status, refused ones as well."""
    codes = []
    for line in stage.cluster.audit_log.read_text().splitlines():
        entry = json.loads(line)
        target = entry.get("objectRef") or {}
        ours = entry["user"]["username"] == OPERATOR and entry["verb"] in ("patch", "update")
        if ours and (target.get("resource"), target.get("name")) == (resource, name):
            codes.append(entry["responseStatus"]["code"])
    return codes


def succeeded(stage: Stage, name: str, *, writes: int = len(ADMITTED)) -> Json:
    """It has gone on by itself, and waiting has cost nothing."""
    status = stage.outcome("ap", name)
    assert status["outcome"] == "Succeeded", status
    assert answers(stage, "actionproposals", name) == [200] * writes
    return status


def test_places_are_few_and_the_next_one_has_its_turn_when_one_is_free(stage: Stage, hook: HookTarget) -> None:
    with ruled(stage, "places", limits={"maxConcurrent": 1}) as policy, held(hook) as let_go:
        put(stage, "place-1", hook.url + "/place-1")
        stage.wait("ap", "place-1", lambda _: hook.seen("/place-1"))
        for name in ("place-2", "place-3"):
            put(stage, name, hook.url + f"/{name}")
            status = blocked(stage, name, policy, "limits.maxConcurrent", "LimitReached")
            assert "until" not in status["blocked"], "nobody knows when it ends"
        assert not hook.seen("/place-2")
        let_go()
        first = succeeded(stage, "place-1", writes=2)
        second, third = (succeeded(stage, name) for name in ("place-2", "place-3"))
    ended = [datetime.fromisoformat(status["completedAt"]) for status in (first, second)]
    assert ended[0] <= begun(second)
    assert ended[1] <= begun(third), "in turn"


@contextmanager
def held(hook: HookTarget) -> Iterator[Callable[[], None]]:
    """Whoever calls the target waits for its answer until the test lets go."""
    release = hook.hold()
    try:
        yield release
    finally:
        release()


def test_starts_within_an_hour_are_counted_through_restarts_and_the_deletion_of_what_started(stage: Stage) -> None:
    with ruled(stage, "hour", limits={"maxPerHour": 1}) as policy:
        stage.propose("start-1", "log-message", MESSAGE)
        assert stage.outcome("ap", "start-1")["outcome"] == "Succeeded"
        (bucket,) = buckets(stage, policy)
        stage.kubectl("delete", "ap", "start-1")
        stage.operator.stop()
        stage.operator.start()
        stage.propose("start-2", "log-message", MESSAGE)
        status = blocked(stage, "start-2", policy, "limits.maxPerHour", "LimitReached")
        assert until(status) == datetime.fromisoformat(bucket["start"]) + timedelta(minutes=61)
        stage.operator.kill()
        stage.operator.start()
        stage.propose("start-3", "log-message", MESSAGE)
        blocked(stage, "start-3", policy, "limits.maxPerHour", "LimitReached")
        assert buckets(stage, policy) == [bucket]
        stage.policy("hour", limits={"maxConcurrent": 9})
        for name in ("start-2", "start-3"):
            succeeded(stage, name)


def buckets(stage: Stage, policy: str) -> list[Json]:
    found = json.loads(stage.kubectl("get", "apol", policy, "-o", "json"))
    told: list[Json] = found["status"].get("buckets") or []
    return told


def test_starts_are_reserved_with_at_most_one_write_a_minute(stage: Stage) -> None:
    with ruled(stage, "blocks", limits={"maxPerHour": 500}) as policy:
        before = len(answers(stage, "actionpolicies", policy))
        began = datetime.now(UTC)
        for n in range(12):
            stage.propose(f"block-{n}", "log-message", MESSAGE)
        for n in range(12):
            assert stage.outcome("ap", f"block-{n}")["outcome"] == "Succeeded"
        minutes = {began.minute, datetime.now(UTC).minute}
        assert len(answers(stage, "actionpolicies", policy)) - before <= len(minutes)


def test_a_target_rests_and_others_do_not_wait_for_it(stage: Stage, hook: HookTarget) -> None:
    with ruled(stage, "rest", limits={"perTargetCooldownSeconds": 4}) as policy:
        put(stage, "rest-1", hook.url + "/rest")
        first = stage.outcome("ap", "rest-1")
        put(stage, "rest-2", hook.url + "/rest?again")
        put(stage, "rest-other", hook.url + "/other")
        status = blocked(stage, "rest-2", policy, "limits.perTargetCooldownSeconds", "Cooldown")
        assert until(status) == datetime.fromisoformat(first["completedAt"]) + timedelta(seconds=4)
        succeeded(stage, "rest-other", writes=2)
        assert begun(succeeded(stage, "rest-2")) >= until(status)


def test_a_breaker_opens_lets_one_try_and_closes(stage: Stage, hook: HookTarget) -> None:
    limits = {"maxConsecutiveFailures": 2, "breakerResetSeconds": 3}
    with ruled(stage, "breaker", limits=limits) as policy:
        for n in range(2):
            put(stage, f"fail-{n}", hook.script(f"/fail-{n}", [400]))
            assert stage.outcome("ap", f"fail-{n}")["outcome"] == "Failed"
        put(stage, "try-1", hook.script("/try-1", [400]))
        waits = blocked(stage, "try-1", policy, "limits.maxConsecutiveFailures", "BreakerOpen")
        for name in ("try-2", "after"):
            put(stage, name, hook.url + f"/{name}")
            blocked(stage, name, policy, "limits.maxConsecutiveFailures", "BreakerOpen")
        stage.operator.kill()
        stage.operator.start()
        tried = stage.outcome("ap", "try-1")
        assert tried["outcome"] == "Failed"
        assert begun(tried) >= until(waits)
        opened_again = datetime.fromisoformat(tried["completedAt"])
        second = succeeded(stage, "try-2")
        assert begun(second) >= opened_again + timedelta(seconds=3), "one at a time, and only after the whole time"
        assert begun(succeeded(stage, "after")) >= datetime.fromisoformat(second["completedAt"]), "a success closes it"
        assert len(hook.seen("/try-1")) == len(hook.seen("/try-2")) == len(hook.seen("/after")) == 1


def test_what_is_outside_a_window_says_when_it_opens_and_goes_when_it_is_open(stage: Stage) -> None:
    now = datetime.now(UTC)
    opens, closes = now + timedelta(hours=3), now + timedelta(hours=5)
    later = {"start": f"{opens:%H:%M}", "end": f"{closes:%H:%M}", "timeZone": "UTC"}
    with ruled(stage, "window", windows=[later]) as policy:
        stage.propose("window", "log-message", MESSAGE)
        status = blocked(stage, "window", policy, "windows", "OutsideWindow")
        assert until(status) == opens.replace(second=0, microsecond=0)
        begins, ends = now - timedelta(hours=2), now + timedelta(hours=2)
        stage.policy("window", windows=[{"start": f"{begins:%H:%M}", "end": f"{ends:%H:%M}", "timeZone": "UTC"}])
        succeeded(stage, "window")


def freeze(seconds: float) -> Json:
    now = datetime.now(UTC)
    return {
        "start": rfc3339(now - timedelta(minutes=1)),
        "end": rfc3339(now + timedelta(seconds=seconds)),
        "reason": "holidays",
    }


def test_a_freeze_holds_back_until_it_ends(stage: Stage) -> None:
    with ruled(stage, "freeze", freezes=[freeze(4)]) as policy:
        stage.propose("frozen", "log-message", MESSAGE)
        status = blocked(stage, "frozen", policy, "freezes", "Frozen")
        assert "holidays" in status["message"]
        assert begun(succeeded(stage, "frozen")) >= until(status)


def test_a_freeze_holds_also_what_only_verifies_without_asking_the_api_server_in_vain(stage: Stage) -> None:
    """Its effect is made, and the next attempt would only look: the API server refuses that claim too."""
    retry = {"maxAttempts": 20, "minWaitSeconds": 3, "maxWaitSeconds": 3, "jitterFraction": 0}
    stage.propose("verifies", "wait", {"seconds": 3}, timeoutSeconds=1, retry=retry)
    stage.phase("ap", "verifies", "Retrying")
    with ruled(stage, "thaw", freezes=[freeze(6)]) as policy:
        status = blocked(stage, "verifies", policy, "freezes", "Frozen")
        done = stage.outcome("ap", "verifies")
    assert done["outcome"] == "Succeeded"
    (first, second) = done["attempts"]
    assert first["doneAt"] == second["doneAt"], "it was never made again"
    assert datetime.fromisoformat(second["startedAt"]) >= until(status)
    assert set(answers(stage, "actionproposals", "verifies")) == {200}, "no claim was refused"
