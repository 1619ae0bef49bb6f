"""`make up` beside a playground that is there already. Nothing is started: locks and files stand in for processes."""

import io
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from hack import playground
from hack.installation import NotInstalled
from hack.playground import Playground
from localcluster.api import Api
from localcluster.kubeconfig import Access
from localcluster.layout import Layout
from localcluster.locks import FileLock, held
from localcluster.state import Phase, ServerState, State

ROOT = Path(__file__).parents[3]
NOWHERE = "https://127.0.0.1:1"
APISERVER = "kube-apiserver"


class Process:
    """Stands in for a background process of the playground."""

    def __init__(self, name: str, folder: Path, *, runs: bool) -> None:
        self.name, self.runs = name, runs
        self.log = self.output = folder / f"{name}.log"

    def is_running(self) -> bool:
        return self.runs

    def start(self, *_: Any, **__: Any) -> None:
        self.runs = True

    def stop(self) -> bool:
        ran, self.runs = self.runs, False
        return ran


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Layout]:
    """A control plane and an operator, as their locks and files tell."""
    layout = Layout(tmp_path / "cluster")
    layout.create()
    Access(NOWHERE, b"no certificate", "admin", "token").write(layout.kubeconfig)
    for user in playground.PEOPLE:
        Access(NOWHERE, b"no certificate", user, "token").write(layout.kubeconfig_of(user))
    say(layout, Phase.READY)
    (tmp_path / "operator.log").touch()
    locks = [FileLock.take(layout.lock), FileLock.take(tmp_path / "operator.pid")]
    yield layout
    for lock in locks:
        lock.release()


def say(layout: Layout, phase: Phase, exit_code: int | None = None) -> None:
    etcd, apiserver = ServerState(1, layout.log("etcd")), ServerState(2, layout.log(APISERVER), exit_code)
    State(os.getpid(), phase, server=NOWHERE, servers={"etcd": etcd, APISERVER: apiserver}).write(layout)


def run(module: str, *arguments: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", module, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)


def one_line(done: "subprocess.CompletedProcess[str]") -> str:
    assert done.stderr == ""
    assert done.stdout.count("\n") == 1
    return done.stdout


def test_a_server_that_died_is_named_with_what_to_type(there: Layout) -> None:
    say(there, Phase.DEGRADED, exit_code=-signal.SIGKILL)
    up = run("hack.playground", "up", "--dir", there.root.parent)
    assert up.returncode == 1
    assert one_line(up) == (
        f"error: the playground runs no more as it should: {APISERVER} ended by signal 9, see {there.log(APISERVER)}; "
        f"type: python hack/playground.py down --dir {there.root.parent}\n"
    )
    assert held(there.lock), "it is stopped"


def test_an_api_server_that_does_not_answer_is_named(there: Layout) -> None:
    up = run("hack.playground", "up", "--dir", there.root.parent)
    assert up.returncode == 1
    assert f"the API server at {NOWHERE} does not answer, see {there.log(APISERVER)}; type: " in one_line(up)


def test_a_playground_that_another_command_is_starting_is_left_alone(there: Layout) -> None:
    say(there, Phase.STARTING)
    up = run("hack.playground", "up", "--dir", there.root.parent)
    assert up.returncode == 1
    assert "another command is just starting or stopping the playground; wait for it, and try again" in one_line(up)


def test_localcluster_names_it_too(there: Layout) -> None:
    say(there, Phase.DEGRADED, exit_code=7)
    up = run("localcluster", "up", "--dir", there.root)
    assert up.returncode == 2
    assert f"{APISERVER} ended with exit code 7, see" in up.stderr
    assert f"python -m localcluster down --dir {there.root}" in up.stderr


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch) -> list[Layout]:
    """Which control planes are stopped; installing into one does nothing, and the operator in it never leads."""
    found: list[Layout] = []

    def never(*_: object, **__: object) -> None:
        raise NotInstalled("the operator does not start")

    monkeypatch.setattr(Api, "ready", lambda _: True)
    monkeypatch.setattr(playground, "install", lambda *_: 0.0)
    monkeypatch.setattr(playground, "is_free", lambda *_: True)
    monkeypatch.setattr(playground, "operator_command", lambda *_, **__: [])
    monkeypatch.setattr(playground, "wait_until_it_leads", never)
    monkeypatch.setattr(playground.controlplane, "stop", lambda layout: not found.append(layout))
    return found


def beside(layout: Layout, *, operator: bool = False, hook: bool = False) -> tuple[Playground, io.StringIO]:
    """A playground whose processes are played."""
    told = io.StringIO()
    ground = Playground(layout.root.parent, Console(file=told, width=200))
    ground.operator = Process("operator", ground.folder, runs=operator)  # type: ignore[assignment]
    ground.hook = Process("hook", ground.folder, runs=hook)  # type: ignore[assignment]
    return ground, told


def test_what_runs_well_is_left_as_it_is(there: Layout, stopped: list[Layout]) -> None:
    ground, told = beside(there, operator=True)
    ground.up()
    assert told.getvalue().startswith("already running\n")
    assert stopped == []


def test_a_failure_stops_what_this_command_started_and_nothing_else(there: Layout, stopped: list[Layout]) -> None:
    ground, told = beside(there, hook=True)
    with pytest.raises(NotInstalled):
        ground.up()
    assert stopped == []
    assert (ground.operator.is_running(), ground.hook.is_running()) == (False, True)
    assert told.getvalue().startswith("stopped: operator; logs are in")


def test_a_failure_stops_a_control_plane_that_this_command_started(
    tmp_path: Path, stopped: list[Layout], there: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    ground, told = beside(Layout(tmp_path / "new" / "cluster"))
    attached = playground.ControlPlane.attach(there.root)
    monkeypatch.setattr(playground.ControlPlane, "start", lambda *_, **__: attached)
    with pytest.raises(NotInstalled):
        ground.up()
    assert stopped == [ground.layout]
    assert told.getvalue().startswith("stopped: operator, control plane; logs are in")


def test_a_control_plane_that_does_not_start_is_not_stopped_for_another_command(
    tmp_path: Path, stopped: list[Layout], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It cleans up itself; that it is already running says that somebody else was faster."""

    def taken(*_: object, **__: object) -> None:
        raise NotInstalled("already running there")

    monkeypatch.setattr(playground.ControlPlane, "start", taken)
    ground, _ = beside(Layout(tmp_path / "new" / "cluster"))
    with pytest.raises(NotInstalled):
        ground.up()
    assert stopped == []
