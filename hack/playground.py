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
    wait_until_it_leads,
)
from localcluster import controlplane, locks
from localcluster.controlplane import ControlPlane
from localcluster.errors import LocalClusterError
from localcluster.kubeconfig import Access
from localcluster.layout import Layout

FOLDER = ROOT / ".local" / "playground"
NAMESPACE = "shop"
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
        """Starts what does not run. Stops all again if something does not start."""
        if locks.held(self.layout.lock) and self.operator.is_running():
            self.console.print("already running")
            self._say_what_next()
            return
        try:
            self._start()
        except BaseException:
            self.down()
            raise
        self._say_what_next()

    def down(self) -> None:
        """Stops all that runs; the operator first, so that it can say goodbye."""
        stopped = [background.name for background in (self.operator, self.hook) if background.stop()]
        if controlplane.stop(self.layout):
            stopped.append("control plane")
        what = f"stopped: {', '.join(stopped)}" if stopped else "nothing is running"
        self.console.print(f"{what}; logs are in {_shown(self.folder)}" if stopped else what)

    def _start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.console.status("starting the control plane") as status:
            if locks.held(self.layout.lock):
                cluster = ControlPlane.attach(self.layout.root)
            else:
                self.operator.stop()  # it would go on talking to a control plane that is gone
                for log in (self.operator.log, self.operator.output, self.hook.log):
                    log.unlink(missing_ok=True)
                cluster = ControlPlane.start(self.layout.root, nodes=NODES, detach=True)
            status.update("installing CRDs, catalogue, RBAC, examples/shop")
            install(cluster, [NAMESPACE])
            self._write_tools(cluster)
            status.update("starting the operator")
            self._start_operator(cluster)
            self._start_hook()

    def _start_operator(self, cluster: ControlPlane) -> None:
        if self.operator.is_running():
            return
        since = self.operator.log.stat().st_size if self.operator.log.exists() else 0
        command = operator_command(
            cluster, "--identity", "playground", "--metrics-address", "127.0.0.1:0", token_seconds=TOKEN_SECONDS
        )
        self.operator.start(command, cwd=ROOT)
        wait_until_it_leads(self.operator.log, lambda: not self.operator.is_running(), since=since)

    def _start_hook(self) -> None:
        if self.hook.is_running():
            return
        if not is_free(HOOK_PORT):
            self.console.print(f"port {HOOK_PORT} is taken, so examples/proposals/http-hook.yaml finds another target")
            return
        first = [str(status) for status in HOOK_FAILURES]
        command = [sys.executable, "-m", "hack.hook_target", "--port", str(HOOK_PORT), "--first-answers", *first]
        self.hook.start(command, cwd=ROOT)

    def _write_tools(self, cluster: ControlPlane) -> None:
        """A kubeconfig whose namespace is the example's, and the two programs a user needs."""
        access = Access.read(cluster.kubeconfig)
        Access(access.server, access.authority, access.user, access.token, NAMESPACE).write(self.folder / "kubeconfig")
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

  log and audit log   {_shown(self.operator.log)}, audit.jsonl
  metrics             {self._metrics()}
  stop all            make down""")

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
        console.print("interrupted; nothing is left running")
        return INTERRUPTED
    return 0


def _terminated(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
