"""Start, use and stop a local control plane from Python.

>>> with ControlPlane.start(tmp_path / "cluster") as cluster:
...     subprocess.run([cluster.kubectl, "--kubeconfig", cluster.kubeconfig, "get", "nodes"])
"""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from localcluster import binaries, kubeconfig, locks, programs
from localcluster.api import Api
from localcluster.errors import LocalClusterError, NotRunning, StartFailed
from localcluster.kubeconfig import Access
from localcluster.layout import Layout
from localcluster.locks import FileLock
from localcluster.node import images, leftovers, needs
from localcluster.progress import Progress, Silent
from localcluster.servers import API_SERVER, NODE
from localcluster.spec import ALREADY_RUNNING, Spec, needed_programs
from localcluster.state import Phase, State, current

_TICK_SECONDS = 0.02
_STOP_TIMEOUT_SECONDS = 15.0
_RESTART_TIMEOUT_SECONDS = 75.0


class ControlPlane:
    """A running control plane."""

    def __init__(
        self,
        layout: Layout,
        supervisor: "subprocess.Popen[bytes] | None" = None,
        owned: FileLock | None = None,
    ) -> None:
        """Use `start` or `attach` instead."""
        self._layout = layout
        self._supervisor = supervisor
        self._owned = owned

    @classmethod
    def start(
        cls,
        directory: Path,
        *,
        api_only: bool = False,
        load: bool = False,
        audit: bool = True,
        nodes: int = 1,
        real_node: bool = False,
        detach: bool = False,
        owner: Path | None = None,
        progress: Progress | None = None,
    ) -> Self:
        """Start a control plane in a new, empty, or earlier used folder, and wait until it is ready.

        It ends when this process ends, however that comes about; with `detach` it goes on until
        somebody stops it; with `owner` it ends when nobody holds that file lock any more.
        `load` switches off the API server's flow control; `nodes` played nodes are made, or with
        `real_node` a real one instead, which takes Linux, root and containerd.

        Raises:
            LocalClusterError: the folder is in use, a program is missing, or a server does not
                start; the message shows the end of that server's log.
        """
        layout = Layout(directory.absolute())
        layout.create()
        if locks.held(layout.lock):
            raise LocalClusterError(f"{layout.root}: a control plane is already running there")
        leftovers.remove(layout)
        if real_node:
            needs.tools()
        found = binaries.find_or_build(needed_programs(api_only, real_node), progress or Silent())
        if real_node:
            needs.refuse_hidden(layout.root, found[programs.KUBELET.name])
        owned = None
        if owner is None and not detach:
            owner = layout.root / "owner.lock"
            owned = FileLock.try_take(owner)
            if owned is None:
                raise LocalClusterError(f"{layout.root}: another process is starting one there")
        spec = Spec(
            layout.root, found, api_only=api_only, load=load, audit=audit, nodes=0 if real_node else nodes,
            real_node=real_node, owner=owner,
        )  # fmt: skip
        try:
            supervisor = _start_supervisor(spec, layout, progress or Silent())
        except BaseException:
            if owned is not None:
                owned.release()
            raise
        return cls(layout, supervisor, owned)

    @classmethod
    def attach(cls, directory: Path) -> Self:
        """Return the control plane that runs in a folder.

        Raises:
            NotRunning: there is none, or it is not ready.
        """
        layout = Layout(directory.absolute())
        state = current(layout)
        if state is None or state.phase not in (Phase.READY, Phase.DEGRADED):
            how = "nothing" if state is None else f"one that is {state.phase}"
            raise NotRunning(
                f"{layout.root}: no running control plane there, but {how}. "
                f"Start one: python -m localcluster up --dir {layout.root}"
            )
        return cls(layout)

    def __enter__(self) -> Self:
        """Return this."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop."""
        self.stop()

    @property
    def directory(self) -> Path:
        """Return the folder with everything of this control plane."""
        return self._layout.root

    @property
    def state(self) -> State:
        """Return how it is now."""
        state = current(self._layout)
        if state is None:
            raise NotRunning(f"{self._layout.root}: no control plane there")
        return state

    @property
    def server(self) -> str:
        """Return the address of the API server, as `https://127.0.0.1:PORT`."""
        return self.state.server

    @property
    def kubectl(self) -> Path:
        """Return the kubectl of the same version."""
        return self.state.kubectl

    @property
    def kubeconfig(self) -> Path:
        """Return the administrator's kubeconfig (group system:masters)."""
        return self._layout.kubeconfig

    def kubeconfig_of(self, user: str) -> Path:
        """Return the kubeconfig of alice (group sre), bob (developers) or carol (sre)."""
        path = self._layout.kubeconfig_of(user)
        if not path.exists():
            raise LocalClusterError(f"{path}: there is no user {user}")
        return path

    @property
    def audit_log(self) -> Path:
        """Return the API server's record of requests: one audit.k8s.io/v1 Event a line."""
        return self._layout.audit_log

    @property
    def authority(self) -> Path:
        """Return the certificate to trust."""
        return self._layout.authority

    def log(self, server: str) -> Path:
        """Return the output of a server, or of the `supervisor`."""
        return self._layout.log(server)

    def api(self, user: str = "admin") -> Api:
        """Return a small client for plain requests as a user."""
        path = self.kubeconfig if user == "admin" else self.kubeconfig_of(user)
        return Access.read(path).api()

    def service_account_kubeconfig(
        self, namespace: str, service_account: str, out: Path, *, lifetime_seconds: int = 3600
    ) -> Path:
        """Write a kubeconfig with a fresh token of a service account, and return its path."""
        return kubeconfig.for_service_account(
            self.kubeconfig, namespace, service_account, out, lifetime_seconds=lifetime_seconds
        )

    @property
    def runs_pods(self) -> bool:
        """Whether there is a real node; else pods are played."""
        return self.state.real_node

    def load_image(self, archive: Path) -> None:
        """Bring the images of an archive (docker or OCI) to the real node, by the names that they have in it.

        Raises:
            LocalClusterError: there is no real node, or it does not take the archive.
        """
        if not self.runs_pods:
            raise LocalClusterError(f"{self.directory}: no real node there that could take images (up --real-node)")
        images.load(archive, self.pid(NODE))

    def trouble(self) -> str | None:
        """Return what keeps it from serving, in words: servers that ended, or no answer; None if all is well."""
        state = self.state
        ended = [
            f"{name} {one.words()}, see {one.log}" for name, one in state.servers.items() if one.exit_code is not None
        ]
        if ended:
            return "; ".join(ended)
        if not self.api().ready():
            return f"the API server at {state.server} does not answer, see {self.log(API_SERVER)}"
        return None

    def pid(self, server: str) -> int:
        """Return the process id of a running server, for instance to SIGSTOP and SIGCONT it."""
        state = self.state.servers.get(server)
        if state is None or state.exit_code is not None:
            raise NotRunning(f"{server} is not running: {state.words() if state else 'not known'}")
        return state.pid

    def kill(self, server: str) -> None:
        """Kill a server with SIGKILL, and wait until it is gone; it stays away until `restart`."""
        os.kill(self.pid(server), signal.SIGKILL)
        _wait(
            lambda: self.state.servers[server].exit_code is not None,
            _STOP_TIMEOUT_SECONDS,
            f"{server} to end",
        )

    def restart(self, *servers: str) -> None:
        """Start servers again, on the same ports and data, killing those that still run.

        Returns when they serve. Raises StartFailed if one doesn't.
        """
        state = self.state
        unknown = set(servers) - set(state.servers)
        if unknown:
            raise LocalClusterError(
                f"{', '.join(sorted(unknown))}: no such server here; there are {', '.join(state.servers)}"
            )
        request = self._layout.restart_request
        unfinished = request.with_suffix(".new")
        unfinished.write_text("\n".join(servers))
        unfinished.replace(request)
        os.kill(state.supervisor, signal.SIGHUP)
        _wait(lambda: not request.exists(), _RESTART_TIMEOUT_SECONDS, "the restart")
        after = self.state
        if any(after.servers[name].exit_code is not None for name in servers):
            raise StartFailed(after.message)

    def stop(self) -> bool:
        """Stop it and remove its data; return False if it was not running. Logs stay."""
        was_running = stop(self._layout)
        if self._supervisor is not None:
            self._supervisor.wait()
        if self._owned is not None:
            self._owned.release()
            self._owned = None
        return was_running


def stop(layout: Layout) -> bool:
    """Stop what runs in a folder, and wait until it is gone; return False if nothing ran.

    What a real node left is removed as well, also that of one whose supervisor was killed.
    """
    if not locks.held(layout.lock):
        leftovers.remove(layout)
        return False
    _signal_supervisor(layout, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_TIMEOUT_SECONDS
    while locks.held(layout.lock):
        if time.monotonic() > deadline:
            _signal_supervisor(layout, signal.SIGKILL)  # its servers die with it
        time.sleep(_TICK_SECONDS)
    leftovers.remove(layout)
    return True


def _signal_supervisor(layout: Layout, number: signal.Signals) -> None:
    """Signal the process that wrote its id into the lock; it may be ending just now."""
    with contextlib.suppress(ValueError, ProcessLookupError):
        os.kill(int(layout.lock.read_text()), number)


def _start_supervisor(spec: Spec, layout: Layout, progress: Progress) -> "subprocess.Popen[bytes]":
    begun = time.monotonic()
    with tempfile.TemporaryFile() as boot:
        process = subprocess.Popen(
            [sys.executable, "-m", "localcluster.supervisor", spec.to_json()],
            stdin=subprocess.DEVNULL, stdout=boot, stderr=boot, start_new_session=True,
            env=_environment(),
        )  # fmt: skip
        try:
            while not _is_ready(process, layout, boot):
                progress.working(f"starting, {time.monotonic() - begun:.0f} s")
                time.sleep(_TICK_SECONDS)
        except BaseException:
            process.terminate()
            process.wait()
            raise
    return process


def _is_ready(process: "subprocess.Popen[bytes]", layout: Layout, boot: IO[bytes]) -> bool:
    code = process.poll()
    state = State.read(layout)
    if state is not None and state.supervisor == process.pid:
        if state.phase == Phase.READY:
            return True
        if state.phase in (Phase.FAILED, Phase.STOPPED):
            raise StartFailed(state.message)
    if code == ALREADY_RUNNING:
        raise LocalClusterError(f"{layout.root}: a control plane is already running there")
    if code is not None:
        boot.seek(0)
        text = boot.read().decode(errors="replace").strip()
        raise StartFailed(f"the supervisor ended with exit code {code} at once:\n{text}")
    return False


def _environment() -> dict[str, str]:
    """Return an environment in which the supervisor finds this package, wherever it runs."""
    here = str(Path(__file__).parent.parent)
    before = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": f"{here}{os.pathsep}{before}" if before else here}


def _wait(done: Callable[[], bool], timeout_seconds: float, what: str) -> None:
    deadline = time.monotonic() + timeout_seconds
    while not done():
        if time.monotonic() > deadline:
            raise LocalClusterError(f"waited {timeout_seconds:.0f} s in vain for {what}")
        time.sleep(_TICK_SECONDS)
