"""The process that owns the servers of one control plane. Run as `python -m localcluster.supervisor`.

It takes the lock of the folder, starts the servers, writes down how they are, and stops them in
order when it is told to (SIGTERM) or when its owner is gone. It never starts a server again by
itself: a server that ended is something the user has to see. It does so when a file in the folder
names the server (SIGHUP makes it look at once).
"""

import os
import random
import secrets
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from localcluster import ports, probes, programs, servers, signing
from localcluster.api import Api
from localcluster.audit import AUDIT_POLICY
from localcluster.errors import LocalClusterError, StartFailed
from localcluster.fleet import Fleet
from localcluster.kubeconfig import Access
from localcluster.layout import Layout
from localcluster.locks import FileLock, held
from localcluster.namespaces import SERVICE_ADDRESS, leave_network
from localcluster.node import NAME, leftovers
from localcluster.ports import Ports
from localcluster.servers import Server
from localcluster.signals import Signals
from localcluster.spec import ALREADY_RUNNING, Spec
from localcluster.state import Phase, State
from localcluster.users import ADMINISTRATORS, NODES, Credentials, User

_TRIES = 5
_KUBELET = programs.KUBELET.name
_PORT_TAKEN = "address already in use"


class _StopRequested(Exception):
    """It is time to go; the text says why."""


class _ServerEnded(Exception):
    """A server ended that ought to be running."""

    def __init__(self, name: str, code: int) -> None:
        super().__init__(name)
        self.name = name
        self.code = code


@dataclass(frozen=True)
class _Addresses:
    """Where the servers of one try are, and how to recognise etcd."""

    ports: Ports
    member: str

    @property
    def url(self) -> str:
        return f"https://{ports.ADDRESS}:{self.ports.api_server}"


class Supervisor:
    """Starts, watches and stops the servers of one control plane."""

    def __init__(self, spec: Spec, layout: Layout) -> None:
        """Prepare; nothing is started before `run`."""
        self._spec = spec
        self._layout = layout
        self._signals = Signals(signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
        node = User(f"system:node:{NAME}", NODES) if spec.real_node else None
        self._credentials = Credentials(node=node)
        self._fleet = Fleet(layout, spec.binaries)
        self._plan: dict[str, Server] = {}
        self._addresses = _Addresses(Ports(0, 0, 0), "")
        self._entrances: tuple[socket.socket, ...] = ()
        self._phase = Phase.STARTING
        self._noted: set[int] = set()

    def run(self) -> int:
        """Start the servers, stay until it is time to go, stop them; return the exit code."""
        try:
            self._say_state(Phase.STARTING)
            if self._spec.real_node:
                self._leave_network()
            self._start()
            self._say_state(Phase.READY)
            _log(f"ready at {self._addresses.url}")
            self._watch()
        except _StopRequested as reason:
            _log(f"stopping: {reason}")
            self._end(Phase.STOPPED, str(reason))
            self._layout.forget()
            return 0
        except (LocalClusterError, OSError) as error:
            _log(f"failed: {error}")
            self._end(Phase.FAILED, str(error))
            return 1
        except BaseException as error:
            self._end(Phase.FAILED, f"the supervisor itself failed: {error!r}")
            raise
        return 0

    # Start

    def _leave_network(self) -> None:
        """Move into a network of its own, so that pods find no way out; what is opened first leads into it."""
        found = Ports.choose(random.SystemRandom())
        outside = socket.create_server((ports.ADDRESS, found.api_server))
        leave_network()
        inside = socket.create_server((SERVICE_ADDRESS, 443))
        self._entrances = (outside, inside)
        self._addresses = _Addresses(found, "")

    def _ports(self) -> Ports:
        """Return free ports. In a network of its own nobody else takes them."""
        return self._addresses.ports if self._entrances else Ports.choose(random.SystemRandom())

    def _start(self) -> None:
        self._credentials.write(self._layout.users)
        signing.write_keys(self._layout.signing_key, self._layout.verifying_key)
        self._layout.audit_policy.write_text(AUDIT_POLICY)
        if self._spec.real_node:
            self._layout.node.mkdir()
            signing.write_client_certificate(
                self._layout.kubelet_clients, self._layout.kubelet_client, "kube-apiserver", ADMINISTRATORS
            )
        for _ in range(_TRIES):
            self._addresses = _Addresses(self._ports(), f"local-{secrets.token_hex(8)}")
            self._plan = servers.command_lines(self._layout, self._addresses.ports, self._spec, self._addresses.member)
            try:
                self._start_all()
            except _ServerEnded as ended:
                end_of_log = self._fleet.end_of_log(ended.name)
                self._fleet.stop()
                if _PORT_TAKEN not in end_of_log:
                    raise StartFailed(self._why_not(ended, end_of_log)) from ended
                _log(f"{ended.name}: a port was taken by another process, trying other ports")
                self._layout.forget()
                self._layout.log(ended.name).unlink()
            else:
                return
        raise StartFailed(
            f"{_TRIES} times another process took a port of 127.0.0.1 before a server could listen "
            f"on it. See {self._layout.log('supervisor')}; end what takes the ports, and try again."
        )

    def _start_all(self) -> None:
        self._start_one(servers.ETCD)
        self._start_one(servers.API_SERVER)
        if self._entrances:
            sockets = tuple(entrance.fileno() for entrance in self._entrances)
            self._plan[servers.FORWARDER] = servers.forwarder(self._addresses.ports.api_server, sockets)
        for name in (name for name in self._plan if name not in (servers.ETCD, servers.API_SERVER)):
            self._start_one(name)
        if self._spec.api_only:
            return
        api = self._api()
        nodes = [f"node-{number}" for number in range(1, self._spec.nodes + 1)]
        for node in nodes:
            api.post("/api/v1/nodes", probes.played_node(node))
        self._wait("the default ServiceAccount", lambda: probes.default_account_exists(api))
        for node in nodes:
            self._wait(f"{node} to be ready", partial(probes.node_ready, api, node))
        if self._spec.real_node:
            self._wait(f"{NAME} to be ready", partial(probes.node_ready, api, NAME), log=_KUBELET)

    def _start_one(self, name: str) -> None:
        """Start a server; wait until it serves, if others need it to."""
        self._fleet.start(self._plan[name])
        self._say_state(self._phase)
        if name == servers.ETCD:
            port, member = self._addresses.ports.etcd, self._addresses.member
            self._wait(name, lambda: probes.etcd_serves(port, member))
        elif name == servers.API_SERVER:
            self._wait(name, lambda: probes.is_certificate(self._layout.authority))
            self._wait(name, self._api().ready)
            self._write_kubeconfigs()

    def _api(self) -> Api:
        authority = self._layout.authority.read_text(encoding="ascii")
        return Api(self._addresses.ports.api_server, authority, self._credentials.admin.token)

    def _write_kubeconfigs(self) -> None:
        authority = self._layout.authority.read_bytes()

        def access(user: User) -> Access:
            return Access(self._addresses.url, authority, user.name, user.token)

        access(self._credentials.admin).write(self._layout.kubeconfig)
        for user in self._credentials.people:
            access(user).write(self._layout.kubeconfig_of(user.name))
        if self._credentials.node is not None:
            access(self._credentials.node).write(self._layout.kubeconfig_of_program(_KUBELET))
        for user in self._credentials.programs:
            access(user).write(self._layout.kubeconfig_of_program(user.name.removeprefix("system:")))

    def _wait(self, what: str, done: Callable[[], bool], log: str = servers.CONTROLLER_MANAGER) -> None:
        """Wait until something holds; a server that ends meanwhile ends the wait. `log` tells why it takes long."""
        deadline = time.monotonic() + self._spec.start_timeout_seconds
        while not done():
            if time.monotonic() > deadline:
                server = what if what in self._plan else log
                raise StartFailed(
                    f"waited {self._spec.start_timeout_seconds:.0f} s in vain for {what}. "
                    f"The end of {self._layout.log(server)}:\n{self._fleet.end_of_log(server)}"
                )
            self._turn(0.03)
            for name, code in self._fleet.ended().items():
                if self._phase == Phase.STARTING:
                    raise _ServerEnded(name, code)
                if name == what:
                    raise StartFailed(self._why_not(_ServerEnded(name, code)))

    def _why_not(self, ended: _ServerEnded, end_of_log: str | None = None) -> str:
        log = self._layout.log(ended.name)
        how = f"signal {-ended.code}" if ended.code < 0 else f"exit code {ended.code}"
        text = self._fleet.end_of_log(ended.name) if end_of_log is None else end_of_log
        return (
            f"{ended.name} ended with {how} while the control plane was starting. "
            f"The end of {log}:\n{text or '(it wrote nothing)'}"
        )

    # Watch

    def _watch(self) -> None:
        while True:
            self._turn(0.25)
            if self._layout.restart_request.exists():
                self._restart_requested()
            self._note_deaths()

    def _turn(self, timeout_seconds: float) -> None:
        """Wait a little, or until a signal comes, and look whether it is time to go."""
        came = self._signals.wait(timeout_seconds)
        if came & {signal.SIGTERM, signal.SIGINT}:
            raise _StopRequested("asked to stop")
        if self._spec.owner is not None and not held(self._spec.owner):
            raise _StopRequested("the process that started this control plane is gone")

    def _note_deaths(self) -> None:
        states = self._fleet.states()
        dead = {name: state for name, state in states.items() if state.exit_code is not None}
        for name, state in dead.items():
            if state.pid not in self._noted:
                self._noted.add(state.pid)
                _log(f"{name} {state.words()}; see {state.log}")
                self._say_state(Phase.DEGRADED, f"not running: {', '.join(dead)}")

    def _restart_requested(self) -> None:
        problem = ""
        try:
            for name in self._layout.restart_request.read_text().split():
                _log(f"starting {name} again, as asked")
                self._fleet.kill(name)
                self._start_one(name)
        except LocalClusterError as error:
            problem = str(error)
            _log(problem)
        dead = self._fleet.ended()
        self._noted |= {state.pid for state in self._fleet.states().values() if state.exit_code is not None}
        message = problem or (f"not running: {', '.join(dead)}" if dead else "")
        self._say_state(Phase.DEGRADED if message else Phase.READY, message)
        self._layout.restart_request.unlink()

    # Stop

    def _end(self, phase: Phase, message: str) -> None:
        self._fleet.stop()
        try:
            leftovers.remove(self._layout)
        except (LocalClusterError, OSError) as error:
            message = f"{message}; {error}"
            _log(message)
        self._say_state(phase, message)

    def _say_state(self, phase: Phase, message: str = "") -> None:
        self._phase = phase
        State(
            supervisor=os.getpid(),
            phase=phase,
            server=self._addresses.url if self._plan else "",
            api_only=self._spec.api_only,
            audit=self._spec.audit,
            real_node=self._spec.real_node,
            kubectl=self._spec.binaries["kubectl"],
            servers=self._fleet.states(),
            message=message,
        ).write(self._layout)


def _log(text: str) -> None:
    print(datetime.now(UTC).isoformat(timespec="milliseconds"), text, flush=True)


def _take_lock(layout: Layout) -> FileLock | None:
    """Take the folder's lock; somebody who only looks whether it is held has it for an instant."""
    for _ in range(20):
        lock = FileLock.try_take(layout.lock)
        if lock is not None:
            return lock
        time.sleep(0.02)
    return None


def main(arguments: list[str]) -> int:
    """Run the supervisor for the Spec given as JSON; return the exit code."""
    spec = Spec.from_json(arguments[0])
    layout = Layout(spec.directory)
    lock = _take_lock(layout)
    if lock is None:
        return ALREADY_RUNNING
    layout.lock.write_text(str(os.getpid()))
    try:
        layout.clear(keep=spec.owner)
        _log_into(layout.log("supervisor"))
        return Supervisor(spec, layout).run()
    finally:
        layout.lock.write_text("")


def _log_into(log: Path) -> None:
    """Make a file our standard output and standard error."""
    log.parent.mkdir()
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
