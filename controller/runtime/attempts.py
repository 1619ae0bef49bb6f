"""Runs claimed attempts as tasks of their own and turns whatever becomes of each into a `Report`.

A task holds no worker. It ends by itself, at its deadline, or because it was stopped; in every case the journal says
what is known of the effect. On shutdown tasks are ended without a report: the attempt stays open in status, and the
next process finds out what it did.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Protocol

from controller.api.proposal import Attempt
from controller.core.attempt_report import Effect, Report, Stop
from controller.core.decision import Work
from controller.core.errors import ActionError, EffectFailed, LostAnswer, Repeatable, TransientFailure
from controller.core.ports import (
    Cluster,
    Done,
    Egress,
    Executor,
    Http,
    Journal,
    Observation,
    Operation,
    Request,
    Verified,
)
from controller.runtime.store import Key

logger = logging.getLogger(__name__)

FIRST_LOOK_SECONDS = 0.05
LONGEST_LOOK_SECONDS = 5.0
STOP_SECONDS = 10.0
OBSERVE_SECONDS = 30.0
"""An attempt taken over after its deadline still gets this long to be looked at."""


class Reach(Protocol):
    """How an executor reaches the world: the API server as the runner, and hosts outside."""

    def cluster(self, namespace: str, runner: str | None, journal: Journal) -> Cluster: ...

    def http(self, egress: Egress, journal: Journal) -> Http: ...


class Owner(NamedTuple):
    """The proposal that an attempt belongs to; the uid tells it from an earlier one of the same name."""

    key: Key
    uid: str


@dataclass(frozen=True)
class Assignment:
    """One claimed attempt: what to do, with which executor, for which proposal."""

    work: Work
    attempt: Attempt
    operation: Operation
    executor: Executor[Any]
    request: Request[Any]
    journal: Journal


@dataclass
class _Running:
    attempt_id: str
    task: asyncio.Task[None]
    journal: Journal
    begun: bool = False
    stop: Stop | None = None


class AttemptRunner:
    """The attempts that this process runs, by owner, and the reports of those that ended.

    `on_report(owner)` is called when a report is there to be taken.
    """

    def __init__(self, clock: Callable[[], datetime], on_report: Callable[[Owner], None]) -> None:
        self._clock = clock
        self._on_report = on_report
        self._running: dict[Owner, _Running] = {}
        self._reports: dict[Owner, Report] = {}

    def __len__(self) -> int:
        return len(self._running)

    def running(self, owner: Owner, attempt_id: str | None) -> bool:
        """Whether that attempt of the proposal runs here."""
        current = self._running.get(owner)
        return current is not None and current.attempt_id == attempt_id

    def reported(self) -> list[Owner]:
        """Proposals with a report that is not recorded yet."""
        return list(self._reports)

    def is_running(self, owner: Owner) -> bool:
        return owner in self._running

    def report(self, owner: Owner) -> Report | None:
        """What the proposal's last attempt came to, until it is forgotten."""
        return self._reports.get(owner)

    def forget(self, owner: Owner) -> None:
        """Drops the report: it is recorded."""
        self._reports.pop(owner, None)

    def start(self, owner: Owner, assignment: Assignment) -> None:
        """Starts working on the attempt."""
        task = asyncio.create_task(self._carry_out(owner, assignment), name=f"attempt {owner.key}")
        self._running[owner] = _Running(assignment.attempt.id, task, assignment.journal)

    def not_started(self, owner: Owner, attempt: Attempt, stop: Stop) -> None:
        """Reports an attempt that was claimed but must not start."""
        effect = Effect.DONE if attempt.done_at else Effect.NOT_DONE
        self._reports[owner] = Report(attempt.id, effect, self._clock(), message="not started", stop=stop)

    def stop(self, owner: Owner, reason: Stop) -> None:
        """Asks the attempt to stop; its report follows."""
        current = self._running.get(owner)
        if current and current.stop is None:
            current.stop = reason
            if current.begun:  # a task that is cancelled before its first step ends without a word
                current.task.cancel()

    async def drain(self, seconds: float) -> None:
        """Waits for effects under way, then ends what is left, leaving it open for the next process.

        An attempt whose effect is made and only verified is left at once: the next process verifies it as well.
        """
        under_way = [current.task for current in self._running.values() if current.journal.done is None]
        if under_way:
            await asyncio.wait(under_way, timeout=seconds)
        left = [current.task for current in self._running.values()]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _carry_out(self, owner: Owner, assignment: Assignment) -> None:
        current = self._running[owner]
        current.begun = True
        try:
            stop = current.stop
            report = await (self._stopped(assignment, stop) if stop else self._judged(assignment, current))
        finally:
            self._running.pop(owner, None)
        self._reports[owner] = report
        self._on_report(owner)

    async def _judged(self, assignment: Assignment, current: "_Running") -> Report:
        try:
            return await self._within_deadline(assignment)
        except asyncio.CancelledError:
            if current.stop is None:
                raise
            task = asyncio.current_task()
            if task:
                task.uncancel()
            return await self._stopped(assignment, current.stop)

    async def _within_deadline(self, assignment: Assignment) -> Report:
        tracker = _Tracker(assignment, self._clock)
        latest = assignment.attempt.deadline
        if assignment.work is Work.OBSERVE:
            latest = max(latest, self._clock() + timedelta(seconds=OBSERVE_SECONDS))
        try:
            async with asyncio.timeout(max(0.0, (latest - self._clock()).total_seconds())):
                return await tracker.work()
        except TimeoutError:
            return tracker.timed_out()

    async def _stopped(self, assignment: Assignment, stop: Stop) -> Report:
        if _known_done(assignment) and stop is Stop.CANCELLED:
            try:
                async with asyncio.timeout(STOP_SECONDS):
                    await assignment.executor.stop(assignment.request, assignment.operation)
            except (ActionError, TimeoutError) as error:
                logger.warning("attempt %s could not be stopped outside: %s", assignment.attempt.id, error)
        return _from_journal(assignment, self._clock(), stop, f"stopped: {stop.value.lower()}")


class _Tracker:
    """One attempt under way: its effect, then its verification."""

    def __init__(self, assignment: Assignment, clock: Callable[[], datetime]) -> None:
        self._assignment = assignment
        self._clock = clock
        self._missing = ""
        self._done_at: datetime | None = assignment.attempt.done_at

    async def work(self) -> Report:
        assignment = self._assignment
        try:
            done = await self._effect()
            if isinstance(done, Observation):
                return self._report(Effect.UNCLEAR, "the operator was restarted during the attempt", Stop.CRASHED)
            assignment.journal.known_done(done)
            self._done_at = self._done_at or self._clock()
            verified = await self._verified()
            message = " ".join(filter(None, (done.message, verified.message)))
            return self._report(Effect.DONE, message, verified=True)
        except ActionError as error:
            return self._failed(error)
        except Exception as error:
            logger.exception("executor of attempt %s failed", assignment.attempt.id)
            return self._failed(_Broken(f"internal error in the executor: {type(error).__name__}"))

    def timed_out(self) -> Report:
        message = self._missing or "no answer within timeoutSeconds"
        stop = Stop.CRASHED if self._assignment.work is Work.OBSERVE else Stop.TIMEOUT
        return _from_journal(self._assignment, self._clock(), stop, message, self._done_at)

    async def _effect(self) -> Done | Observation:
        assignment = self._assignment
        executor, request, operation = assignment.executor, assignment.request, assignment.operation
        match assignment.work:
            case Work.RUN:
                return await executor.run(request, operation)
            case Work.OBSERVE:
                return await self._observed()
            case Work.VERIFY:
                return Done("The effect of an earlier attempt is verified.")

    async def _observed(self) -> Done | Observation:
        assignment = self._assignment
        if _known_done(assignment):
            return Done("verified the effect of an earlier attempt")
        pause = FIRST_LOOK_SECONDS
        while True:
            try:
                return await assignment.executor.observe(assignment.request, assignment.operation)
            except TransientFailure as error:
                self._missing = str(error)
            except ActionError:
                return Observation.UNDETERMINED
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_LOOK_SECONDS)

    async def _verified(self) -> Verified:
        """Returns when the purpose is reached. What cannot be read now is looked at again, until time is up."""
        assignment = self._assignment
        pause = FIRST_LOOK_SECONDS
        while True:
            try:
                seen = await assignment.executor.verify(assignment.request, assignment.operation)
            except TransientFailure as error:
                self._missing = str(error)
            else:
                if seen.ok:
                    return seen
                self._missing = seen.message
                if seen.again_at:
                    pause = max(FIRST_LOOK_SECONDS, (seen.again_at - self._clock()).total_seconds())
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_LOOK_SECONDS)

    def _failed(self, error: ActionError) -> Report:
        journal = self._assignment.journal
        repeatable = isinstance(error, Repeatable)
        if isinstance(error, EffectFailed):
            effect = Effect.FAILED
        elif journal.done is not None:
            effect = Effect.DONE
        elif isinstance(error, LostAnswer) or (isinstance(error, _Broken) and _maybe_sent(self._assignment)):
            effect = Effect.UNCLEAR
        else:
            effect = Effect.NOT_DONE
        return Report(
            attempt_id=self._assignment.attempt.id,
            effect=effect,
            at=self._clock(),
            message=str(error),
            transient=repeatable,
            retry_after_seconds=error.retry_after_seconds if isinstance(error, Repeatable) else None,
            done=journal.done,
            done_at=self._done_at,
        )

    def _report(self, effect: Effect, message: str, stop: Stop | None = None, *, verified: bool = False) -> Report:
        return Report(
            attempt_id=self._assignment.attempt.id,
            effect=effect,
            at=self._clock(),
            verified=verified,
            message=message,
            stop=stop,
            done=self._assignment.journal.done,
            done_at=self._done_at,
        )


class _Broken(ActionError):
    """An executor raised what it must not."""


def _from_journal(
    assignment: Assignment, at: datetime, stop: Stop, message: str, done_at: datetime | None = None
) -> Report:
    """What is known of an attempt that was ended from outside."""
    if _known_done(assignment):
        effect = Effect.DONE
    elif _maybe_sent(assignment):
        effect = Effect.UNCLEAR
    else:
        effect = Effect.NOT_DONE
    done = assignment.journal.done
    return Report(assignment.attempt.id, effect, at, message=message, stop=stop, done=done, done_at=done_at)


def _known_done(assignment: Assignment) -> bool:
    return assignment.journal.done is not None or assignment.attempt.done_at is not None


def _maybe_sent(assignment: Assignment) -> bool:
    """Whether this process, or the one that it took the attempt over from, may have sent something."""
    return assignment.journal.sent or assignment.work is Work.OBSERVE
