"""The wheels that a Dockerfile installs, fetched before the build, from the hash-pinned locks that it names."""

import hashlib
import platform
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from localcluster.image.base import PYTHON
from localcluster.image.storage import Storage, fetch
from localcluster.progress import Progress

_OLDEST_GLIBC, _NEWEST_GLIBC = 17, 41
"""The minor versions of glibc 2 that wheels for the base may ask for."""


def ensure(storage: Storage, locks: Sequence[Path], progress: Progress) -> Path:
    """Return a folder with all wheels of the locks for the base's Python; fetched if that has not been done before.

    Raises:
        FetchFailed: pip fails.
    """
    digest = hashlib.sha256(PYTHON.encode())
    for lock in locks:
        digest.update(lock.read_bytes())
    folder = storage.folder / f"wheels-{digest.hexdigest()[:12]}"
    if folder.is_dir():
        return folder
    progress.note(f"fetching the wheels of {', '.join(lock.name for lock in locks)}")
    machine = platform.machine()
    tags = [f"manylinux_2_{minor}_{machine}" for minor in range(_OLDEST_GLIBC, _NEWEST_GLIBC + 1)]
    with tempfile.TemporaryDirectory(prefix=".wheels-", dir=storage.folder) as work:
        fetch(
            [
                sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
                "--require-hashes", "--no-deps", "--only-binary=:all:", f"--python-version={PYTHON}",
                "--implementation=cp", *(f"--platform={tag}" for tag in (*tags, f"manylinux2014_{machine}")),
                "--dest", f"{work}/wheels", *(word for lock in locks for word in ("-r", str(lock))),
            ]
        )  # fmt: skip
        shutil.move(f"{work}/wheels", folder)
    return folder
