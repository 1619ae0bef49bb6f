"""The runtime around an API server in memory: what it writes, and what it does when things go wrong."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from harness.stumbles import internal_faults
from unit.core.making import NOW, SHIPPED
from unit.runtime.fake_api import FakeApi, Operator

from controller.api.base import rfc3339
from controller.core.errors import ActionError, LostAnswer, NotLeading, RightMissing, TransientFailure
from controller.core.ports import Json
from controller.kube.resources import NAMESPACES, POLICIES, PROPOSALS, SCHEDULES, TYPES, WORKFLOWS
from controller.runtime.store import Key


def played(play: Callable[[Operator], Awaitable[None]]) -> None:
    async def run() -> None:
        operator = Operator()
        await operator.settle()
        operator.api.requests.clear()
        try:
            await play(operator)
        finally:
            await operator.outage.close()
            await operator.attempts.drain(0)

    asyncio.run(run())


def patches(api: FakeApi) -> int:
    return api.requests.count("patch actionproposals")


def test_an_action_that_just_works_costs_two_writes_and_two_events() -> None:
    async def play(operator: Operator) -> None:
        key = operator.propose()
        await operator.settle()
        assert operator.status(key)["outcome"] == "Succeeded"
        assert operator.api.requests == ["patch actionproposals"] * 2
        assert operator.told == ["Executing", "Completed"]
        assert operator.store.get(key) is None, "finished objects are let go of"

    played(play)


def test_what_waits_costs_nothing() -> None:
    async def play(operator: Operator) -> None:
        key = operator.propose(suspend=True)
        await operator.settle()
        operator.api.requests.clear()
        for _ in range(5):
            operator.intake.observe(PROPOSALS.plural, "MODIFIED", operator.api.objects[key])
            operator.queue.add(key)
            await operator.settle()
        assert operator.api.requests == []
        operator.edit(key, suspend=False)
        await operator.settle()
        assert operator.status(key)["outcome"] == "Succeeded"

    played(play)


def test_a_conflict_means_read_and_decide_again() -> None:
    async def play(operator: Operator) -> None:
        key = operator.propose()
        operator.api.edit(key, suspend=True)  # and the watch has not told yet
        await operator.settle()
        assert (operator.status(key)["phase"], "attempts" in operator.status(key)) == ("Blocked", False)
        assert operator.api.requests.count("get actionproposals") == 1

    played(play)


@pytest.mark.parametrize("which", [1, 2])
@pytest.mark.parametrize("stored", [True, False])
@pytest.mark.parametrize("unreadable", [True, False])
def test_a_lost_answer_to_a_status_write_runs_nothing_twice(which: int, stored: bool, unreadable: bool) -> None:
    async def play(operator: Operator) -> None:
        key = operator.propose(suspend=which == 2)
        if which == 2:
            await operator.settle()
            operator.edit(key, suspend=False)
        operator.api.fail("patch", LostAnswer("504"), stored=stored)
        if unreadable:
            operator.api.fail("get", TransientFailure("503"))
        for _ in range(4):
            await operator.settle()
            operator.sleep(2)
        assert operator.status(key)["outcome"] == "Succeeded"
        (only,) = operator.status(key)["attempts"]
        assert only["result"] == "Succeeded"
        told = [json.loads(line) for line in operator.audit.getvalue().splitlines()]
        of_it = [record["data"]["n"] for record in told if record["subject"].startswith("ActionProposal/")]
        assert of_it == [entry["n"] for entry in operator.status(key)["history"]], "each told, in order, and once"

    played(play)


def test_an_object_that_is_gone_is_forgotten_and_told() -> None:
    async def play(operator: Operator) -> None:
        key = operator.propose(suspend=True)
        await operator.settle()
        raw = operator.api.objects.pop(key)
        operator.intake.observe(PROPOSALS.plural, "DELETED", raw)
        await operator.settle()
        assert operator.store.get(key) is None
        assert '"reason":"Deleted"' in operator.audit.getvalue()

    played(play)


def test_a_deleted_event_is_only_a_doubt() -> None:
    """It may say no more than that the object left the selector; and it carries an older state."""

    async def play(operator: Operator) -> None:
        key = operator.propose(suspend=True)
        await operator.settle()
        operator.intake.observe(PROPOSALS.plural, "DELETED", operator.api.objects[key])
        assert operator.store.get(key) is not None
        await operator.settle()
        assert operator.store.get(key) is not None
        assert "Deleted" not in operator.audit.getvalue()

    played(play)


def test_late_news_of_a_finished_object_start_nothing() -> None:
    """The watch lags behind our own writes: it may tell of the claim when the end is already written."""

    async def play(operator: Operator) -> None:
        key = operator.propose(suspend=True)
        await operator.settle()
        waiting = json.loads(json.dumps(operator.api.objects[key]))
        operator.edit(key, suspend=False)
        await operator.settle()
        assert operator.status(key)["outcome"] == "Succeeded"
        operator.api.requests.clear()
        operator.intake.observe(PROPOSALS.plural, "MODIFIED", waiting)
        await operator.settle()
        assert operator.api.requests == []
        assert operator.store.get(key) is None
        assert operator.attempts.reported() == []

    played(play)


def test_who_does_not_lead_keeps_nothing_of_what_is_finished() -> None:
    async def play(operator: Operator) -> None:
        operator.leads = False
        for n in range(20):
            key = operator.propose(f"p{n}")
            operator.intake.observe(PROPOSALS.plural, "DELETED", operator.api.objects.pop(key))
        assert (len(operator.queue), operator.store.count(PROPOSALS.plural)) == (0, 0)

    played(play)


def test_a_write_that_is_kept_back_is_no_sign_of_an_outage() -> None:
    async def play(operator: Operator) -> None:
        key = operator.propose()
        operator.api.fail("patch", NotLeading("not sent"))
        await operator.worker.handle(key)
        async with asyncio.timeout(1):
            await operator.outage.over()
        assert operator.api.requests == ["patch actionproposals"], "the API server is not asked whether it is there"
        operator.sleep(1)
        await operator.settle()
        assert operator.status(key)["outcome"] == "Succeeded"

    played(play)


async def cut_off(operator: Operator, key: Key, meanwhile: Callable[[], None] = lambda: None) -> None:
    """The next write about the key lands, but its writer is cancelled before hearing so."""
    patch = operator.api.patch

    async def unheard(*args: Any, **options: Any) -> Json:
        await patch(*args, **options)
        meanwhile()
        raise asyncio.CancelledError

    operator.api.patch = unheard  # type: ignore[method-assign]
    try:
        with pytest.raises(asyncio.CancelledError):
            await operator.worker.handle(key)
    finally:
        operator.api.patch = patch  # type: ignore[method-assign]
    operator.leads = False


@pytest.mark.parametrize("first", ["the watch", "the end"])
def test_a_write_that_is_cut_off_as_leadership_ends_is_told_all_the_same(first: str) -> None:
    """It landed: nobody else will ever tell of it. And nothing of the object is kept after that."""

    async def play(operator: Operator) -> None:
        def deleted() -> None:
            operator.leads = False
            operator.intake.observe(PROPOSALS.plural, "DELETED", operator.api.objects[key])

        key = operator.propose()
        await operator.worker.handle(key)
        while len(operator.attempts):  # noqa: ASYNC110  attempts tell nobody here
            await asyncio.sleep(0)
        await cut_off(operator, key, *([deleted] if first == "the watch" else []))
        deleted()
        assert operator.told == ["Executing"]
        for _ in range(2):
            await operator.recorder.tell_owed()
        assert operator.told == ["Executing", "Completed"]
        assert (operator.store.count(PROPOSALS.plural), operator.attempts.reported()) == (0, [])

    played(play)


def test_of_what_two_leaders_wrote_each_tells_its_own() -> None:
    async def play(operator: Operator) -> None:
        key = operator.propose()
        await cut_off(operator, key)
        other = Operator(stored=operator.api, number=2)
        await other.settle()
        assert other.status(key)["outcome"] == "Succeeded"
        await operator.recorder.tell_owed()
        await operator.recorder.tell_owed()
        ns = [json.loads(line)["data"]["n"] for one in (operator, other) for line in one.audit.getvalue().splitlines()]
        history = [entry["n"] for entry in other.status(key)["history"]]
        assert [n for n in ns if n] == history
        await other.outage.close()

    played(play)


def test_a_history_that_cannot_be_read_keeps_nobody_from_watching() -> None:
    async def play(operator: Operator) -> None:
        key = operator.propose(suspend=True)
        operator.api.objects[key]["status"] = {"history": [{"n": "none"}]}
        operator.intake.observe(PROPOSALS.plural, "MODIFIED", operator.api.edit(key, reason="anew"))
        raw = operator.store.get(key)
        assert raw is not None
        assert raw["spec"]["reason"] == "anew"

    played(play)


def test_what_never_landed_is_not_told() -> None:
    async def play(operator: Operator) -> None:
        key = operator.propose(suspend=True)
        operator.api.fail("patch", TransientFailure("503"))
        await operator.worker.handle(key)
        del operator.api.objects[key]
        await operator.recorder.tell_owed()
        assert operator.told == []

    played(play)


def test_a_doubt_outlives_the_reader_that_was_cut_off() -> None:
    async def play(operator: Operator) -> None:
        key = operator.propose(suspend=True)
        await operator.settle()
        get = operator.api.get

        async def unheard(*_: Any, **__: Any) -> Json:
            raise asyncio.CancelledError

        operator.intake.doubt(key)
        operator.api.get = unheard  # type: ignore[method-assign]
        with pytest.raises(asyncio.CancelledError):
            await operator.worker.handle(key)
        operator.api.get = get  # type: ignore[method-assign]
        assert operator.intake.doubted(key)

    played(play)


def test_a_new_object_of_the_same_name_is_another_one() -> None:
    async def play(operator: Operator) -> None:
        operator.propose(suspend=True)
        await operator.settle()
        key = operator.propose(reason="anew")
        await operator.settle()
        assert operator.status(key)["outcome"] == "Succeeded"
        assert operator.audit.getvalue().count('"reason":"Deleted"') == 1

    played(play)


def test_a_proposal_that_is_deleted_while_it_runs_is_stopped_and_told() -> None:
    async def play(operator: Operator) -> None:
        key = operator.propose(action="wait", parameters={"seconds": 1000})
        raw_key = await operator.queue.take()
        await operator.worker.handle(raw_key)
        operator.queue.done(raw_key)
        assert len(operator.attempts) == 1
        raw = operator.api.objects.pop(key)
        operator.intake.observe(PROPOSALS.plural, "DELETED", raw)
        await operator.settle()
        assert len(operator.attempts) == 0
        assert operator.attempts.reported() == []
        told = operator.audit.getvalue()
        assert "deleted while an attempt was running" in told
        assert "after the proposal was deleted" in told

    played(play)


@pytest.mark.parametrize("started", [True, False])
def test_a_proposal_that_waits_for_its_finalizers_keeps_no_worker_busy(started: bool) -> None:
    async def play(operator: Operator) -> None:
        key = operator.propose(action="wait", parameters={"seconds": 1000}, suspend=not started)
        taken = await operator.queue.take()
        await operator.worker.handle(taken)
        operator.queue.done(taken)
        raw = operator.api.objects[key]
        leaving = {**raw, "metadata": {**raw["metadata"], "deletionTimestamp": rfc3339(NOW)}}
        operator.intake.observe(PROPOSALS.plural, "MODIFIED", operator.api.put(PROPOSALS, leaving))
        await operator.settle(most=10)
        assert len(operator.attempts) == 0
        assert operator.attempts.reported() == []
        operator.edit(key, suspend=False)
        await operator.settle(most=10)
        assert len(operator.status(key).get("attempts", ())) == started

    played(play)


def broken(operator: Operator, key: Key, monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator itself fails on that object."""
    original = operator.proposals.reconcile

    async def reconcile(asked: Key, raw: Json) -> Any:
        if asked == key:
            raise ZeroDivisionError("token=hunter2")
        return await original(asked, raw)

    monkeypatch.setattr(operator.proposals, "reconcile", reconcile)


def test_an_object_the_operator_fails_on_says_so_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play(operator: Operator) -> None:
        bad = operator.propose("bad")
        broken(operator, bad, monkeypatch)
        good = operator.propose("good")
        await operator.settle()
        assert operator.status(good)["outcome"] == "Succeeded"
        status = operator.status(bad)
        assert (status["phase"], status.get("outcome")) == ("Pending", None)
        assert "ZeroDivisionError" in status["message"]
        assert "hunter2" not in json.dumps(status)
        operator.api.requests.clear()
        handled = 0
        for _ in range(600):
            operator.sleep(1)
            handled += await operator.settle()
        assert 8 <= handled <= 60, "it is tried again for ever, ever more slowly"
        assert operator.api.requests == [], "the fault is written once"
        monkeypatch.undo()
        operator.sleep(100)
        await operator.settle()
        assert operator.status(bad)["outcome"] == "Succeeded"

    played(play)


def test_a_worker_never_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play(operator: Operator) -> None:
        key = operator.propose()
        broken(operator, key, monkeypatch)

        async def broken_too(*_: Any) -> Any:
            raise KeyError("and so does telling it")

        monkeypatch.setattr(operator.recorder, "write", broken_too)
        await operator.settle()

    played(play)


def test_a_record_that_cannot_be_read_is_neither_judged_nor_overwritten() -> None:
    async def play(operator: Operator) -> None:
        key = operator.propose(suspend=True)
        await operator.settle()
        attempt = {"number": 1, "result": "FromTheFuture"}
        operator.api.objects[key]["status"] |= {"attempts": [attempt]}
        before = operator.status(key)
        operator.edit(key, suspend=False)
        await operator.settle()
        after = operator.status(key)
        assert {**after, "message": before["message"]} == before
        assert "status.attempts.0.result" in after["message"]
        written = patches(operator.api)
        operator.sleep(120)
        await operator.settle()
        assert patches(operator.api) == written, "said once"

    played(play)


def test_an_object_that_cannot_be_read_ends_with_what_is_wrong() -> None:
    async def play(operator: Operator) -> None:
        key = operator.propose(activeDeadlineSeconds="soon")
        await operator.settle()
        status = operator.status(key)
        assert status["outcome"] == "Failed"
        assert "spec.activeDeadlineSeconds" in status["message"]
        assert operator.told == ["ValidationFailed"]

    played(play)


def test_a_claim_that_admission_refuses_is_blocked_until_something_changes_or_its_time_is_over() -> None:
    async def play(operator: Operator) -> None:
        key = operator.propose(activeDeadlineSeconds=600)
        operator.api.fail("patch", RightMissing("halted by policy stop"))
        await operator.settle()
        status = operator.status(key)
        assert (status["phase"], status.get("attempts")) == ("Blocked", None)
        assert "halted by policy stop" in status["message"]
        operator.sleep(601)
        await operator.settle()
        assert operator.status(key)["outcome"] == "Expired"

    played(play)


HALT = {"metadata": {"name": "stop"}, "spec": {"halt": True}}


@pytest.mark.parametrize("what", ["halted", "type changed", "not leading"])
def test_what_changes_while_the_claim_is_answered_keeps_it_from_starting(
    what: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def play(operator: Operator) -> None:
        def change() -> None:
            if what == "halted":
                operator.declare(POLICIES, HALT)
            elif what == "type changed":
                manifest = SHIPPED["log-message"]
                operator.declare(TYPES, {**manifest, "spec": {**manifest["spec"], "description": "another"}})
            else:
                operator.leads = False

        key = operator.propose()
        operator.api.meanwhile("patch", change)
        taken = await operator.queue.take()
        await operator.worker.handle(taken)
        operator.queue.done(taken)
        (claimed,) = operator.status(key)["attempts"]
        assert "result" not in claimed
        assert len(operator.attempts) == 0
        if what == "not leading":
            return
        await operator.settle()
        first = operator.status(key)["attempts"][0]
        assert (first["result"], "doneAt" in first) == ("Interrupted", False)
        assert (operator.status(key).get("outcome") == "Succeeded") is (what == "type changed")

    with caplog.at_level("INFO", logger="actionoperator.log_message"):
        played(play)
    lines = [record for record in caplog.records if record.name == "actionoperator.log_message"]
    assert len(lines) == (1 if what == "type changed" else 0)


def test_after_a_refused_claim_a_policy_event_starts_it() -> None:
    async def play(operator: Operator) -> None:
        key = operator.propose()
        operator.api.fail("patch", RightMissing("halted"))
        await operator.settle()
        operator.declare(POLICIES, {"metadata": {"name": "more"}, "spec": {"mode": "Execute"}})
        await operator.settle()
        assert operator.status(key)["outcome"] == "Succeeded"

    played(play)


def test_a_refused_claim_is_not_tried_again_and_again() -> None:
    async def play(operator: Operator) -> None:
        key = operator.propose()
        for _ in range(10):
            operator.api.fail("patch", RightMissing("halted"))
            operator.api.fail("patch", RightMissing("halted"))
        await operator.settle()
        tries = patches(operator.api)
        assert tries <= 4
        operator.sleep(10)
        await operator.settle()
        assert patches(operator.api) <= tries + 4
        assert "attempts" not in operator.status(key)

    played(play)


@pytest.mark.parametrize("error", [TransientFailure("503"), LostAnswer("reset"), RightMissing("no")])
def test_a_write_that_fails_is_tried_again_later_and_others_go_on(error: ActionError) -> None:
    async def play(operator: Operator) -> None:
        key = operator.propose("a", notBefore=rfc3339(NOW.replace(year=2027)))
        operator.api.fail("patch", error)
        other = operator.propose("b")
        await operator.settle()
        assert "outcome" not in operator.status(key)
        assert operator.status(other)["outcome"] == "Succeeded"
        operator.sleep(1)
        await operator.settle()
        assert operator.status(key)["phase"] == "Scheduled"

    played(play)


@pytest.mark.parametrize("error", [RightMissing("403"), TransientFailure("503")], ids=["refused", "unavailable"])
def test_an_object_that_cannot_be_read_again_is_tried_again_later(error: ActionError) -> None:
    async def play(operator: Operator) -> None:
        key = operator.propose(suspend=True)
        await operator.settle()
        operator.api.requests.clear()
        for _ in range(3):
            operator.api.fail("get", error)
        operator.intake.doubt(key)
        await operator.settle()
        assert operator.api.requests.count("get actionproposals") == 1
        for _ in range(3):
            operator.sleep(60)
            await operator.settle()
        assert operator.api.requests.count("get actionproposals") == 4
        assert operator.status(key)["phase"] == "Blocked"

    played(play)


def test_a_result_that_cannot_be_written_is_not_lost() -> None:
    async def play(operator: Operator) -> None:
        key = operator.propose(suspend=True)
        await operator.settle()
        operator.edit(key, suspend=False)
        taken = await operator.queue.take()
        await operator.worker.handle(taken)  # the claim
        operator.queue.done(taken)
        for _ in range(3):
            operator.api.fail("patch", TransientFailure("503"))
        for _ in range(6):
            await operator.settle()
            operator.sleep(2)
        assert operator.status(key)["outcome"] == "Succeeded"
        assert len(operator.status(key)["attempts"]) == 1
        assert operator.attempts.reported() == []

    played(play)


def test_halting_blocks_all_and_resuming_starts_all() -> None:
    async def play(operator: Operator) -> None:
        operator.declare(POLICIES, {"metadata": {"name": "stop"}, "spec": {"halt": True}})
        keys = [operator.propose(f"p{number}") for number in range(5)]
        await operator.settle()
        assert {operator.status(key)["phase"] for key in keys} == {"Blocked"}
        assert "KillSwitch" in operator.told
        raw = operator.api.objects.pop(Key(POLICIES.plural, "", "stop"))
        operator.intake.observe(POLICIES.plural, "DELETED", raw)
        await operator.settle()
        assert {operator.status(key)["outcome"] for key in keys} == {"Succeeded"}

    played(play)


def test_halting_stops_what_runs_and_it_goes_on_later() -> None:
    async def play(operator: Operator) -> None:
        key = operator.propose(action="wait", parameters={"seconds": 1})
        taken = await operator.queue.take()
        await operator.worker.handle(taken)
        operator.queue.done(taken)
        operator.declare(POLICIES, {"metadata": {"name": "stop"}, "spec": {"halt": True}})
        await operator.settle()
        assert operator.status(key)["phase"] == "Blocked"
        assert operator.status(key)["attempts"][0]["result"] == "Interrupted"

    played(play)


def test_an_unreadable_policy_halts_everything() -> None:
    async def play(operator: Operator) -> None:
        operator.declare(POLICIES, {"metadata": {"name": "odd"}, "spec": {"mode": "Sometimes"}})
        key = operator.propose()
        await operator.settle()
        assert operator.status(key)["phase"] == "Blocked"
        assert "odd" in operator.status(key)["message"]

    played(play)


def test_a_type_or_namespace_that_changes_wakes_what_it_bears_on() -> None:
    async def play(operator: Operator) -> None:
        key = operator.propose(action="mine")
        await operator.settle()
        assert operator.status(key) == {}, "within the grace time nothing is said"
        manifest = SHIPPED["log-message"]
        operator.declare(TYPES, {**manifest, "metadata": {"name": "mine"}})
        await operator.settle()
        assert operator.status(key)["outcome"] == "Succeeded"
        policy = {"mode": "Observe", "match": {"namespaceLabels": {"stage": "prod"}}}
        operator.declare(POLICIES, {"metadata": {"name": "look"}, "spec": policy})
        waiting = operator.propose("b", suspend=True)
        await operator.settle()
        labelled = {"metadata": {"name": "shop", "labels": {"stage": "prod"}}}
        operator.intake.observe(NAMESPACES.plural, "MODIFIED", labelled)
        operator.edit(waiting, suspend=False)
        await operator.settle()
        assert operator.status(waiting)["phase"] == "Blocked"

    played(play)


def test_a_conflict_about_a_type_or_policy_is_not_tried_again_at_once() -> None:
    async def play(operator: Operator) -> None:
        manifest = {**SHIPPED["wait"], "metadata": {"name": "mine"}}
        operator.declare(TYPES, manifest)
        operator.api.put(TYPES, manifest)  # a newer version, and the watch has not told yet
        await operator.settle(most=5)
        assert operator.api.requests.count("patch actiontypes") <= 2
        operator.intake.observe(TYPES.plural, "MODIFIED", operator.api.objects[Key(TYPES.plural, "", "mine")])
        await operator.settle(most=5)
        assert operator.status(Key(TYPES.plural, "", "mine"))["conditions"][0]["status"] == "True"

    played(play)


def workflow(operator: Operator, **fields: Any) -> Key:
    steps = [{"name": name, "action": "log-message", "parameters": {"message": name}} for name in ("one", "two")]
    spec = {"description": "Two lines", "reason": "test", "steps": steps, **fields}
    raw = operator.api.put(WORKFLOWS, {"metadata": {"name": "flow", "namespace": "shop"}, "spec": spec})
    operator.intake.observe(WORKFLOWS.plural, "ADDED", raw)
    return Key(WORKFLOWS.plural, "shop", "flow")


def test_a_workflow_makes_its_steps_and_ends_with_them() -> None:
    async def play(operator: Operator) -> None:
        key = workflow(operator)
        await operator.settle()
        status = operator.status(key)
        assert (status["outcome"], status["progress"]) == ("Succeeded", "2/2")
        assert operator.api.requests.count("create actionproposals") == 2
        assert operator.api.requests.count("patch actionworkflows") == 3
        assert operator.api.requests.count("patch actionproposals") == 4

    played(play)


@pytest.mark.parametrize(
    ("error", "stored"), [(LostAnswer("504"), True), (LostAnswer("504"), False), (TransientFailure("503"), False)]
)
def test_a_step_whose_creation_has_no_answer_is_made_once(error: ActionError, stored: bool) -> None:
    async def play(operator: Operator) -> None:
        key = workflow(operator)
        operator.api.fail("create", error, stored=stored)
        for _ in range(5):
            await operator.settle()
            operator.watch()
            operator.sleep(1)
        assert operator.status(key)["outcome"] == "Succeeded"
        assert len([key for key in operator.api.objects if key.plural == PROPOSALS.plural]) == 2

    played(play)


def test_a_step_waits_until_its_workflow_lists_it() -> None:
    async def play(operator: Operator) -> None:
        key = workflow(operator)
        for _ in range(3):
            operator.api.fail("patch", TransientFailure("503"))
        await operator.settle()
        (step,) = [key for key in operator.api.objects if key.plural == PROPOSALS.plural]
        assert "attempts" not in operator.status(step)
        for _ in range(6):
            operator.sleep(2)
            await operator.settle()
        assert operator.status(key)["outcome"] == "Succeeded"

    played(play)


def test_cancelling_a_workflow_reaches_its_steps() -> None:
    async def play(operator: Operator) -> None:
        steps = [{"name": "one", "action": "wait", "parameters": {"seconds": 1000}}]
        key = workflow(operator, steps=steps)
        for _ in range(4):
            if operator._due():
                taken = await operator.queue.take()
                await operator.worker.handle(taken)
                operator.queue.done(taken)
        assert len(operator.attempts) == 1
        operator.edit(key, cancelled=True)
        await operator.settle()
        assert operator.status(key)["outcome"] == "Cancelled"

    played(play)


def test_a_step_that_was_made_and_never_listed_ends_with_its_workflow() -> None:
    """Somebody cancels the workflow between the creation of its first step and the write that would list it."""

    async def play(operator: Operator) -> None:
        key = workflow(operator)
        operator.api.meanwhile("create", lambda: operator.api.edit(key, cancelled=True))
        await operator.settle()
        assert operator.status(key)["outcome"] == "Cancelled"
        operator.watch()
        operator.sleep(10)
        await operator.settle()
        (step,) = (raw for one, raw in operator.api.objects.items() if one.plural == PROPOSALS.plural)
        assert step["status"]["outcome"] == "Cancelled"

    played(play)


def test_a_workflow_without_its_runner_ends_when_the_grace_time_is_over() -> None:
    async def play(operator: Operator) -> None:
        parameters = {"kind": "Deployment", "name": "x", "replicas": 1}
        steps = [{"name": "one", "action": "scale-workload", "parameters": parameters}]
        key = workflow(operator, steps=steps, serviceAccountName="ops")
        await operator.settle()
        assert operator.status(key) == {}, "the ServiceAccount may still come"
        operator.sleep(11)
        await operator.settle()
        assert operator.status(key)["outcome"] == "Failed"
        assert "there is no ServiceAccount ops" in operator.status(key)["message"]

    played(play)


def test_a_step_that_the_api_server_refuses_is_told_and_tried_again() -> None:
    async def play(operator: Operator) -> None:
        operator.api.fail("create", RightMissing("exceeded quota: objects"))
        key = workflow(operator)
        await operator.settle()
        status = operator.status(key)
        assert status["message"].startswith("the API server refuses what has to be done; it is tried again:")
        assert "exceeded quota" in status["message"]
        reasons = {condition["reason"] for condition in status["conditions"]}
        assert "RequestRefused" in reasons
        operator.sleep(60)
        await operator.settle()
        assert operator.status(key)["outcome"] == "Succeeded"
        assert not internal_faults(operator.metrics), "it is no fault of the operator"

    played(play)


def test_a_run_that_the_api_server_refuses_is_told_by_its_schedule_and_made_later() -> None:
    async def play(operator: Operator) -> None:
        spec = {"schedule": "* * * * *", "workflow": {
            "description": "x", "reason": "x", "steps": [{"name": "s", "action": "log-message",
                                                          "parameters": {"message": "x"}}]}}  # fmt: skip
        raw = operator.api.put(SCHEDULES, {"metadata": {"name": "nightly", "namespace": "shop"}, "spec": spec})
        operator.intake.observe(SCHEDULES.plural, "ADDED", raw)
        await operator.settle()
        operator.api.fail("create", RightMissing("denied by a webhook"))
        operator.sleep(60)
        await operator.settle()
        key = Key(SCHEDULES.plural, "shop", "nightly")
        (ready,) = operator.status(key)["conditions"]
        assert (ready["status"], ready["reason"]) == ("False", "RequestRefused")
        assert "denied by a webhook" in ready["message"]
        operator.sleep(30)
        await operator.settle()
        (ready,) = operator.status(key)["conditions"]
        assert ready["status"] == "True"
        assert operator.status(key)["lastRun"].startswith("nightly-")

    played(play)
