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
WAITED = 3
"""Writes to the status of what waited once and then ran, however long it waited: Blocked, its claim, its end."""


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
        here = target.get("namespace") in (stage.namespace, None)
        if ours and here and (target.get("resource"), target.get("name")) == (resource, name):
            codes.append(entry["responseStatus"]["code"])
    return codes


def succeeded(stage: Stage, name: str, *, writes: int = WAITED) -> Json:
    """It has gone on by itself, and waiting has cost nothing: at most so many writes, none of them in vain."""
    status = stage.outcome("ap", name)
    assert status["outcome"] == "Succeeded", status
    codes = answers(stage, "actionproposals", name)
    assert set(codes) == {200}
    assert len(codes) <= writes, codes
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
    with ruled(stage, "rest", limits={"perTargetCooldownSeconds": 3600}) as policy:
        put(stage, "rest-1", hook.url + "/rest")
        left = datetime.fromisoformat(stage.outcome("ap", "rest-1")["completedAt"])
        put(stage, "rest-2", hook.url + "/rest?again")
        put(stage, "rest-other", hook.url + "/other")
        status = blocked(stage, "rest-2", policy, "limits.perTargetCooldownSeconds", "Cooldown")
        assert until(status) == left + timedelta(hours=1)
        succeeded(stage, "rest-other", writes=2)
        over = int((datetime.now(UTC) - left).total_seconds()) + 3
        stage.policy("rest", limits={"perTargetCooldownSeconds": over})
        assert begun(succeeded(stage, "rest-2", writes=WAITED + 1)) >= left + timedelta(seconds=over)


def test_a_breaker_opens_lets_one_try_and_closes(stage: Stage, hook: HookTarget) -> None:
    with ruled(stage, "breaker", limits={"maxConsecutiveFailures": 2, "breakerResetSeconds": 3600}) as policy:
        for n in range(2):
            put(stage, f"fail-{n}", hook.script(f"/fail-{n}", [400]))
            failed = stage.outcome("ap", f"fail-{n}")
            assert failed["outcome"] == "Failed"
        stage.operator.stop()
        stage.operator.start()
        hook.script("/try-1", [400])
        for name in ("try-1", "try-2", "try-3"):
            put(stage, name, hook.url + f"/{name}")
            status = blocked(stage, name, policy, "limits.maxConsecutiveFailures", "BreakerOpen")
            assert until(status) == datetime.fromisoformat(failed["completedAt"]) + timedelta(hours=1)
        stage.policy("breaker", limits={"maxConsecutiveFailures": 2, "breakerResetSeconds": 3})
        tried = stage.outcome("ap", "try-1")
        assert tried["outcome"] == "Failed"
        opened_again = datetime.fromisoformat(tried["completedAt"])
        second = succeeded(stage, "try-2", writes=WAITED + 1)
        assert begun(second) >= opened_again + timedelta(seconds=3), "one at a time, and only after the whole time"
        third = succeeded(stage, "try-3", writes=WAITED + 1)
        assert begun(third) >= datetime.fromisoformat(second["completedAt"]), "a success closes it"
        assert [len(hook.seen(f"/try-{n}")) for n in (1, 2, 3)] == [1, 1, 1]


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


def freeze(**length: float) -> Json:
    now = datetime.now(UTC)
    start, end = now - timedelta(minutes=1), now + timedelta(**length)
    return {"start": rfc3339(start), "end": rfc3339(end), "reason": "holidays"}


def test_a_freeze_holds_back_until_it_ends(stage: Stage) -> None:
    long = freeze(hours=1)
    with ruled(stage, "freeze", freezes=[long]) as policy:
        stage.propose("frozen", "log-message", MESSAGE)
        status = blocked(stage, "frozen", policy, "freezes", "Frozen")
        assert until(status) == datetime.fromisoformat(long["end"])
        assert "holidays" in status["message"]
        short = freeze(seconds=3)
        stage.policy("freeze", freezes=[short])
        assert begun(succeeded(stage, "frozen", writes=WAITED + 1)) >= datetime.fromisoformat(short["end"])


def test_a_freeze_holds_also_what_only_verifies_without_asking_the_api_server_in_vain(stage: Stage) -> None:
    """Its effect is made, and the next attempt would only look: the API server refuses that claim too."""
    retry = {"maxAttempts": 100, "minWaitSeconds": 0.1, "maxWaitSeconds": 0.1}
    stage.propose("verifies", "wait", {"seconds": 3600}, timeoutSeconds=1, retry=retry)
    stage.wait("ap", "verifies", lambda status: status.get("retryCount"))
    stage.patch("ap", "verifies", {"suspend": True})
    made = stage.phase("ap", "verifies", "Blocked")["attempts"][-1]
    with ruled(stage, "thaw", freezes=[freeze(hours=1)]) as policy:
        stage.patch("ap", "verifies", {"suspend": False})
        stage.wait("ap", "verifies", lambda status: (status.get("blocked") or {}).get("rule") == "freezes")
        blocked(stage, "verifies", policy, "freezes", "Frozen")
    again = stage.wait("ap", "verifies", lambda status: status["attempts"][-1]["number"] > made["number"])
    assert again["attempts"][-1]["doneAt"] == made["doneAt"], "it was never made again"
    conflicts = {409}  # a write of the operator may meet one of these edits, and is then made anew
    assert set(answers(stage, "actionproposals", "verifies")) <= {200} | conflicts, "a claim was refused"
    stage.patch("ap", "verifies", {"cancelled": True})
    stage.outcome("ap", "verifies")
