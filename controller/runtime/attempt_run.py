"""One claimed attempt under way: its preconditions, or its effect and then its verification, within its deadline.

It ends by itself, at its deadline, or because it was asked to stop; in every case the journal says what is known of
the effect. It knows nothing of other attempts and writes nothing. What the executor says passes the request's redactor
here, and nowhere else: an executor cannot forget it.
"""

import asyncio
import logging
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from controller.api.names import Reason
from controller.api.proposal import Attempt
from controller.core.attempt_report import Effect, Report, Stop
from controller.core.checks import Named
from controller.core.decision import Work
from controller.core.errors import (
    ActionError,
    EffectFailed,
    LostAnswer,
    NotLeading,
    PreconditionFailed,
    Repeatable,
    TransientFailure,
)
from controller.core.ports import Done, Executor, Journal, Operation, Request
from controller.core.redaction import MAX_TEXT
from controller.runtime.checks import until_met
from controller.runtime.purpose import FIRST_LOOK_SECONDS, LONGEST_LOOK_SECONDS, Purpose

logger = logging.getLogger(__name__)

STOP_SECONDS = 10.0
OBSERVE_SECONDS = 30.0
"""An attempt taken over after its deadline still gets this long to be looked at."""
LAST_LOOK_SECONDS = 5.0
"""For how long an attempt that is asked to stop is still looked at: looking changes nothing, and not knowing costs."""


@dataclass(frozen=True)
class Assignment:
    """One claimed attempt: what to do, with which executor, for which proposal."""

    work: Work
    attempt: Attempt
    operation: Operation
    executor: Executor[Any]
    request: Request[Any]
    journal: Journal
    preconditions: tuple[Named, ...] = ()
    verify: tuple[Named, ...] = ()

    @property
    def known_done(self) -> bool:
        return self.journal.done is not None or self.attempt.done_at is not None

    @property
    def makes_effect(self) -> bool:
        """Whether it may be making its effect now, as opposed to looking before or after it."""
        return self.work is not Work.CHECK and self.journal.done is None

    @property
    def maybe_sent(self) -> bool:
        """Whether this process, or the one that it took the attempt over from, may have sent something."""
        return self.journal.sent or self.work is Work.OBSERVE


class AttemptRun:
    """Carries one assignment out, once."""

    def __init__(
        self, assignment: Assignment, clock: Callable[[], datetime], on_made: Callable[[], None] = lambda: None
    ) -> None:
        """`on_made` is called when the effect is known to be made."""
        self.assignment = assignment
        self._clock = clock
        self._on_made = on_made
        self._task: asyncio.Task[Any] | None = None
        self._stop: Stop | None = None
        self._look: asyncio.Timeout | None = None
        """Limits the look after a crash while it lasts."""
        self._cut_off = False
        """Whether it was this run that cancelled its task, and not a shutdown."""
        self._missing = ""
        self._redactor = assignment.request.redactor
        self._purpose = Purpose(assignment.executor, assignment.request, assignment.operation, assignment.verify, clock)
        self._done_at = assignment.attempt.done_at

    @property
    def progress(self) -> str:
        """What the executor said last of how far it is."""
        return self._redactor.text(self.assignment.journal.said)

    def stop(self, reason: Stop) -> None:
        """Asks it to stop; `report` returns soon after. Asking again changes nothing."""
        if self._stop is not None:
            return
        self._stop = reason
        if self._look is not None:
            self._look.reschedule(asyncio.get_running_loop().time() + LAST_LOOK_SECONDS)
        elif self._task is not None:  # a task that is cancelled before its first step ends without a word
            self._cut_off = True
            self._task.cancel()

    async def report(self) -> Report:
        """What it comes to. Raises CancelledError, and knows nothing, if it is cancelled without having been asked."""
        self._task = asyncio.current_task()
        if asked_before := self._asked():
            return await self._stopped(asked_before)
        try:
            return await self._within_deadline()
        except asyncio.CancelledError:
            asked = self._asked()
            if asked is None or self._task is None or not self._cut_off:
                raise
            self._task.uncancel()
            return await self._stopped(asked)

    def _asked(self) -> Stop | None:
        return self._stop  # by a call: it changes at every await

    async def _within_deadline(self) -> Report:
        observing = self.assignment.work is Work.OBSERVE
        latest = self.assignment.attempt.deadline
        if observing:
            latest = max(latest, self._clock() + timedelta(seconds=OBSERVE_SECONDS))
        try:
            async with asyncio.timeout(max(0.0, (latest - self._clock()).total_seconds())):
                return await self._work()
        except TimeoutError:
            message = self._purpose.missing or self._missing or "no answer within timeoutSeconds"
            return self._by_journal(Stop.CRASHED if observing else Stop.TIMEOUT, message)

    async def _work(self) -> Report:
        assignment = self.assignment
        try:
            if assignment.work is Work.CHECK:
                await until_met(assignment.preconditions, assignment.request)
                return self._report(Effect.NOT_DONE, "its preconditions are met", met=True)
            done = await self._effect()
            if done is not None:
                hidden = self._redactor
                done = replace(done, message=hidden.text(done.message), outputs=hidden.json(done.outputs))
                assignment.journal.known_done(done)
                self._done_at = self._done_at or self._clock()
                self._on_made()
            if asked := self._asked():
                return await self._stopped(asked)
            if done is None:
                return self._report(Effect.UNCLEAR, "the operator was restarted during the attempt", Stop.CRASHED)
            verified = await self._purpose.reached()
            if verified.outputs:
                outputs = done.outputs | self._redactor.json(verified.outputs)
                assignment.journal.known_done(replace(done, outputs=outputs))
            message = " ".join(filter(None, (done.message, verified.message)))
            return self._report(Effect.DONE, message, verified=True)
        except ActionError as error:
            return self._failed(error)
        except Exception as error:  # noqa: BLE001  whatever it is, it is this attempt's alone
            told = self._redactor.text(traceback.format_exc()[-MAX_TEXT:])
            logger.error("executor of attempt %s failed:\n%s", assignment.attempt.id, told)  # noqa: TRY400
            return self._failed(_Broken(f"internal error in the executor: {type(error).__name__}"))

    async def _effect(self) -> Done | None:
        """The effect, None where nothing shows that an attempt taken over has made it."""
        assignment = self.assignment
        match assignment.work:
            case Work.RUN:
                return await assignment.executor.run(assignment.request, assignment.operation)
            case Work.CHECK:
                raise AssertionError("only preconditions were to be looked at")
            case Work.VERIFY:
                return Done("The effect of an earlier attempt is verified.")
            case Work.OBSERVE if assignment.known_done:
                return Done("verified the effect of an earlier attempt")
            case Work.OBSERVE:
                return await self._looked_for()

    async def _looked_for(self) -> Done | None:
        try:
            async with asyncio.timeout(None) as self._look:
                return await self._observed()
        except TimeoutError:
            if self._look is not None and self._look.expired():
                return None
            raise
        finally:
            self._look = None

    async def _observed(self) -> Done | None:
        assignment = self.assignment
        pause = FIRST_LOOK_SECONDS
        while True:
            try:
                return await assignment.executor.observe(assignment.request, assignment.operation)
            except TransientFailure as error:
                self._missing = str(error)
            except ActionError:
                return None
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_LOOK_SECONDS)

    async def _stopped(self, stop: Stop) -> Report:
        assignment = self.assignment
        if assignment.known_done and stop.by_people:
            try:
                async with asyncio.timeout(STOP_SECONDS):
                    await assignment.executor.stop(assignment.request, assignment.operation)
            except (ActionError, TimeoutError) as error:
                told = self._redactor.text(str(error))
                logger.warning("attempt %s could not be stopped outside: %s", assignment.attempt.id, told)
        return self._by_journal(stop, f"stopped: {stop.value.lower()}")

    def _by_journal(self, stop: Stop, message: str) -> Report:
        """What is known of an attempt that was ended from outside."""
        if self.assignment.known_done:
            return self._report(Effect.DONE, message, stop)
        return self._report(Effect.UNCLEAR if self.assignment.maybe_sent else Effect.NOT_DONE, message, stop)

    def _failed(self, error: ActionError) -> Report:
        assignment = self.assignment
        if isinstance(error, EffectFailed):
            effect = Effect.FAILED
        elif assignment.journal.done is not None:
            effect = Effect.DONE
        elif isinstance(error, LostAnswer) or (isinstance(error, _Broken | NotLeading) and assignment.maybe_sent):
            effect = Effect.UNCLEAR
        else:
            effect = Effect.NOT_DONE
        repeatable = error if isinstance(error, Repeatable) else None
        return Report(
            attempt_id=assignment.attempt.id,
            effect=effect,
            at=self._clock(),
            message=self._redactor.text(str(error)),
            transient=repeatable is not None,
            reason=self._reason(error),
            retry_after_seconds=repeatable.retry_after_seconds if repeatable else None,
            stop=Stop.CRASHED if isinstance(error, NotLeading) else None,
            done=assignment.journal.done,
            done_at=self._done_at,
        )

    def _reason(self, error: ActionError | None = None) -> Reason | None:
        if isinstance(error, PreconditionFailed):
            return Reason.PRECONDITION_FAILED
        return Reason.CANNOT_TELL if self._purpose.untold else None

    def _report(
        self, effect: Effect, message: str, stop: Stop | None = None, *, verified: bool = False, met: bool = False
    ) -> Report:
        return Report(
            attempt_id=self.assignment.attempt.id,
            effect=effect,
            at=self._clock(),
            verified=verified,
            met=met,
            message=self._redactor.text(message),
            reason=self._reason(),
            stop=stop,
            done=self.assignment.journal.done,
            done_at=self._done_at,
        )


class _Broken(ActionError):
    """An executor raised what it must not."""
