"""What the supervisor says about its control plane, in a file that others read."""

import json
import os
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from localcluster import locks
from localcluster.layout import Layout


class Phase(StrEnum):
    """How far a control plane is."""

    STARTING = "starting"
    READY = "ready"
    DEGRADED = "degraded"
    """It was ready, and now one of its servers has ended."""
    FAILED = "failed"
    """It did not become ready; nothing of it runs."""
    STOPPED = "stopped"


@dataclass(frozen=True)
class ServerState:
    """One server; `exit_code` is None while it runs, and -N where signal N ended it."""

    pid: int
    log: Path
    exit_code: int | None = None

    def words(self) -> str:
        """Return how it is, for people."""
        match self.exit_code:
            case None:
                return "running"
            case code if code < 0:
                return f"ended by signal {-code}"
            case code:
                return f"ended with exit code {code}"


@dataclass(frozen=True)
class State:
    """A control plane as its supervisor sees it."""

    supervisor: int
    phase: Phase
    server: str = ""
    api_only: bool = False
    audit: bool = True
    real_node: bool = False
    kubectl: Path = Path("kubectl")
    servers: dict[str, ServerState] = field(default_factory=dict)
    message: str = ""

    def write(self, layout: Layout) -> None:
        """Write it in one step, so that a reader never sees half of it."""
        unfinished = layout.state.with_suffix(f".{os.getpid()}")
        unfinished.write_text(json.dumps(asdict(self), default=str, indent=2))
        unfinished.replace(layout.state)

    @classmethod
    def read(cls, layout: Layout) -> "State | None":
        """Return what was written last, or None if there is nothing."""
        try:
            fields = json.loads(layout.state.read_text())
        except FileNotFoundError:
            return None
        servers = {
            name: ServerState(server["pid"], Path(server["log"]), server["exit_code"])
            for name, server in fields["servers"].items()
        }
        return cls(
            **{
                **fields,
                "phase": Phase(fields["phase"]),
                "kubectl": Path(fields["kubectl"]),
                "servers": servers,
            }
        )


def current(layout: Layout) -> State | None:
    """Return how the control plane in the folder is now, or None if there never was one.

    A supervisor that was killed could not write that it ended; its lock tells.
    """
    alive = locks.held(layout.lock)
    state = State.read(layout)
    if state is None or alive or state.phase in (Phase.FAILED, Phase.STOPPED):
        return state
    return replace(state, phase=Phase.STOPPED, message="the supervisor ended without stopping its servers itself")
