"""Schedules on a real control plane. So that nobody waits for the clock: the operator is away while a time passes."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml
from harness.people import give, wait_until_proven
from harness.stage import API, AS_OPERATOR, Json, Stage

from hack.hook_target import HookTarget

LOG: Json = {"name": "log", "action": "log-message", "parameters": {"message": "hello"}}
PAUSE: Json = {"name": "pause", "action": "wait", "parameters": {"seconds": 600}}


@pytest.fixture(scope="module", autouse=True)
def _people(stage: Stage) -> Iterator[None]:
    """Alice writes schedules and may propose everything. Whose a schedule is counts from now on."""
    give(stage, ("alice", "action-runbook-editor"), ("alice", "action-proposer"))
    wait_until_proven(stage.cluster)
    yield
    stage.kubectl("delete", "actionschedules", "--all")


def schedule(name: str, *steps: Json, at: str = "0 0 1 1 *", **spec: Any) -> Json:
    template = {"description": name, "reason": "by the clock", "steps": list(steps) or [LOG]}
    body = {"schedule": at, "workflow": template} | spec
    return {"apiVersion": API, "kind": "ActionSchedule", "metadata": {"name": name}, "spec": body}


def rule(moment: datetime) -> str:
    """That minute, and then not before next year."""
    return f"{moment.minute} {moment.hour} {moment.day} {moment.month} *"


def ago(minutes: int) -> datetime:
    return (datetime.now(UTC) - timedelta(minutes=minutes)).replace(second=0, microsecond=0)


def missed(stage: Stage, name: str, moment: datetime) -> str:
    """The operator was away at that time, of which it knew; the name of the run that is due because of it."""
    stage.operator.kill()
    expression = rule(moment)
    stage.patch("actionschedule", name, {"schedule": expression})
    since = (moment - timedelta(hours=1)).isoformat().replace("+00:00", "Z")
    status = {"status": {"rule": f"{expression} UTC", "countsFrom": since}}
    stage.kubectl(
        "patch", "actionschedule", name, "--subresource=status", "--type=merge", "-p", json.dumps(status), *AS_OPERATOR
    )
    stage.operator.start()
    return f"{name}-{int(moment.timestamp()) // 60}"


def made(stage: Stage, run: str) -> str:
    """The run, once its schedule says that it was made."""
    name = run.rpartition("-")[0]
    stage.wait("actionschedules", name, lambda s: s.get("lastRun") == run, what=f"{run} not made")
    return run


def runs(stage: Stage, name: str) -> list[str]:
    found = stage.kubectl("get", "aw", "-l", f"actionoperator.dev/schedule={name}", "-o", "name").split()
    return sorted(one.rpartition("/")[2] for one in found)


def known(stage: Stage, name: str) -> Json:
    """The status once the operator has looked at it."""
    return stage.wait("actionschedules", name, lambda s: s.get("conditions"), what="not looked at")


def test_a_run_is_made_in_the_name_of_whose_schedule_it_is(stage: Stage) -> None:
    stage.kubectl("create", "-f", "-", input=yaml.safe_dump(schedule("nightly")), user="alice")
    status = known(stage, "nightly")
    assert status["nextRunAt"].endswith("-01-01T00:00:00.000Z")
    expression = rule(ago(2))
    stage.kubectl("patch", "actionschedule", "nightly", "--type=merge", "-p",
                  json.dumps({"spec": {"schedule": expression}}), user="alice")  # fmt: skip
    status = stage.wait("actionschedules", "nightly", lambda s: s.get("rule") == f"{expression} UTC")
    assert not runs(stage, "nightly"), "what was before the edit is not made up for"


def test_after_a_pause_the_last_time_missed_is_made_once_whatever_is_killed(stage: Stage) -> None:
    stage.apply(schedule("patient"))
    known(stage, "patient")
    name = made(stage, missed(stage, "patient", ago(3)))
    stage.outcome("aw", name)
    stage.operator.kill()
    stage.operator.start()
    status = stage.wait("actionschedules", "patient", lambda s: s.get("lastRun") == name)
    assert runs(stage, "patient") == [name]
    run = stage.get("aw", name)
    assert run["status"]["outcome"] == "Succeeded"
    assert run["spec"]["requestedBy"]["username"] == "admin"
    assert run["metadata"]["ownerReferences"][0]["kind"] == "ActionSchedule"
    assert [entry["reason"] for entry in status["history"]] == ["RunCreated"]
    assert stage.reasons("patient", until="RunCreated") == ["RunCreated"]
    written = len(stage.writes("patient"))
    stage.wait("actionschedules", "patient", lambda s: True)
    assert len(stage.writes("patient")) == written


def test_a_kill_between_the_creation_and_its_note_makes_no_second_one(stage: Stage) -> None:
    stage.apply(schedule("killed"))
    known(stage, "killed")
    name = made(stage, missed(stage, "killed", ago(4)))
    stage.outcome("aw", name)
    forgotten = {"status": {"lastRunAt": None, "lastRun": None}}
    stage.operator.kill()
    stage.kubectl(
        "patch", "actionschedule", "killed", "--subresource=status", "--type=merge", "-p", json.dumps(forgotten),
        *AS_OPERATOR,
    )  # fmt: skip
    stage.operator.start()
    stage.wait("actionschedules", "killed", lambda s: s.get("lastRun") == name)
    assert runs(stage, "killed") == [name]


def test_a_time_that_is_too_long_ago_is_told_and_left_out(stage: Stage) -> None:
    stage.apply(schedule("strict", startingDeadlineSeconds=60))
    known(stage, "strict")
    missed(stage, "strict", ago(5))
    status = stage.wait("actionschedules", "strict", lambda s: s.get("skipped"))
    assert status["skipped"]["reason"] == "RunMissed"
    assert "not made within startingDeadlineSeconds (60 s)" in status["skipped"]["message"]
    assert not runs(stage, "strict")
    assert stage.reasons("strict", until="RunSkipped") == ["RunSkipped"]


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        (
            {"timeZone": "Europe/Berln"},
            "spec.timeZone: Europe/Berln is no known time zone; did you mean",
        ),
        ({"schedule": "61 * * * *"}, "spec.schedule: cannot be read: bad minute in '61 * * * *'"),
    ],
)
def test_what_cannot_be_read_is_told_at_once(stage: Stage, spec: Json, told: str) -> None:
    stage.apply(schedule("unreadable", **spec))
    status = stage.wait("actionschedules", "unreadable", lambda s: told in str(s.get("message")))
    assert (status["conditions"][0]["status"], status["conditions"][0]["reason"]) == ("False", "InvalidSchedule")


@pytest.mark.parametrize("suspend", [False, True])
def test_replace_cancels_the_run_before_and_then_makes_the_next(stage: Stage, hook: HookTarget, suspend: bool) -> None:
    name = "held" if suspend else "renewed"
    tidy: Json = {
        "name": "tidy",
        "action": "http-request",
        "parameters": {"method": "PUT", "url": hook.url + f"/tidy-{name}"},
    }
    spec = schedule(name, PAUSE, concurrencyPolicy="Replace")
    spec["spec"]["workflow"]["finally"] = [tidy]
    stage.apply(spec)
    known(stage, name)
    first = made(stage, missed(stage, name, ago(7)))
    stage.phase("aw", first, "Running")
    stage.patch("aw", first, {"suspend": suspend})
    second = missed(stage, name, ago(6))
    status = stage.outcome("aw", first)
    assert (status["outcome"], status["replacedBy"]) == ("Cancelled", second)
    assert status["message"].startswith(f"cancelled for the next run of its schedule, {second}")
    assert [step["outcome"] for step in status["steps"]] == ["Cancelled", "Succeeded"]
    assert len(hook.seen(f"/tidy-{name}")) == 1
    stage.phase("aw", made(stage, second), "Running")
    assert stage.get("aw", second)["metadata"]["creationTimestamp"] >= status["completedAt"][:19] + "Z"
    stage.kubectl("delete", "actionschedule", name)


def test_only_so_many_finished_runs_are_kept(stage: Stage) -> None:
    stage.apply(schedule("tidy", successfulHistoryLimit=1))
    known(stage, "tidy")
    first = made(stage, missed(stage, "tidy", ago(9)))
    stage.outcome("aw", first)
    second = made(stage, missed(stage, "tidy", ago(8)))
    stage.outcome("aw", second)
    stage.wait("actionschedules", "tidy", lambda s: runs(stage, "tidy") == [second], what="two kept")
