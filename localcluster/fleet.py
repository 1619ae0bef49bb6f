"""The running server processes of one control plane: start, notice the end, stop in order."""

import os
import signal
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

from localcluster import servers
from localcluster.layout import Layout
from localcluster.lifetime import die_with_parent
from localcluster.servers import Server
from localcluster.state import ServerState

_GRACE_SECONDS = 0.3


class Fleet:
    """The server processes, which are children of this process and die with it."""

    def __init__(self, layout: Layout, binaries: dict[str, Path]) -> None:
        """Start nothing yet."""
        self._layout = layout
        self._binaries = binaries
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._tie = die_with_parent()

    def start(self, server: Server) -> None:
        """Start a server; its output goes to the end of its log."""
        log = self._layout.log(server.name)
        log.parent.mkdir(exist_ok=True)
        with log.open("ab") as output:
            program = server.program or (str(self._binaries[server.name]),)
            self._processes[server.name] = subprocess.Popen(
                [*program, *server.arguments], pass_fds=server.descriptors,
                stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                cwd=self._layout.root, env=self._environment(), preexec_fn=self._tie,
            )  # fmt: skip

    def ended(self) -> dict[str, int]:
        """Return the exit codes of the servers that have ended."""
        codes = ((name, process.poll()) for name, process in self._processes.items())
        return {name: code for name, code in codes if code is not None}

    def kill(self, name: str) -> None:
        """End one server at once."""
        process = self._processes.get(name)
        if process is not None:
            process.kill()
            process.wait()

    def stop(self) -> None:
        """End all servers, etcd last: an API server without its etcd takes a minute to end."""
        everybody = list(self._processes)
        self._stop_some(name for name in everybody if name != servers.ETCD)
        self._stop_some(name for name in everybody if name == servers.ETCD)
        self._processes.clear()

    def states(self) -> dict[str, ServerState]:
        """Return how each server is."""
        return {
            name: ServerState(process.pid, self._layout.log(name), process.poll())
            for name, process in self._processes.items()
        }

    def end_of_log(self, name: str, lines: int = 15) -> str:
        """Return the last lines that a server wrote."""
        try:
            text = self._layout.log(name).read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""
        return "\n".join(text.splitlines()[-lines:])

    def _stop_some(self, names: Iterable[str]) -> None:
        running = [self._processes[name] for name in names]
        for process in running:
            process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + _GRACE_SECONDS
        for process in running:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _environment(self) -> dict[str, str]:
        """Return the user's environment without what points to other clusters."""
        environment = {key: value for key, value in os.environ.items() if key != "KUBECONFIG"}
        # kwok would read the stages of the user's own configuration as well.
        return environment | {"KWOK_WORKDIR": str(self._layout.root / "kwok")}
