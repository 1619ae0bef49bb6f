"""`kubectl actions` as it is typed: in this process, or as one of its own on a terminal."""

import io
import json
import os
import select
import subprocess
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from api_server import ApiServer, Manifest

from controller.cli.main import app
from localcluster.controlplane import ControlPlane

ROOT = Path(__file__).parents[2]
API = "actionoperator.dev/v1alpha1"
DIGEST = "sha256:" + "0123456789abcdef" * 4
ENVIRONMENT = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "FORCE_COLOR")}


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    returncode: int
    stdout: str
    stderr: str


@dataclass
class Shell:
    """Where commands are typed: one namespace, as one user."""

    cluster: ControlPlane
    server: ApiServer
    kubeconfig: Path

    @property
    def namespace(self) -> str:
        return self.server.namespace

    def run(self, *arguments: str, namespaced: bool = True) -> Done:
        """The command in this process, which is a second quicker; its output is no terminal."""
        where = ("-n", self.namespace) if namespaced else ()
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as end:
            app([*arguments, *where, "--kubeconfig", str(self.kubeconfig)])
        return Done(int(end.value.code or 0), out.getvalue(), err.getvalue())

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """The command as a process of its own."""
        command = [sys.executable, "-m", "controller.cli.main", *arguments, "-n", self.namespace]
        environment = ENVIRONMENT | {"KUBECONFIG": str(self.kubeconfig)}
        return subprocess.Popen(command, cwd=ROOT, env=environment, text=True, start_new_session=True, **options)

    def proposal(self, name: str, status: Manifest | None = None, *, by: str = "", **spec: Any) -> None:
        """A proposal, asked for by somebody else if told so."""
        given = {"action": "wait", "parameters": {"seconds": 1}, "reason": "r", **spec}
        self._object("ActionProposal", name, given, status, by)

    def workflow(self, name: str, status: Manifest | None = None, *, by: str = "", **spec: Any) -> None:
        steps = [{"name": "a", "action": "wait", "parameters": {"seconds": 1}}]
        self._object("ActionWorkflow", name, {"description": "d", "reason": "r", "steps": steps, **spec}, status, by)

    def create_as(self, user: str, manifest: Manifest) -> None:
        """Create an object as somebody who may do everything."""
        subprocess.run(
            [self.cluster.kubectl, "--kubeconfig", self.cluster.kubeconfig, "-n", self.namespace,
             "--as", user, "--as-group", "system:masters", "create", "-f", "-"],
            input=json.dumps(manifest), text=True, check=True, capture_output=True,
        )  # fmt: skip

    def _object(self, kind: str, name: str, spec: Manifest, status: Manifest | None, by: str) -> None:
        manifest = {"apiVersion": API, "kind": kind, "metadata": {"name": name}, "spec": spec}
        if by:
            spec["requestedBy"] = {"username": by, "groups": ["system:masters", "system:authenticated"]}
            self.create_as(by, manifest)
        else:
            answer = self.server.create(manifest, dry_run=False)
            assert answer.accepted, answer.says
        if status:
            self.status(kind, name, **status)

    def status(self, kind: str, name: str, **status: Any) -> None:
        """Write a status, as the operator does."""
        subject: Manifest = {"kind": kind, "metadata": {"name": name}}
        answer = self.server.patch_status(subject, {"observedGeneration": 1, **status}, dry_run=False)
        assert answer.accepted, answer.says

    def stored(self, kind: str, name: str) -> Manifest:
        return self.server.send("GET", self.server.path(kind, name)).body


def ended(outcome: str, **status: Any) -> Manifest:
    return {"phase": outcome, "outcome": outcome, "message": "so it ended", **status}


def read_until(terminal: int, text: str, *, seconds: float) -> str:
    seen, deadline = "", time.monotonic() + seconds
    while text not in seen:
        assert time.monotonic() < deadline, seen
        if select.select([terminal], [], [], 0.5)[0]:
            seen += os.read(terminal, 65_536).decode(errors="replace")
    return seen


def settle(running: "subprocess.Popen[str]") -> str:
    """A command that says nothing while it waits is ready once it has asked the API server."""
    deadline = time.monotonic() + 20
    while "sock" not in open_files(running.pid):
        assert time.monotonic() < deadline
        assert running.poll() is None
        time.sleep(0.05)
    return ""


def open_files(pid: int) -> str:
    found = []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.append(str(entry.readlink()))
        except OSError:
            continue
    return " ".join(found)


def drain(terminal: int) -> str:
    """What is left to read on a terminal whose program has ended."""
    seen = b""
    try:
        while select.select([terminal], [], [], 0.2)[0] and (read := os.read(terminal, 65_536)):
            seen += read
    except OSError:
        pass  # Linux says so when the other end is closed
    os.close(terminal)
    return seen.decode(errors="replace")
