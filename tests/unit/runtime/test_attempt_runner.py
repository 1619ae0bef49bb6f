"""Attempts as tasks: whatever becomes of one, its report says what is known of the effect, and no more."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, cast

import pytest
from unit.core.making import attempt, attempts

from controller.api.base import rfc3339
from controller.api.common import Check
from controller.api.names import Reason
from controller.core.attempt_report import Effect, Report, Stop
from controller.core.checks import named
from controller.core.decision import Work
from controller.core.errors import (
    CannotTell,
    EffectFailed,
    LostAnswer,
    NotLeading,
    PermanentFailure,
    Throttled,
    TransientFailure,
)
from controller.core.operation import operation_time
from controller.core.ports import Cluster, Done, Executor, Http, HttpAnswer, Journal, Operation, Request, Verified
from controller.runtime import attempt_run, checks, purpose
from controller.runtime.attempt_run import Assignment
from controller.runtime.attempts import AttemptRunner, Owner
from controller.runtime.clock import utc_now
from controller.runtime.store import Key

OWNER = Owner(Key("actionproposals", "shop", "a"), "1")
DONE = Done("made", {"x": 1})
SOON, LATER = 0.05, 30.0


async def forever(*_: Any) -> Any:
    await asyncio.Event().wait()


@dataclass
class Fake:
    """An executor whose answers a test gives: a value, an error, or a function to await."""

    run_: Any = DONE
    observe_: Any = None
    verify_: Any = field(default_factory=lambda: Verified(True))
    stop_: Any = None
    sends: bool = True
    calls: list[str] = field(default_factory=list)
    journal: Journal = field(default_factory=Journal)

    async def run(self, *_: Any) -> Done:
        if self.sends:
            self.journal.sending()
        return cast("Done", await self._answer("run", self.run_))

    async def observe(self, *_: Any) -> Done | None:
        return cast("Done", await self._answer("observe", self.observe_))

    async def verify(self, *_: Any) -> Verified:
        return cast("Verified", await self._answer("verify", self.verify_))

    async def stop(self, *_: Any) -> None:
        await self._answer("stop", self.stop_)

    async def _answer(self, name: str, answer: Any) -> Any:
        self.calls.append(name)
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if isinstance(answer, Exception):
            raise answer
        return await answer() if callable(answer) else answer


class Scene:
    """A runner with one attempt."""

    def __init__(
        self,
        fake: Fake,
        work: Work = Work.RUN,
        seconds: float = LATER,
        done: bool = False,
        *,
        preconditions: Sequence[Check] = (),
        verify: Sequence[Check] = (),
        web: Any = None,
    ) -> None:
        """`web`: what answers to the GETs of checks."""
        self.fake = fake
        self.told: list[Owner] = []
        self.ended = asyncio.Event()
        self.runner = AttemptRunner(utc_now, self._on_report)
        fields: dict[str, Any] = {"deadline": rfc3339(utc_now() + timedelta(seconds=seconds))}
        if done:
            fields["doneAt"] = rfc3339(utc_now())
        (self.attempt,) = attempts(attempt(**fields))
        made = self.attempt
        self.assignment = Assignment(
            work=work,
            attempt=made,
            operation=Operation(made.operation, operation_time(made.operation), made.deadline),
            executor=cast("Executor[Any]", fake),
            request=Request(None, "shop", "a", "1", None, cast("Cluster", None), cast("Http", web)),  # type: ignore[type-var]
            journal=fake.journal,
            preconditions=named("preconditions", preconditions),
            verify=named("verify", verify),
        )

    def _on_report(self, owner: Owner) -> None:
        self.told.append(owner)
        self.ended.set()

    def start(self) -> None:
        self.runner.start(OWNER, self.assignment)

    async def until(self, name: str) -> None:
        """Waits until the executor was asked for that."""
        async with asyncio.timeout(2):
            while name not in self.fake.calls:  # noqa: ASYNC110  the fake knows no events
                await asyncio.sleep(0.001)

    async def report(self) -> Report:
        async with asyncio.timeout(2):
            await self.ended.wait()
        report = self.runner.report(OWNER)
        assert report is not None
        assert self.told == [OWNER]
        assert len(self.runner) == 0
        assert report.attempt_id == self.attempt.id
        return report


def came_to(fake: Fake, work: Work = Work.RUN, seconds: float = LATER, done: bool = False) -> Report:
    async def run() -> Report:
        scene = Scene(fake, work, seconds, done)
        scene.start()
        return await scene.report()

    return asyncio.run(run())


def told(report: Report) -> Any:
    return report.effect, report.verified, report.stop


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempt_run, "FIRST_LOOK_SECONDS", 0.001)
    monkeypatch.setattr(purpose, "FIRST_LOOK_SECONDS", 0.001)
    monkeypatch.setattr(checks, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(checks, "LOOK_SECONDS", 0.2)
    monkeypatch.setattr(attempt_run, "STOP_SECONDS", 0.05)
    monkeypatch.setattr(attempt_run, "OBSERVE_SECONDS", 0.1)
    monkeypatch.setattr(attempt_run, "LAST_LOOK_SECONDS", 0.05)


MISSING = Verified(False, "2 of 6 pods are ready")
RUN = [
    pytest.param(Fake(), LATER, (Effect.DONE, True, None), id="works"),
    pytest.param(Fake(verify_=[MISSING, MISSING, Verified(True)]), LATER, (Effect.DONE, True, None), id="later"),
    pytest.param(
        Fake(verify_=[TransientFailure("503"), Verified(True)]), LATER, (Effect.DONE, True, None), id="unreadable once"
    ),
    pytest.param(Fake(verify_=MISSING), SOON, (Effect.DONE, False, Stop.TIMEOUT), id="never verified"),
    pytest.param(Fake(verify_=PermanentFailure("no right")), LATER, (Effect.DONE, False, None), id="may not look"),
    pytest.param(Fake(verify_=EffectFailed("job failed")), LATER, (Effect.FAILED, False, None), id="failed later"),
    pytest.param(Fake(verify_=KeyError("x")), LATER, (Effect.DONE, False, None), id="verify is broken"),
    pytest.param(Fake(run_=PermanentFailure("403")), LATER, (Effect.NOT_DONE, False, None), id="refused"),
    pytest.param(Fake(run_=TransientFailure("429")), LATER, (Effect.NOT_DONE, False, None), id="not now"),
    pytest.param(
        Fake(run_=NotLeading("x"), sends=False), LATER, (Effect.NOT_DONE, False, Stop.CRASHED), id="kept back"
    ),
    pytest.param(Fake(run_=NotLeading("x")), LATER, (Effect.UNCLEAR, False, Stop.CRASHED), id="the second kept back"),
    pytest.param(Fake(run_=LostAnswer("502")), LATER, (Effect.UNCLEAR, False, None), id="lost answer"),
    pytest.param(Fake(run_=EffectFailed("no")), LATER, (Effect.FAILED, False, None), id="failed"),
    pytest.param(Fake(run_=KeyError("x")), LATER, (Effect.UNCLEAR, False, None), id="broken after sending"),
    pytest.param(Fake(run_=KeyError("x"), sends=False), LATER, (Effect.NOT_DONE, False, None), id="broken before"),
    pytest.param(Fake(run_=forever), SOON, (Effect.UNCLEAR, False, Stop.TIMEOUT), id="timeout after sending"),
    pytest.param(Fake(run_=forever, sends=False), SOON, (Effect.NOT_DONE, False, Stop.TIMEOUT), id="timeout before"),
]


@pytest.mark.parametrize(("fake", "seconds", "expected"), RUN)
def test_what_a_run_comes_to(fake: Fake, seconds: float, expected: Any) -> None:
    assert told(came_to(fake, seconds=seconds)) == expected
    assert "stop" not in fake.calls
    assert fake.calls.count("run") == 1


OBSERVE = [
    pytest.param(Fake(observe_=DONE), False, (Effect.DONE, True, None), id="done"),
    pytest.param(Fake(observe_=None), False, (Effect.UNCLEAR, False, Stop.CRASHED), id="not seen"),
    pytest.param(
        Fake(observe_=[TransientFailure("503"), DONE]), False, (Effect.DONE, True, None), id="readable later"
    ),
    pytest.param(
        Fake(observe_=TransientFailure("503")), False, (Effect.UNCLEAR, False, Stop.CRASHED), id="never readable"
    ),
    pytest.param(
        Fake(observe_=PermanentFailure("403")), False, (Effect.UNCLEAR, False, Stop.CRASHED), id="may not look"
    ),
    pytest.param(Fake(observe_=EffectFailed("no")), False, (Effect.UNCLEAR, False, Stop.CRASHED), id="odd"),
    pytest.param(Fake(observe_=DONE, verify_=EffectFailed("no")), False, (Effect.FAILED, False, None), id="failed"),
    pytest.param(Fake(observe_=DONE, verify_=MISSING), False, (Effect.DONE, False, Stop.CRASHED), id="not verified"),
    pytest.param(Fake(), True, (Effect.DONE, True, None), id="known done before the crash"),
    pytest.param(Fake(verify_=MISSING), True, (Effect.DONE, False, Stop.CRASHED), id="known done, not verified"),
]  # fmt: skip


@pytest.mark.parametrize("seconds", [SOON, -60], ids=["in time", "its deadline is over"])
@pytest.mark.parametrize(("fake", "done", "expected"), OBSERVE)
def test_what_looking_back_comes_to(fake: Fake, done: bool, expected: Any, seconds: float) -> None:
    fake = Fake(observe_=fake.observe_, verify_=fake.verify_)
    if isinstance(fake.observe_, list):
        fake.observe_ = [*fake.observe_]
    assert told(came_to(fake, Work.OBSERVE, seconds, done)) == expected
    assert "run" not in fake.calls, "recovery only looks"


def test_a_broken_executor_cannot_say_that_nothing_was_done() -> None:
    report = came_to(Fake(observe_=KeyError("x")), Work.OBSERVE)
    assert report.effect is Effect.UNCLEAR


@pytest.mark.parametrize(
    ("fake", "seconds", "expected"),
    [
        (Fake(), LATER, (Effect.DONE, True, None)),
        (Fake(verify_=MISSING), SOON, (Effect.DONE, False, Stop.TIMEOUT)),
        (Fake(verify_=EffectFailed("no")), LATER, (Effect.FAILED, False, None)),
    ],
)
def test_verifying_again_never_runs_again(fake: Fake, seconds: float, expected: Any) -> None:
    assert told(came_to(fake, Work.VERIFY, seconds, done=True)) == expected
    assert "run" not in fake.calls


async def stopped(scene: Scene, reason: Stop, at: str) -> Report:
    scene.start()
    await scene.until(at)
    scene.runner.stop(OWNER, reason)
    scene.runner.stop(OWNER, Stop.HALTED)  # asking again changes nothing
    return await scene.report()


@pytest.mark.parametrize("reason", [Stop.CANCELLED, Stop.HALTED])
@pytest.mark.parametrize(
    ("fake", "work", "done", "at", "effect"),
    [
        pytest.param(Fake(run_=forever), Work.RUN, False, "run", Effect.UNCLEAR, id="after sending"),
        pytest.param(Fake(run_=forever, sends=False), Work.RUN, False, "run", Effect.NOT_DONE, id="before sending"),
        pytest.param(Fake(verify_=MISSING), Work.RUN, False, "verify", Effect.DONE, id="while verified"),
        pytest.param(Fake(observe_=forever), Work.OBSERVE, False, "observe", Effect.UNCLEAR, id="while looking back"),
        pytest.param(Fake(verify_=forever), Work.VERIFY, True, "verify", Effect.DONE, id="while verified again"),
    ],
)
def test_a_stopped_attempt_is_judged_by_its_journal(
    fake: Fake, work: Work, done: bool, at: str, effect: Effect, reason: Stop
) -> None:
    fake = Fake(fake.run_, fake.observe_, fake.verify_, sends=fake.sends)

    async def run() -> Report:
        return await stopped(Scene(fake, work, done=done), reason, at)

    assert told(asyncio.run(run())) == (effect, False, reason)
    made_and_cancelled = effect is Effect.DONE and reason is Stop.CANCELLED
    assert ("stop" in fake.calls) is made_and_cancelled, "only a person's cancel stops what still runs outside"


@pytest.mark.parametrize("reason", [Stop.CANCELLED, Stop.HALTED])
def test_a_look_back_is_not_cut_off_by_a_stop(reason: Stop) -> None:
    """What it finds decides between a known end and Unknown, and looking changes nothing."""

    async def slowly() -> Done:
        await asyncio.sleep(0.02)
        return DONE

    fake = Fake(observe_=slowly, verify_=forever)

    async def run() -> Report:
        return await stopped(Scene(fake, Work.OBSERVE), reason, "observe")

    report = asyncio.run(run())
    assert told(report) == (Effect.DONE, False, reason)
    assert report.done == DONE
    assert "verify" not in fake.calls


def test_a_shutdown_in_the_middle_of_a_look_back_leaves_the_attempt_open() -> None:
    async def run() -> None:
        scene = Scene(Fake(observe_=forever), Work.OBSERVE)
        scene.start()
        await scene.until("observe")
        scene.runner.stop(OWNER, Stop.HALTED)
        await drained(scene, None, 0.0)
        assert scene.runner.report(OWNER) is None

    asyncio.run(run())


@pytest.mark.parametrize("stop", [forever, PermanentFailure("403"), LostAnswer("502")])
def test_a_target_that_cannot_be_stopped_holds_up_nothing(stop: Any) -> None:
    async def run() -> Report:
        return await stopped(Scene(Fake(verify_=forever, stop_=stop)), Stop.CANCELLED, "verify")

    assert told(asyncio.run(run())) == (Effect.DONE, False, Stop.CANCELLED)


@pytest.mark.parametrize(
    ("work", "done", "effect"),
    [(Work.RUN, False, Effect.NOT_DONE), (Work.VERIFY, True, Effect.DONE), (Work.OBSERVE, False, Effect.UNCLEAR)],
)
def test_an_attempt_that_is_stopped_before_it_began_reports_too(work: Work, done: bool, effect: Effect) -> None:
    """Cancelled between the claim's answer and the task's first step: it must not vanish without a word."""

    async def run() -> None:
        fake = Fake()
        scene = Scene(fake, work, done=done)
        scene.start()
        scene.runner.stop(OWNER, Stop.CANCELLED)
        report = await scene.report()
        assert told(report) == (effect, False, Stop.CANCELLED)
        assert "run" not in fake.calls

    asyncio.run(run())


def test_what_a_target_asks_for_is_passed_on() -> None:
    report = came_to(Fake(run_=Throttled("429", retry_after_seconds=7.0)))
    assert (report.transient, report.retry_after_seconds, report.message) == (True, 7.0, "429")
    assert came_to(Fake(run_=PermanentFailure("403"))).transient is False


def test_outputs_of_the_reached_purpose_come_on_top() -> None:
    async def main() -> None:
        scene = Scene(Fake(verify_=[Verified(False, "not yet", outputs={"y": 0}), Verified(True, outputs={"y": 2})]))
        scene.start()
        report = await scene.report()
        assert report.done == Done("made", {"x": 1, "y": 2})

    asyncio.run(main())


def test_outputs_and_the_time_of_the_effect_are_kept() -> None:
    before = utc_now()
    report = came_to(Fake(verify_=MISSING), seconds=SOON)
    assert report.done == DONE
    assert report.done_at is not None
    assert before <= report.done_at <= utc_now()
    assert report.message == MISSING.message


def test_an_internal_error_does_not_tell_its_values() -> None:
    report = came_to(Fake(run_=ValueError("token=hunter2")))
    assert "hunter2" not in report.message
    assert "ValueError" in report.message


def test_what_must_not_start_is_reported_at_once() -> None:
    runner = AttemptRunner(utc_now, lambda owner: None)
    plain, made = attempts(attempt(1), attempt(2, doneAt=rfc3339(utc_now())))
    runner.not_started(OWNER, plain, Stop.CANCELLED)
    report = runner.report(OWNER)
    assert report is not None
    assert told(report) == (Effect.NOT_DONE, False, Stop.CANCELLED)
    runner.not_started(OWNER, made, Stop.HALTED)
    report = runner.report(OWNER)
    assert report is not None
    assert told(report) == (Effect.DONE, False, Stop.HALTED)
    assert runner.reported() == [OWNER]
    runner.forget(OWNER)
    assert runner.report(OWNER) is None
    assert runner.reported() == []


async def drained(scene: Scene, at: str | None, seconds: float) -> None:
    if len(scene.runner) == 0:
        scene.start()
    if at:
        await scene.until(at)
    async with asyncio.timeout(2):
        await scene.runner.drain(seconds)
    assert len(scene.runner) == 0
    assert not scene.runner.is_running(OWNER)


@pytest.mark.parametrize("at", ["run", "verify"])
def test_shutdown_leaves_attempts_open_without_a_report(at: str) -> None:
    """The next process finds out what they did: a report here would be a guess that is written down."""

    async def run() -> None:
        scene = Scene(Fake(run_=forever if at == "run" else DONE, verify_=forever))
        await drained(scene, at, 0.01)
        assert scene.runner.report(OWNER) is None
        assert "stop" not in scene.fake.calls

    asyncio.run(run())


def test_shutdown_waits_for_effects_under_way() -> None:
    async def run() -> None:
        let_go = asyncio.Event()

        async def slow() -> Done:
            await let_go.wait()
            return DONE

        scene = Scene(Fake(run_=slow))
        scene.start()
        await scene.until("run")
        draining = asyncio.create_task(scene.runner.drain(2))
        await asyncio.sleep(0)
        let_go.set()
        await draining
        assert told(await scene.report()) == (Effect.DONE, True, None)

    asyncio.run(run())


def test_shutdown_with_nothing_to_wait_for_ends_at_once() -> None:
    asyncio.run(AttemptRunner(utc_now, lambda owner: None).drain(100))


@pytest.mark.parametrize("seconds", [0.0, 0.01])
def test_shutdown_right_after_a_start_leaves_nothing_behind(seconds: float) -> None:
    async def run() -> None:
        await drained(Scene(Fake(run_=forever)), None, seconds)

    asyncio.run(run())


def test_attempts_of_many_proposals_do_not_mix() -> None:
    async def run() -> None:
        scenes: dict[Owner, Fake] = {}
        ended: list[Owner] = []
        runner = AttemptRunner(utc_now, ended.append)
        for number in range(50):
            owner = Owner(Key("actionproposals", "shop", f"p{number}"), str(number))
            fake = Fake(run_=PermanentFailure(f"{number}") if number % 2 else DONE)
            scene = Scene(fake)
            runner.start(owner, scene.assignment)
            scenes[owner] = fake
        async with asyncio.timeout(2):
            while len(ended) < 50:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        for owner in scenes:
            report = runner.report(owner)
            assert report is not None
            assert (report.effect is Effect.DONE) is (int(owner.uid) % 2 == 0)
            assert report.effect is Effect.DONE or report.message == owner.uid

    asyncio.run(run())


def test_only_the_newest_attempt_counts_as_running() -> None:
    async def run() -> None:
        scene = Scene(Fake(run_=forever))
        scene.start()
        assert scene.runner.running(OWNER, scene.attempt.id)
        assert not scene.runner.running(OWNER, "another")
        assert not scene.runner.running(OWNER, None)
        await scene.runner.drain(0)

    asyncio.run(run())


SECRET = "hunter2-hunter2"


@pytest.mark.parametrize(
    "fake",
    [
        pytest.param(Fake(run_=Done(f"said {SECRET}", {"a": [SECRET], SECRET: 1})), id="done"),
        pytest.param(Fake(run_=PermanentFailure(f"401: {SECRET} is not known")), id="refused"),
        pytest.param(Fake(run_=LostAnswer(f"500: {SECRET}")), id="lost"),
        pytest.param(Fake(run_=RuntimeError(f"cannot send {SECRET}")), id="broken"),
        pytest.param(Fake(verify_=EffectFailed(f"failed with {SECRET}")), id="failed"),
        pytest.param(Fake(verify_=Verified(True, f"seen with {SECRET}")), id="verified"),
        pytest.param(Fake(verify_=Verified(False, f"waits for {SECRET}")), id="not verified in time"),
        pytest.param(Fake(verify_=TransientFailure(f"503: {SECRET}")), id="not seen in time"),
    ],
)
def test_no_value_of_a_secret_leaves_an_attempt(fake: Fake, caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> Report:
        scene = Scene(fake, seconds=SOON)
        scene.assignment.request.redactor.learn(SECRET)
        scene.start()
        return await scene.report()

    report = asyncio.run(run())
    assert SECRET not in repr(report)
    assert SECRET not in caplog.text
    assert "[redacted]" in repr(report) + caplog.text


def test_what_an_executor_breaks_with_is_logged_with_its_place(caplog: pytest.LogCaptureFixture) -> None:
    came_to(Fake(run_=RuntimeError("whatever")))
    assert "Traceback" in caplog.text
    assert "RuntimeError: whatever" in caplog.text


@dataclass
class Web:
    """Answers to GETs one after the other, the last one for ever: a status, JSON as text, or an error."""

    answers: list[Any]
    asked: int = 0

    async def request(self, method: str, url: str, **how: Any) -> HttpAnswer:
        assert (method, how["may_change"], how["body"]) == ("GET", False, None)
        self.asked += 1
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(found, Exception):
            raise found
        if callable(found):
            await found()
        return HttpAnswer(found, {}, "") if isinstance(found, int) else HttpAnswer(200, {}, found)


def of_web(seconds: int | None = None) -> list[Check]:
    check = {"http": {"url": "https://hooks.example.com/ready"}, "expression": "json.ready", "timeoutSeconds": seconds}
    return [Check.model_validate(check)]


of_web_ready = named("verify", of_web())[0].expression
"""Compiled now: the first one loads the library."""
YES, NO = '{"ready": true}', '{"ready": false}'
BEFORE = [
    pytest.param([YES], None, (True, True, None), id="true"),
    pytest.param([NO], None, (False, False, Reason.PRECONDITION_FAILED), id="false at the only look"),
    pytest.param([NO, 503, NO, YES], 30, (True, True, None), id="true later"),
    pytest.param([NO, "{}", NO], 1, (False, False, Reason.PRECONDITION_FAILED), id="never true"),
    pytest.param([503], None, (False, True, None), id="cannot be told"),
    pytest.param([NO, TransientFailure("reset")], 1, (False, True, None), id="cannot be told any more"),
    pytest.param([forever], None, (False, True, None), id="no answer"),
    pytest.param([PermanentFailure("no policy allows it")], 30, (False, False, None), id="not allowed"),
]


@pytest.mark.parametrize(("answers", "seconds", "expected"), BEFORE)
def test_what_preconditions_come_to(answers: list[Any], seconds: int | None, expected: Any) -> None:
    """Met; or nothing was done, and whether trying again may help."""

    async def run() -> None:
        scene = Scene(Fake(), Work.CHECK, preconditions=of_web(seconds), web=Web([*answers]))
        scene.start()
        report = await scene.report()
        assert (report.met, report.transient, report.reason) == expected
        assert (report.effect, report.stop) == (Effect.NOT_DONE, None)
        assert scene.fake.calls == [], "nothing but looking"

    asyncio.run(run())


def test_two_preconditions_must_be_true_at_one_look() -> None:
    """Each is true at every second look, never both: that is not what was asked for."""

    async def run() -> None:
        web = Web([YES, NO, NO, YES, YES, NO, NO, YES, YES, YES])
        scene = Scene(Fake(), Work.CHECK, preconditions=of_web(30) * 2, web=web)
        scene.start()
        assert (await scene.report()).met
        assert web.asked == 10

    asyncio.run(run())


@pytest.mark.parametrize("reason", [Stop.CANCELLED, Stop.HALTED])
def test_waiting_for_preconditions_can_be_stopped(reason: Stop) -> None:
    async def run() -> None:
        web = Web([NO])
        scene = Scene(Fake(), Work.CHECK, preconditions=of_web(30), web=web)
        scene.start()
        while not web.asked:  # noqa: ASYNC110  the fake knows no events
            await asyncio.sleep(0.001)
        scene.runner.stop(OWNER, reason)
        report = await scene.report()
        assert (report.effect, report.met, report.stop) == (Effect.NOT_DONE, False, reason)

    asyncio.run(run())


def test_a_shutdown_does_not_wait_for_preconditions() -> None:
    async def run() -> None:
        scene = Scene(Fake(), Work.CHECK, preconditions=of_web(30), web=Web([NO]))
        await drained(scene, None, 100)
        assert scene.runner.report(OWNER) is None

    asyncio.run(run())


AFTER = [
    pytest.param([YES], None, (True, None, None), id="true"),
    pytest.param([NO, 503, YES], None, (True, None, None), id="true later"),
    pytest.param([NO], None, (False, None, Stop.TIMEOUT), id="never true"),
    pytest.param([NO], 1, (False, None, None), id="not within its own time"),
    pytest.param([503], None, (False, Reason.CANNOT_TELL, Stop.TIMEOUT), id="cannot be told"),
    pytest.param([forever], None, (False, Reason.CANNOT_TELL, Stop.TIMEOUT), id="no answer"),
    pytest.param(["{}"], 1, (False, Reason.CANNOT_TELL, None), id="cannot be told within its own time"),
    pytest.param([503, NO], None, (False, None, Stop.TIMEOUT), id="told in the end"),
]


@pytest.mark.parametrize(("answers", "seconds", "expected"), AFTER)
def test_what_verify_checks_come_to(answers: list[Any], seconds: int | None, expected: Any) -> None:
    async def run() -> None:
        fake = Fake(verify_=[MISSING, Verified(True)])
        scene = Scene(fake, Work.RUN, 1.0 if expected[2] else LATER, verify=of_web(seconds), web=Web([*answers]))
        scene.start()
        report = await scene.report()
        assert (report.verified, report.reason, report.stop) == expected
        assert (report.effect, report.done) == (Effect.DONE, DONE)
        assert report.transient
        assert report.verified or "verify[0]" in report.message or "verify checks" in report.message

    asyncio.run(run())


def test_an_executor_may_say_that_it_cannot_tell() -> None:
    async def run() -> None:
        scene = Scene(Fake(verify_=CannotTell("dark")), Work.RUN)
        scene.start()
        report = await scene.report()
        assert told(report) == (Effect.DONE, False, None)
        assert (report.reason, report.message, report.transient) == (Reason.CANNOT_TELL, "dark", True)

    asyncio.run(run())


def test_checks_are_not_asked_before_the_action_itself_is_verified() -> None:
    async def run() -> None:
        web = Web([YES])
        scene = Scene(Fake(verify_=MISSING), Work.RUN, SOON, verify=of_web(), web=web)
        scene.start()
        report = await scene.report()
        assert (report.message, report.reason, web.asked) == (MISSING.message, None, 0)

    asyncio.run(run())


def test_an_effect_that_is_looked_back_for_is_checked_too() -> None:
    async def run() -> None:
        scene = Scene(Fake(observe_=DONE), Work.OBSERVE, preconditions=of_web(), verify=of_web(), web=Web([NO, YES]))
        scene.start()
        assert told(await scene.report()) == (Effect.DONE, True, None)
        assert "run" not in scene.fake.calls

    asyncio.run(run())


def test_progress_is_told_once_for_each_new_word_and_gone_with_the_attempt() -> None:
    async def run() -> None:
        told: list[str] = []
        fake = Fake(run_=forever)
        scene = Scene(fake)
        scene.runner = AttemptRunner(
            utc_now, scene._on_report, on_progress=lambda owner: told.append(scene.runner.progress(owner))
        )
        assert scene.runner.progress(OWNER) == ""
        scene.start()
        await scene.until("run")
        for text in ("1 of 2", "1 of 2", "2 of 2"):
            fake.journal.progress(text)
        assert told == ["1 of 2", "2 of 2"]
        scene.runner.stop(OWNER, Stop.CANCELLED)
        await scene.report()
        assert scene.runner.progress(OWNER) == ""

    asyncio.run(run())


def test_progress_hides_what_secrets_hold() -> None:
    async def run() -> None:
        fake = Fake(run_=forever)
        scene = Scene(fake)
        scene.assignment.request.redactor.learn("hunter2-hunter2")
        scene.start()
        await scene.until("run")
        fake.journal.progress("asked with hunter2-hunter2")
        assert scene.runner.progress(OWNER) == "asked with [redacted]"
        scene.runner.stop(OWNER, Stop.CANCELLED)
        await scene.report()

    asyncio.run(run())
