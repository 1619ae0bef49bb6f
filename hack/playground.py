"""A local Kubernetes with the operator, left running to play with: `make up`, `make down`.

All of it is in .local/playground: the control plane, the operator's log and audit log, a kubeconfig, and `bin` with
kubectl and its plugin kubectl-actions.
"""

import argparse
import os
import re
import shlex
import shutil
import signal
import sys
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from types import FrameType

from rich.console import Console

from hack.background import Background
from hack.installation import (
    HOOK_FAILURES,
    HOOK_PORT,
    NODES,
    ROOT,
    NotInstalled,
    install,
    is_free,
    operator_command,
    wait_until,
    wait_until_it_leads,
)
from localcluster import controlplane, locks
from localcluster.controlplane import ControlPlane
from localcluster.errors import LocalClusterError, NotRunning
from localcluster.kubeconfig import Access, write_contexts
from localcluster.layout import Layout

FOLDER = ROOT / ".local" / "playground"
NAMESPACE = "shop"
PEOPLE = ("alice", "bob", "carol")
CONTROL_PLANE = "control plane"
TOKEN_SECONDS = 30 * 24 * 3600
INTERRUPTED = 130


class Playground:
    """The playground in `folder`."""

    def __init__(self, folder: Path, console: Console) -> None:
        self.folder = folder
        self.console = console
        self.operator = Background(folder, "operator", output="audit.jsonl")
        self.hook = Background(folder, "hook")

    @property
    def layout(self) -> Layout:
        return Layout(self.folder / "cluster")

    def up(self) -> None:
        """Starts what does not run. If something does not start, stops what this started, and nothing else."""
        cluster = self._found()
        if cluster is not None and self.operator.is_running():
            self.console.print("already running")
            self._say_what_next()
            return
        started: list[str] = []
        try:
            self._start(cluster, started)
        except BaseException:
            if started:
                self._stop(started)
            raise
        self._say_what_next()

    def down(self) -> None:
        """Stops all that runs."""
        self._stop([self.operator.name, self.hook.name, CONTROL_PLANE])

    def _found(self) -> ControlPlane | None:
        """The control plane that runs already. Raises NotInstalled for one that is of no use."""
        if not locks.held(self.layout.lock):
            return None
        try:
            cluster = ControlPlane.attach(self.layout.root)
        except NotRunning as error:
            raise NotInstalled(
                "another command is just starting or stopping the playground; wait for it, and try again"
            ) from error
        trouble = cluster.trouble()
        if trouble:
            raise NotInstalled(f"the playground runs no more as it should: {trouble}; type: {self._how_to_stop()}")
        return cluster

    def _stop(self, names: Collection[str]) -> None:
        """Stops those of them that run; the operator first, so that it can say goodbye."""
        processes = [process for process in (self.operator, self.hook) if process.name in names]
        stopped = [process.name for process in processes if process.stop()]
        if CONTROL_PLANE in names and controlplane.stop(self.layout):
            stopped.append(CONTROL_PLANE)
        what = f"stopped: {', '.join(stopped)}" if stopped else "nothing is running"
        self.console.print(f"{what}; logs are in {_shown(self.folder)}" if stopped else what)

    def _start(self, cluster: ControlPlane | None, started: list[str]) -> None:
        """`started` gets the names of what is started, as soon as it may run."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.console.status("starting the control plane") as status:
            if cluster is None:
                self.operator.stop()  # it would go on talking to a control plane that is gone
                for log in (self.operator.log, self.operator.output, self.hook.log):
                    log.unlink(missing_ok=True)
                cluster = ControlPlane.start(self.layout.root, nodes=NODES, detach=True)
                started.append(CONTROL_PLANE)
            status.update("installing CRDs, catalogue, RBAC, examples/shop")
            proven = install(cluster, [NAMESPACE])
            self._write_tools(cluster)
            status.update("starting the operator")
            if not self.operator.is_running():
                started.append(self.operator.name)
                self._start_operator(cluster)
            if not self.hook.is_running():
                started.append(self.hook.name)
                self._start_hook()
            status.update("the API server proves who asks, from a few seconds after it was told to")
            wait_until(proven)

    def _start_operator(self, cluster: ControlPlane) -> None:
        since = self.operator.log.stat().st_size if self.operator.log.exists() else 0
        command = operator_command(
            cluster, "--identity", "playground", "--metrics-address", "127.0.0.1:0", token_seconds=TOKEN_SECONDS
        )
        self.operator.start(command, cwd=ROOT)
        wait_until_it_leads(self.operator.log, lambda: not self.operator.is_running(), since=since)

    def _start_hook(self) -> None:
        if not is_free(HOOK_PORT):
            self.console.print(f"port {HOOK_PORT} is taken, so examples/proposals/http-hook.yaml finds another target")
            return
        first = [str(status) for status in HOOK_FAILURES]
        command = [sys.executable, "-m", "hack.hook_target", "--port", str(HOOK_PORT), "--first-answers", *first]
        self.hook.start(command, cwd=ROOT)

    def _write_tools(self, cluster: ControlPlane) -> None:
        """A kubeconfig with the users as contexts, in the example's namespace, and the two programs a user needs."""
        found = [Access.read(path) for path in (cluster.kubeconfig, *map(cluster.kubeconfig_of, PEOPLE))]
        write_contexts(self.folder / "kubeconfig", [replace(access, namespace=NAMESPACE) for access in found])
        tools = self.folder / "bin"
        shutil.rmtree(tools, ignore_errors=True)
        tools.mkdir()
        (tools / "kubectl").symlink_to(cluster.kubectl)
        plugin = tools / "kubectl-actions"
        start = "from controller.cli.main import app; app(prog_name='kubectl actions')"
        plugin.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -c "{start}" "$@"\n')
        plugin.chmod(0o755)

    def _say_what_next(self) -> None:
        say = self.console.print
        say(f"""\
Kubernetes and the operator are running. In your shell:

  export PATH={_shown(self.folder / "bin")}:$PATH
  export KUBECONFIG={_shown(self.folder / "kubeconfig")}

Then, for example:

  kubectl apply -f examples/proposals/scale.yaml       scale a Deployment
  kubectl actions describe scale-checkout              what it did, attempt by attempt
  kubectl actions undo scale-checkout                  put it back
  kubectl apply -f examples/proposals/http-hook.yaml   fails twice, then works
  kubectl actions watch                                live

You are the administrator. Others are there too, as contexts: alice and carol (group sre), bob (developers).

  kubectl apply -f examples/policies/second-person.yaml              scaling needs a second person
  kubectl apply -f examples/proposals/sale.yaml --context alice      ask as alice
  kubectl actions pending --context carol                            what waits for carol
  kubectl actions approve sale-checkout --context carol              look at it, then approve
  kubectl actions halt --context carol                               nothing new starts
  kubectl actions resume --context carol                             it goes on

  log and audit log   {_shown(self.operator.log)}, audit.jsonl
  metrics             {self._metrics()}
  stop all            {self._how_to_stop()}""")

    def _how_to_stop(self) -> str:
        return "make down" if self.folder == FOLDER else f"python hack/playground.py down --dir {_shown(self.folder)}"

    def _metrics(self) -> str:
        found = re.findall(r"metrics at (\S+)", self.operator.log.read_text())
        return found[-1] if found else "not served"


def _shown(path: Path) -> str:
    return shlex.quote(str(path))


def main() -> int:
    """`up` or `down`; the exit code."""
    parser = argparse.ArgumentParser(description="A local Kubernetes with the operator, to play with.")
    parser.add_argument("command", choices=["up", "down"])
    parser.add_argument("--dir", type=Path, default=FOLDER, help="the playground's folder")
    arguments = parser.parse_args()
    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
    signal.signal(signal.SIGTERM, _terminated)
    playground = Playground(arguments.dir.absolute(), console)
    os.umask(0o077)
    try:
        playground.up() if arguments.command == "up" else playground.down()
    except (NotInstalled, LocalClusterError, OSError) as error:
        console.print(f"error: {error}", style="red")
        return 1
    except KeyboardInterrupt:
        left = "what ran before still runs" if locks.held(playground.layout.lock) else "nothing is left running"
        console.print(f"interrupted; {left}")
        return INTERRUPTED
    return 0


def _terminated(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
