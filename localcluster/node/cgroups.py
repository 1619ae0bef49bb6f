"""The control groups of one node: a group of its own in every hierarchy, so that nodes keep apart and all can go."""

import contextlib
import hashlib
import time
from pathlib import Path

_MOUNTS = Path("/proc/self/mountinfo")
_TICK_SECONDS = 0.05


def name_for(root: Path) -> str:
    """Return the name of the group of the node whose control plane is in this folder."""
    return f"localcluster-{hashlib.sha256(str(root).encode()).hexdigest()[:12]}"


def create(name: str) -> None:
    """Make the group in every hierarchy; with version 2, hand it the controllers that there are."""
    for hierarchy in hierarchies():
        group = hierarchy / name
        group.mkdir(exist_ok=True)
        controllers = hierarchy / "cgroup.controllers"
        if controllers.exists():
            for controller in controllers.read_text().split():
                with contextlib.suppress(OSError):  # one that cannot be handed on; kubelet names those that it misses
                    (hierarchy / "cgroup.subtree_control").write_text(f"+{controller}")
        # A new group of the cpuset hierarchy of version 1 has no processors and no memory until told.
        for setting in ("cpuset.cpus", "cpuset.mems"):
            ours, parent = group / setting, hierarchy / setting
            if ours.exists() and parent.exists() and not ours.read_text().strip():
                ours.write_text(parent.read_text())


def remove(name: str, *, timeout_seconds: float = 10.0) -> list[Path]:
    """Remove the group everywhere, waiting for its processes to end; return what could not be removed."""
    deadline = time.monotonic() + timeout_seconds
    while left := [group for group in (hierarchy / name for hierarchy in hierarchies()) if group.is_dir()]:
        for group in left:
            _remove_tree(group)
        if time.monotonic() > deadline:
            break
        time.sleep(_TICK_SECONDS)
    return left


def hierarchies() -> list[Path]:
    """Return where control groups are mounted, of both versions, each hierarchy once."""
    found: dict[str, Path] = {}
    for line in _MOUNTS.read_text().splitlines():
        fields, _, kind = line.partition(" - ")
        if kind.split()[0] in ("cgroup", "cgroup2"):
            _, _, device, root, place = fields.split()[:5]
            if root == "/":
                found.setdefault(device, Path(place))
    return list(found.values())


def _remove_tree(group: Path) -> None:
    """Remove the group and those below it, deepest first; one with processes stays."""
    for child in group.iterdir():
        if child.is_dir():
            _remove_tree(child)
    with contextlib.suppress(OSError):
        group.rmdir()
