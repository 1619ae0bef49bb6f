"""The base of images where no registry is reached: Python on Debian, by debootstrap from Debian's own mirror.

It stands in for the official slim image: `python` and `pip` are there, and nothing to compile with.
"""

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from localcluster import programs
from localcluster.image.storage import Storage, fetch
from localcluster.progress import Progress

SUITE = "trixie"
PYTHON = "3.13"
"""The Python of that suite."""
_PACKAGES = ("python3", "python3-venv", "python3-pip", "ca-certificates")
_NEEDLESS = ("usr/share/doc", "usr/share/man", "usr/share/locale", "var/cache/apt", "var/lib/apt/lists", "var/log")
_FORM = 1
"""Raise it when what is done to the packages below changes."""


def name() -> str:
    """Return the name of the base, which says what it is made of."""
    made_of = f"{SUITE} {_PACKAGES} {_NEEDLESS} {_FORM} {programs.architecture()}"
    return f"localhost/python-base:{PYTHON}-{hashlib.sha256(made_of.encode()).hexdigest()[:12]}"


def ensure(storage: Storage, progress: Progress) -> str:
    """Return the name of the base, which is made if the storage does not have it: half a minute, and network.

    `DEBIAN_MIRROR` in the environment is another mirror than debootstrap's own choice.

    Raises:
        FetchFailed: debootstrap fails.
        BuildFailed: buildah fails.
    """
    image = name()
    if storage.has(image):
        return image
    progress.note(f"making the base {image} of Debian's packages: about a minute")
    with tempfile.TemporaryDirectory(prefix=".base-", dir=storage.folder) as work:
        root = Path(work) / "root"
        mirror = [os.environ["DEBIAN_MIRROR"]] if os.environ.get("DEBIAN_MIRROR") else []
        # In namespaces of its own, so that its mounts and processes go with it, however it ends.
        fetch(
            [
                "unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
                "debootstrap", "--variant=minbase", f"--include={','.join(_PACKAGES)}", SUITE, str(root), *mirror,
            ]
        )  # fmt: skip
        _trim(root)
        container = storage.buildah("from", "scratch").strip()
        try:
            storage.buildah("copy", "--quiet", container, str(root), "/")
            storage.buildah(
                "config", "--env", "PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin",
                "--env", "LANG=C.UTF-8", "--cmd", "python3", container,
            )  # fmt: skip
            storage.buildah("commit", "--quiet", container, image)
        finally:
            storage.buildah("rm", container)
    return image


def _trim(root: Path) -> None:
    """Make it like the official image: `python`, a pip that installs, no documentation, no devices."""
    for folder in _NEEDLESS:
        shutil.rmtree(root / folder, ignore_errors=True)
        (root / folder).mkdir(parents=True, exist_ok=True)
    for device in (root / "dev").iterdir():
        if device.is_dir() and not device.is_symlink():
            shutil.rmtree(device)
        else:
            device.unlink()
    (root / "usr/local/bin/python").symlink_to("/usr/bin/python3")
    for mark in (root / "usr/lib").glob("python3*/EXTERNALLY-MANAGED"):
        mark.unlink()
