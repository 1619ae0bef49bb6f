"""Where what is built is kept, and buildah on a storage of its own there."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from localcluster.errors import BuildFailed, FetchFailed
from localcluster.node import needs

PROGRAMS = {"buildah": "buildah", "debootstrap": "debootstrap", "unshare": "util-linux"}
_TIMEOUT_SECONDS = 1200


def missing(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Return what keeps images from being built on this machine, in words for people; empty if nothing does."""
    if os.geteuid() != 0:
        return ["building an image without Docker takes root"]
    places = needs.path(environment)
    return [
        f"{name} is not installed (Debian: {package})"
        for name, package in PROGRAMS.items()
        if shutil.which(name, path=places) is None
    ]


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Return where images, wheels and buildah's storage are kept for this user."""
    base = environment.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "action-operator" / "images"


@dataclass(frozen=True)
class Storage:
    """A cache folder and what builds in it."""

    folder: Path

    @property
    def lock(self) -> Path:
        """Return the lock of whoever builds here."""
        return self.folder / ".lock"

    def buildah(self, *arguments: str, network: bool = True, cwd: Path | None = None) -> str:
        """Run buildah, and return its output; without `network` in a network namespace that leads nowhere.

        Raises:
            BuildFailed: it fails; the end of what it said is in the message.
        """
        command = [
            "buildah", "--root", str(self.folder / "storage"), "--runroot", str(self.folder / "run"),
            "--storage-driver", "overlay", *arguments,
        ]  # fmt: skip
        return run(command if network else ["unshare", "--net", "--", *command], cwd=cwd)

    def has(self, image: str) -> bool:
        """Say whether there is an image of that name."""
        return image in self.buildah("images", "--format", "{{.Name}}:{{.Tag}}").split()


def fetch(command: Sequence[str]) -> None:
    """Run a program that fetches something.

    Raises:
        FetchFailed: it fails; the end of what it said is in the message.
    """
    try:
        run(command)
    except BuildFailed as error:
        raise FetchFailed(str(error)) from error


def run(command: Sequence[str], cwd: Path | None = None) -> str:
    """Run a program, and return its output.

    Raises:
        BuildFailed: it fails or takes too long; the end of what it said is in the message.
    """
    try:
        done = subprocess.run(
            command, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
            timeout=_TIMEOUT_SECONDS, env=os.environ | {"PATH": needs.path()},
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise BuildFailed(f"{' '.join(command)}: not done after {_TIMEOUT_SECONDS} s") from error
    except OSError as error:
        raise BuildFailed(f"{command[0]}: {error.strerror}") from error
    if done.returncode != 0:
        said = "\n".join((done.stdout + done.stderr).splitlines()[-20:])
        raise BuildFailed(f"{' '.join(command)}: exit code {done.returncode}:\n{said}")
    return done.stdout
