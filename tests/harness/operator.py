"""The operator as a process of its own, with its ServiceAccount's token and nothing more."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
READY_SECONDS = 30.0


class OperatorProcess:
    """One `action-operator run`. Logs and the audit stream go to files in `folder`."""

    def __init__(
        self, kubeconfig: Path, folder: Path, *, namespace: str | None, lease_name: str, options: Sequence[str] = ()
    ) -> None:
        self.folder = folder
        self._command = [
            sys.executable, "-m", "controller.operator.main", "run",
            "--kubeconfig", str(kubeconfig),
            "--lease-namespace", "action-operator",
            "--lease-name", lease_name,
            "--identity", lease_name,
            *(("--namespace", namespace) if namespace else ()),
            *options,
        ]  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        return (self.folder / "operator.log").read_text()

    def audit(self) -> list[dict[str, Any]]:
        """The records of the audit stream, of all starts."""
        return [json.loads(line) for line in (self.folder / "audit.jsonl").read_text().splitlines()]

    def start(self, *, wait: bool = True) -> None:
        """Starts it, and waits until it leads."""
        with (self.folder / "operator.log").open("ab") as log, (self.folder / "audit.jsonl").open("ab") as audit:
            before = log.tell()
            self._process = subprocess.Popen(
                self._command, stdout=audit, stderr=log, cwd=ROOT, env=os.environ | {"PYTHONUNBUFFERED": "1"}
            )
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
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            if "this process leads" in (self.folder / "operator.log").read_bytes()[offset:].decode():
                return
            if self.exit_code() is not None:
                break
            time.sleep(0.02)
        raise AssertionError(f"the operator does not lead:\n{self.log[-3000:]}")
