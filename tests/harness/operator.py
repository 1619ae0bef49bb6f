"""The operator as a process of its own, with its ServiceAccount's token and nothing more."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

Launch = Callable[[Sequence[str], Path, Path], Any]
"""Starts a command with its output and its errors appended to two files; what it returns is like a Popen."""

ROOT = Path(__file__).parents[2]
READY_SECONDS = 30.0


class OperatorProcess:
    """One `action-operator run`. Logs and the audit stream go to files in `folder`."""

    def __init__(
        self,
        kubeconfig: Path,
        folder: Path,
        *,
        namespace: str | None,
        lease_name: str,
        options: Sequence[str] = (),
        launch: Launch | None = None,
    ) -> None:
        self.folder = folder
        self._launch = launch or _launch
        self._command = [
            sys.executable, "-m", "controller.operator.main", "run",
            "--kubeconfig", str(kubeconfig),
            "--lease-namespace", "action-operator",
            "--lease-name", lease_name,
            "--identity", lease_name,
            *(("--namespace", namespace) if namespace else ()),
            *options,
        ]  # fmt: skip
        self._process: Any = None
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        log = self.folder / "operator.log"
        return log.read_text() if log.exists() else ""

    def audit(self) -> list[dict[str, Any]]:
        """The records of the audit stream, of all starts."""
        return [json.loads(line) for line in (self.folder / "audit.jsonl").read_text().splitlines()]

    def start(self, *, wait: bool = True) -> None:
        """Starts it, and waits until it leads."""
        log = self.folder / "operator.log"
        before = log.stat().st_size if log.exists() else 0
        self._process = self._launch(self._command, self.folder / "audit.jsonl", log)
        if wait:
            self._wait_until_leading(before)

    def kill(self) -> None:
        """kill -9."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def stop(self) -> int:
        """SIGTERM; its exit code."""
        assert self._process is not None
        if self._process.poll() is None:
            self._process.terminate()
        return self._process.wait(timeout=40)

    def exit_code(self) -> int | None:
        assert self._process is not None
        return self._process.poll()

    def _wait_until_leading(self, offset: int) -> None:
        log = self.folder / "operator.log"
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            if log.exists() and "this process leads" in log.read_bytes()[offset:].decode():
                return
            if self.exit_code() is not None:
                break
            time.sleep(0.02)
        raise AssertionError(f"the operator does not lead:\n{self.log[-3000:]}")


def _launch(command: Sequence[str], out: Path, err: Path) -> "subprocess.Popen[bytes]":
    with out.open("ab") as stdout, err.open("ab") as stderr:
        environment = os.environ | {"PYTHONUNBUFFERED": "1"}
        return subprocess.Popen(command, stdout=stdout, stderr=stderr, cwd=ROOT, env=environment)
