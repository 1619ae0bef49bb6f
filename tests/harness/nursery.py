"""Starts operators as forks of a process that has imported everything: a start then costs a tenth of the CPU.

A fork is a process of its own like any other operator: it reads its options, logs in, and dies by SIGKILL alone. What
it does not prove is that the program can be imported; the end-to-end tests do.
"""

import contextlib
import gc
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


class Nursery:
    """Use `nursery`. Safe to use from several threads."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self._lock = threading.Lock()

    def launch(self, command: Sequence[str], out: Path, err: Path) -> "Fork":
        """Starts an operator; output is appended to the files."""
        arguments = list(command[command.index("controller.operator.main") + 1 :])
        return Fork(self, self.ask({"start": arguments, "out": str(out), "err": str(err)}))

    def ask(self, question: dict[str, Any]) -> Any:
        with self._lock:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()
            return json.loads(self._process.stdout.readline())


class Fork:
    """One operator, with those methods of Popen that are needed."""

    def __init__(self, parent: Nursery, pid: int) -> None:
        self._parent = parent
        self.pid = pid
        self._code: int | None = None

    def poll(self) -> int | None:
        if self._code is None:
            self._code = self._parent.ask({"poll": self.pid})
        return self._code

    def wait(self, timeout: float = 10.0) -> int:
        deadline = time.monotonic() + timeout
        while (code := self.poll()) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("operator", timeout)
            time.sleep(0.005)
        return code

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    def terminate(self) -> None:
        self._signal(signal.SIGTERM)

    def _signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)


@contextlib.contextmanager
def nursery() -> Iterator[Nursery]:
    """Ready to launch, until left; operators that still run then are killed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "harness.nursery"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}", "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    try:
        yield Nursery(process)
    finally:
        process.communicate(timeout=10)


def _serve() -> None:
    from controller.operator import main, serving  # noqa: F401  this is what takes a second

    gc.collect()
    gc.freeze()  # what was imported is never garbage: no fork looks through it, or copies it by doing so
    children: set[int] = set()
    for line in sys.stdin:
        question = json.loads(line)
        if "start" in question:
            pid = os.fork()
            if pid == 0:
                _become(question)
                main.app(question["start"])
            children.add(pid)
            answer = pid
        else:
            done, status = os.waitpid(question["poll"], os.WNOHANG)
            children.discard(done)
            answer = os.waitstatus_to_exitcode(status) if done else None
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    for child in children:
        os.kill(child, signal.SIGKILL)


def _become(question: dict[str, Any]) -> None:
    """Turns the fork's standard streams into those of an operator."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, path in ((1, question["out"]), (2, question["err"])):
        os.dup2(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT), number)


if __name__ == "__main__":
    _serve()
