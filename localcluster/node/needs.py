"""What a real node needs from the machine, and what is said where something is missing."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from localcluster.errors import LocalClusterError

PACKAGES = {
    "containerd": "containerd",
    "ctr": "containerd",
    "runc": "runc",
    "busybox": "busybox-static",
    "ip": "iproute2",
    "unshare": "util-linux",
    "nsenter": "util-linux",
}
"""The programs and Debian's packages with them."""

PLUGINS = ("bridge", "host-local", "loopback")
PLUGIN_FOLDERS = (Path("/opt/cni/bin"), Path("/usr/lib/cni"), Path("/usr/libexec/cni"))
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
HIDDEN = (Path("/run"), Path("/var/lib"), Path("/var/log"))
"""The node has folders of its own there, so what it needs from outside cannot be in them."""
_NAMESPACES = ("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "true")


@dataclass(frozen=True)
class Tools:
    """Where the programs are: `folder` of the CNI plugins, `path` for PATH."""

    plugins: Path
    path: str


def missing(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Return what keeps a real node from running on this machine, in words for people; empty if nothing does."""
    if not sys.platform.startswith("linux"):
        return [f"a real node takes Linux, and this is {sys.platform}"]
    if os.geteuid() != 0:
        return ["a real node takes root (namespaces, mounts, control groups)"]
    places = path(environment)
    lacking = [name for name in PACKAGES if shutil.which(name, path=places) is None]
    reasons = [f"{name} is not installed (Debian: {PACKAGES[name]})" for name in lacking]
    if _plugins() is None:
        folders = ", ".join(map(str, PLUGIN_FOLDERS))
        reasons.append(f"no CNI plugins {', '.join(PLUGINS)} in {folders} (Debian: containernetworking-plugins)")
    if not {"unshare", "ip"} & set(lacking):
        tried = subprocess.run(_NAMESPACES, capture_output=True, text=True, check=False, env={"PATH": places})
        if tried.returncode != 0:
            reasons.append(f"no namespaces can be made here: {tried.stderr.strip() or tried.returncode}")
    return reasons


def tools(environment: Mapping[str, str] = os.environ) -> Tools:
    """Return where the tools are.

    Raises:
        LocalClusterError: something is missing; all of it is named, and how to install it.
    """
    reasons = missing(environment)
    plugins = _plugins()
    if reasons or plugins is None:
        lines = "".join(f"\n  {reason}" for reason in reasons)
        raise LocalClusterError(f"no real node can run here:{lines}")
    return Tools(plugins, path(environment))


def refuse_hidden(*places: Path) -> None:
    """Refuse what the node could not see.

    Raises:
        LocalClusterError: a place is in one of the folders that the node has of its own.
    """
    for place in places:
        for folder in HIDDEN:
            if place.resolve().is_relative_to(folder):
                raise LocalClusterError(f"{place}: a real node has a {folder} of its own; use a place elsewhere")


def path(environment: Mapping[str, str] = os.environ) -> str:
    """Return PATH with the folders of system programs, which are not on everybody's."""
    given = environment.get("PATH")
    return f"{given}{os.pathsep}{PATH}" if given else PATH


def _plugins() -> Path | None:
    return next((one for one in PLUGIN_FOLDERS if all((one / plugin).exists() for plugin in PLUGINS)), None)
