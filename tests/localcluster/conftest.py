"""What the tests of the local control plane share: waiting, the command line, fake programs."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from localcluster import controlplane
from localcluster.layout import Layout

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def eventually() -> Callable[..., None]:
    """Return a function that waits until a condition holds, and fails when it takes too long."""

    def wait(condition: Callable[[], object], what: str, timeout_seconds: float = 15.0) -> None:
        deadline = time.monotonic() + timeout_seconds
        while not condition():
            if time.monotonic() > deadline:
                pytest.fail(f"waited {timeout_seconds:.0f} s in vain until {what}")
            time.sleep(0.02)

    return wait


@pytest.fixture
def alive() -> Callable[[int], bool]:
    """Return a function that says whether a process runs (an uncollected dead one does not)."""

    def runs(pid: int) -> bool:
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return False
        return stat.rpartition(")")[2].split()[0] != "Z"

    return runs


@pytest.fixture
def localcluster() -> Run:
    """Return a function that runs `python -m localcluster`."""

    def run(*arguments: object, **environment: object) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "localcluster", *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            env={**os.environ, **{name: str(value) for name, value in environment.items()}},
        )

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Return a folder for a control plane that is stopped after the test, whatever happens."""
    directory = tmp_path / "one"
    yield directory
    controlplane.stop(Layout(directory))


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str, str], Path]:
    """Return a function that writes a shell script to stand in for a program."""

    def write(name: str, body: str) -> Path:
        path = tmp_path / "scripts" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
        return path

    return write
