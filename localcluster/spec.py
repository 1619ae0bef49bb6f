"""What a control plane shall be. Travels from whoever starts it to its supervisor as JSON."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from localcluster import programs
from localcluster.programs import Program

ALREADY_RUNNING = 75
"""Exit code of a supervisor that finds another one in its folder."""


@dataclass(frozen=True)
class Spec:
    """What a control plane shall be.

    `binaries` maps program names to paths. `owner` is a lock file: the control plane ends when
    nobody holds that lock any more; without it the control plane lives until it is told to stop.
    `load` switches off the API server's own flow control, which is what one wants to measure
    past. `audit` records each request. `nodes` is the number of played nodes to make. `real_node`
    starts a real node instead, with everything in a network of its own.
    """

    directory: Path
    binaries: dict[str, Path]
    api_only: bool = False
    load: bool = False
    audit: bool = True
    nodes: int = 1
    real_node: bool = False
    owner: Path | None = None
    start_timeout_seconds: float = 60.0

    def to_json(self) -> str:
        """Return this as JSON."""
        return json.dumps(asdict(self), default=str)

    @classmethod
    def from_json(cls, text: str) -> "Spec":
        """Return what `to_json` wrote."""
        fields = json.loads(text)
        fields["directory"] = Path(fields["directory"])
        fields["binaries"] = {name: Path(path) for name, path in fields["binaries"].items()}
        fields["owner"] = Path(fields["owner"]) if fields["owner"] else None
        return cls(**fields)


def needed_programs(api_only: bool, real_node: bool = False) -> tuple[Program, ...]:
    """Return the programs that a control plane of this kind is made of."""
    if real_node:
        return programs.REAL_NODE
    return programs.API_ONLY if api_only else programs.ALL
