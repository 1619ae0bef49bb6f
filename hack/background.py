"""A process that goes on after the command that started it, and is found again by the next one.

It inherits a file lock: the kernel lets go of it when the process ends, however that comes about. So a held lock is
proof that it runs, and that the process id in the file is still its own.
"""

import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

STOP_SECONDS = 40.0
_TICK_SECONDS = 0.05


class Background:
    """One process by name in `folder`: `NAME.pid` (lock and id), `NAME.log`, and `output` if that is to be apart."""

    def __init__(self, folder: Path, name: str, *, output: str | None = None) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self.output = folder / output if output else self.log
        self._pid = folder / f"{name}.pid"

    def is_running(self) -> bool:
        descriptor = self._lock()
        if descriptor is None:
            return True
        os.close(descriptor)
        return False

    def start(self, command: Sequence[str], *, cwd: Path, env: Mapping[str, str] | None = None) -> None:
        """Starts it in a session of its own, so that no Ctrl-C here reaches it. Raises RuntimeError if it runs."""
        descriptor = self._lock()
        if descriptor is None:
            raise RuntimeError(f"{self.name} is already running")
        try:
            with self.log.open("ab") as log, self.output.open("ab") as output:
                process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=output, stderr=log, cwd=cwd, env=env,
                    start_new_session=True, pass_fds=(descriptor,),
                )  # fmt: skip
            os.truncate(descriptor, 0)
            os.pwrite(descriptor, f"{process.pid}\n".encode(), 0)
        finally:
            os.close(descriptor)

    def stop(self) -> bool:
        """Asks it to end, after STOP_SECONDS makes it end; returns when it is gone. False if it did not run."""
        if not self.is_running():
            return False
        pid, begun = int(self._pid.read_text()), time.monotonic()
        os.kill(pid, signal.SIGTERM)
        while self.is_running():
            if time.monotonic() - begun > STOP_SECONDS:
                os.kill(pid, signal.SIGKILL)
            time.sleep(_TICK_SECONDS)
        return True

    def _lock(self) -> int | None:
        """A descriptor with the lock, or None if the process holds it."""
        self._pid.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._pid, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return descriptor
