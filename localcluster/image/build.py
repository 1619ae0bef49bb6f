"""Build the image of a project from its Dockerfile, as an archive that a node can load."""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from localcluster import locks
from localcluster.errors import BuildFailed, LocalClusterError
from localcluster.image import base, wheels
from localcluster.image.dockerfile import IGNORED, Dockerfile
from localcluster.image.storage import Storage, cache_folder, missing
from localcluster.progress import Progress

_KEPT = 3
"""How many archives of one project stay in the cache."""


@dataclass(frozen=True)
class Image:
    """A built image: its name, which changes with its content, and the archive (docker's format) with it."""

    name: str
    archive: Path


def build(folder: Path, repository: str, progress: Progress, *, cache: Path | None = None) -> Image:
    """Build `folder`/Dockerfile as `repository`:DIGEST; nothing is done where that was built before.

    The Dockerfile takes its base by the build argument PYTHON_IMAGE. pip finds the wheels of the locks that it names,
    and no network.

    Raises:
        LocalClusterError: something is missing on this machine, or the build fails.
    """
    file = Dockerfile(folder.absolute())
    if not file.path.is_file():
        raise LocalClusterError(f"{file.path}: no such file")
    storage = Storage(cache or cache_folder())
    tag = file.digest(base.name())
    image = Image(f"{repository}:{tag}", storage.folder / f"{repository.rpartition('/')[2]}-{tag}.tar")
    if not image.archive.exists():
        lacking = missing()
        if lacking:
            raise BuildFailed("no image can be built here: " + "; ".join(lacking))
        with locks.locked(storage.lock):
            if not image.archive.exists():
                _build(file, storage, image, progress)
    os.utime(image.archive)
    _forget_old(image)
    return image


def _build(file: Dockerfile, storage: Storage, image: Image, progress: Progress) -> None:
    python = base.ensure(storage, progress)
    found = wheels.ensure(storage, file.locks(), progress)
    progress.note(f"building {image.name} from {file.path}")
    with tempfile.TemporaryDirectory(prefix=".build-", dir=storage.folder) as name:
        work = Path(name)
        (work / "pip.conf").write_text("[global]\nno-index = true\nfind-links = /wheels\n")
        (work / "ignore").write_text("\n".join(IGNORED) + "\n")
        own_ignore = (file.folder / ".dockerignore").exists()
        storage.buildah(
            "build", "--layers", "--isolation=chroot", "--network=host", "--pull-never",
            f"--build-arg=PYTHON_IMAGE={python}",
            f"--volume={found}:/wheels:ro", f"--volume={work / 'pip.conf'}:/etc/pip.conf:ro",
            *(() if own_ignore else (f"--ignorefile={work / 'ignore'}",)),
            f"--tag={image.name}", f"--file={file.path}", str(file.folder),
            network=False,
        )  # fmt: skip
        storage.buildah("push", "--quiet", image.name, f"docker-archive:{work / 'image.tar'}:{image.name}")
        (work / "image.tar").replace(image.archive)


def _forget_old(image: Image) -> None:
    """Keep the archives that were asked for last."""
    repository = image.archive.name.rpartition("-")[0]
    found = sorted(image.archive.parent.glob(f"{repository}-*.tar"), key=lambda path: path.stat().st_mtime)
    for archive in found[:-_KEPT]:
        archive.unlink(missing_ok=True)
