"""Runs many cases at once on a few lanes, and sums up what they came to."""

import queue
import time
from concurrent.futures import Future, ThreadPoolExecutor

from lanes import Case, Lane, Result


class Report:
    """What the sweep came to."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.results: list[Result] = []
        self.broken = 0

    def line(self) -> str:
        found = self.results
        kills = sum(1 for result in found if result.case.kills and result.reached)
        doubled = sum(result.doubled for result in found)
        unknown = sum(1 for result in found if result.outcome == "Unknown")
        missed = sum(1 for result in found if not result.reached and result.case.fault != "none")
        return (
            f"faults: {len(found) + self.broken} cases, {kills} kills, {doubled} doubled effects, "
            f"{len(found)} converged, {self.broken} broken, {unknown} Unknown, "
            f"{missed} faults not reached, "
            f"{time.monotonic() - self.began:.0f} s"
        )


class Sweep:
    """Runs cases on whichever lane is free; those that are selected begin before they are asked for."""

    def __init__(self, lanes: "queue.SimpleQueue[Lane]", pool: ThreadPoolExecutor, report: Report) -> None:
        self._lanes = lanes
        self._pool = pool
        self._report = report
        self._running: dict[str, Future[Result]] = {}

    def begin(self, case: Case) -> None:
        self._running[str(case)] = self._pool.submit(self._run, case)

    def result(self, case: Case) -> Result:
        """Raises what the case raised."""
        if str(case) not in self._running:
            self.begin(case)
        try:
            result = self._running[str(case)].result()
        except BaseException:
            self._report.broken += 1
            raise
        self._report.results.append(result)
        return result

    def _run(self, case: Case) -> Result:
        free = self._lanes.get()
        try:
            return free.run(case)
        finally:
            self._lanes.put(free)
