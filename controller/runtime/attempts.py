"""Runs claimed attempts as tasks of their own and keeps what becomes of each until it is recorded.

A task holds no worker. On shutdown tasks are ended without a report: the attempt stays open in status, and the next
process finds out what it did.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from controller.api.proposal import Attempt
from controller.core.attempt_report import Effect, Report, Stop
from controller.runtime.attempt_run import Assignment, AttemptRun
from controller.runtime.store import Key


class Owner(NamedTuple):
    """The proposal that an attempt belongs to; the uid tells it from an earlier one of the same name."""

    key: Key
    uid: str


@dataclass(frozen=True)
class _Running:
    run: AttemptRun
    task: asyncio.Task[None]


class AttemptRunner:
    """The attempts that this process runs, by owner, and the reports of those that ended.

    `on_report(owner)` is called when a report is there to be taken, `on_made(owner, attempt id)` when an effect is
    known to be made and only its purpose is waited for, `on_progress(owner)` when `progress` says something new.
    """

    def __init__(
        self,
        clock: Callable[[], datetime],
        on_report: Callable[[Owner], None],
        on_made: Callable[[Owner, str], None] = lambda _owner, _attempt: None,
        on_progress: Callable[[Owner], None] = lambda _owner: None,
    ) -> None:
        self._clock = clock
        self._on_report = on_report
        self._on_made = on_made
        self._on_progress = on_progress
        self._running: dict[Owner, _Running] = {}
        self._reports: dict[Owner, Report] = {}

    def __len__(self) -> int:
        return len(self._running)

    def running(self, owner: Owner, attempt_id: str | None) -> bool:
        """Whether that attempt of the proposal runs here."""
        current = self._running.get(owner)
        return current is not None and current.run.assignment.attempt.id == attempt_id

    def reported(self) -> list[Owner]:
        """Proposals with a report that is not recorded yet."""
        return list(self._reports)

    def is_running(self, owner: Owner) -> bool:
        return owner in self._running

    def progress(self, owner: Owner) -> str:
        """What the attempt that runs here said last of how far it is; empty if nothing."""
        current = self._running.get(owner)
        return current.run.progress if current else ""

    def overdue_seconds(self, now: datetime) -> float:
        """How long the deadline is past of the attempt that should have ended first; 0 if none is over."""
        deadlines = [current.run.assignment.attempt.deadline for current in self._running.values()]
        return max(0.0, (now - min(deadlines)).total_seconds()) if deadlines else 0.0

    def report(self, owner: Owner) -> Report | None:
        """What the proposal's last attempt came to, until it is forgotten."""
        return self._reports.get(owner)

    def forget(self, owner: Owner) -> None:
        """Drops the report: it is recorded."""
        self._reports.pop(owner, None)

    def start(self, owner: Owner, assignment: Assignment) -> None:
        """Starts working on the attempt."""
        assignment.journal.listen(lambda: self._on_progress(owner))
        run = AttemptRun(assignment, self._clock, lambda: self._on_made(owner, assignment.attempt.id))
        self._running[owner] = _Running(run, asyncio.create_task(self._see_to(owner, run), name=f"attempt {owner.key}"))

    def not_started(self, owner: Owner, attempt: Attempt, stop: Stop) -> None:
        """Reports an attempt that was claimed but must not start."""
        effect = Effect.DONE if attempt.done_at else Effect.NOT_DONE
        self._reports[owner] = Report(attempt.id, effect, self._clock(), message="not started", stop=stop)

    def stop(self, owner: Owner, reason: Stop) -> None:
        """Asks the attempt to stop; its report follows."""
        current = self._running.get(owner)
        if current:
            current.run.stop(reason)

    async def drain(self, seconds: float) -> None:
        """Waits for effects under way, then ends what is left, leaving it open for the next process.

        An attempt that only looks is left at once: the next process waits for preconditions, or verifies, as well.
        """
        all_running = list(self._running.values())
        under_way = [current.task for current in all_running if current.run.assignment.makes_effect]
        if under_way:
            await asyncio.wait(under_way, timeout=seconds)
        left = [current.task for current in self._running.values()]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        for owner, current in list(self._running.items()):
            if current.task.done():  # cancelled before its first step: it could not say so itself
                del self._running[owner]

    async def _see_to(self, owner: Owner, run: AttemptRun) -> None:
        try:
            report = await run.report()
        finally:
            self._running.pop(owner, None)
        self._reports[owner] = report
        self._on_report(owner)
