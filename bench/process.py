"""A program under measurement: started, waited for, its CPU time and memory read from /proc (Linux only)."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from signal import Signals

from localcluster.lifetime import die_with_parent

ROOT = Path(__file__).parents[1]
READY_SECONDS = 60.0
STOP_SECONDS = 40.0
_TICKS = os.sysconf("SC_CLK_TCK")


class Program:
    """One program; `ready` is what its log says when it is ready. Use as `with`: it ends when that is left."""

    def __init__(
        self,
        module: Sequence[str],
        log: Path,
        *,
        ready: str,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._command = [sys.executable, *module]
        self._log = log
        self._ready = ready
        self._environment = {**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self.ready_at = 0.0
        self.ready_cpu = 0.0

    def __enter__(self) -> "Program":
        with self._log.open("wb") as log, self._log.with_suffix(".out").open("wb") as out:
            self._process = subprocess.Popen(
                self._command, stdout=out, stderr=log, cwd=ROOT, env=self._environment, preexec_fn=die_with_parent()
            )
        return self

    def __exit__(self, *_: object) -> None:
        process = self._process
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    async def wait_until_ready(self) -> None:
        """Until its log says so. Raises RuntimeError with the log's end if it never does."""
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline and self._running():
            if self._ready in self._log.read_text():
                self.ready_at, self.ready_cpu = time.time(), self.cpu_seconds()
                return
            await asyncio.sleep(0.02)
        raise RuntimeError(f"{' '.join(self._command[1:4])} is not ready:\n{self._log.read_text()[-3000:]}")

    def signal(self, number: Signals) -> None:
        os.kill(self._pid, number)

    def cpu_seconds(self) -> float:
        """User and system time so far."""
        fields = Path(f"/proc/{self._pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def rss_mb(self) -> float:
        """Resident memory in MB (10^6 bytes)."""
        pages = int(Path(f"/proc/{self._pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def complaints(self) -> str:
        """The last warnings and errors of its log."""
        lines = self._log.read_text().splitlines()
        return "\n".join([line for line in lines if "WARNING" in line or "ERROR" in line or "Error" in line][-8:])

    async def calm(self, *, seconds: float = 1.0, within: float = 300.0) -> None:
        """Until it used less than 3 % of a core for `seconds`."""
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            before = self.cpu_seconds()
            await asyncio.sleep(seconds)
            if self.cpu_seconds() - before <= 0.03 * seconds:
                return
        raise RuntimeError("the program does not become calm")

    @property
    def _pid(self) -> int:
        if self._process is None:
            raise RuntimeError("not started")
        return self._process.pid

    def _running(self) -> bool:
        return self._process is not None and self._process.poll() is None
