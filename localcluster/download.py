"""Download the official builds of the programs, and check them against the checksums that are published with them.

Kubernetes publishes a `.sha256` beside each file; for etcd and kwok it is the digest that GitHub gives for each file of
a release. A file is kept only if its checksum is right. A host that does not answer within seconds ends all downloads:
the programs are then built, and who cannot reach the host does not wait for it once a program.
"""

import hashlib
import json
import platform
import re
import tarfile
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from localcluster import locks, programs
from localcluster.errors import LocalClusterError
from localcluster.programs import Program
from localcluster.progress import Progress

ANSWER_SECONDS = 4.0
"""How long a host may take to answer at all, looking up its name included."""
_STALL_SECONDS = 30.0
_CHUNK_BYTES = 1 << 18
_ARCHITECTURES = ("amd64", "arm64")
_GITHUB = {"etcd": ("etcd-io/etcd", "go.etcd.io/etcd/server/v3"), "kwok": ("kubernetes-sigs/kwok", "sigs.k8s.io/kwok")}


class Unreachable(Exception):
    """There is no answer from a host; the text says which and why."""


class WrongChecksum(LocalClusterError):
    """What was downloaded is not what was published."""


@dataclass(frozen=True)
class Release:
    """An official build: its file, where its checksum is, and the program's place in it if it is an archive."""

    url: str
    checksum_url: str
    member: str | None = None

    @property
    def file(self) -> str:
        """Return the name of the file."""
        return self.url.rpartition("/")[2]


def release_of(program: Program) -> Release | None:
    """Return the official build of the pinned version for this machine, or None if there is none."""
    architecture = programs.architecture()
    if platform.system() != "Linux" or architecture not in _ARCHITECTURES:
        return None
    if program.package.startswith("k8s.io/kubernetes/"):
        version = programs.pinned("k8s.io/kubernetes")
        url = f"https://dl.k8s.io/release/{version}/bin/linux/{architecture}/{program.name}"
        return Release(url, f"{url}.sha256")
    repository, module = _GITHUB[program.name]
    version = programs.pinned(module)
    stem = f"etcd-{version}-linux-{architecture}"
    file = f"{stem}.tar.gz" if program.name == "etcd" else f"{program.name}-linux-{architecture}"
    return Release(
        f"https://github.com/{repository}/releases/download/{version}/{file}",
        f"https://api.github.com/repos/{repository}/releases/tags/{version}",
        f"{stem}/etcd" if program.name == "etcd" else None,
    )


def download(wanted: Sequence[Program], folder: Path, progress: Progress, mirror: str = "") -> list[Program]:
    """Download what `folder` lacks into it; return the programs that are there now.

    `mirror` is the address of a copy of the hosts: `https://HOST/PATH` is then asked for at `MIRROR/HOST/PATH`.

    Raises:
        WrongChecksum: a file is not the published one; it is not kept.
        Unreachable: a host does not answer.
    """
    done = []
    with locks.locked(folder / ".lock"):
        for program in wanted:
            release = release_of(program)
            if release is None:
                progress.note(f"{program.name}: no official build for {platform.system()} {platform.machine()}")
                continue
            if (folder / program.name).exists() or _fetch(program, release, folder, progress, mirror):
                done.append(program)
    return done


def _fetch(program: Program, release: Release, folder: Path, progress: Progress, mirror: str) -> bool:
    """Download one program; return False if it is not published."""
    begun = time.monotonic()
    try:
        published = _bounded(lambda: _read_all(_at(release.checksum_url, mirror)), release.checksum_url)
        wanted = _checksum(published, release.file)
        with tempfile.TemporaryDirectory(prefix=".downloading-", dir=folder) as name:
            file = Path(name) / release.file
            found = _save(_at(release.url, mirror), file, lambda text: progress.working(f"{program.name}: {text}"))
            if found != wanted:
                raise WrongChecksum(
                    f"{release.url}: its checksum is {found}, but {wanted} is published at {release.checksum_url}. "
                    "It is not kept. Try again; or build the programs: ACTION_OPERATOR_PROGRAMS=build"
                )
            built = file if release.member is None else _extract(file, release.member)
            built.chmod(0o755)
            built.replace(folder / program.name)
    except urllib.error.HTTPError as error:
        error.close()
        progress.note(f"{program.name}: {error.url}: {error.code} {error.reason}")
        return False
    except OSError as error:
        raise Unreachable(f"{release.url}: {getattr(error, 'reason', None) or error}") from error
    progress.note(f"downloaded {program.name} from {release.url} in {time.monotonic() - begun:.0f} s, checksum right")
    return True


def _at(url: str, mirror: str) -> str:
    return f"{mirror.rstrip('/')}/{url.removeprefix('https://')}" if mirror else url


def _bounded(ask: Callable[[], str], url: str) -> str:
    """Return the answer, or raise Unreachable when none comes in time: a name server may take minutes by itself."""
    answer: list[str] = []
    failure: list[Exception] = []

    def run() -> None:
        try:
            answer.append(ask())
        except Exception as error:  # noqa: BLE001  raised again in the caller's thread
            failure.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(ANSWER_SECONDS)
    if failure:
        raise failure[0]
    if not answer:
        raise Unreachable(f"{url}: no answer within {ANSWER_SECONDS:g} s")
    return answer[0]


def _read_all(url: str) -> str:
    with _open(url, ANSWER_SECONDS) as answer:
        return answer.read().decode()


def _save(url: str, file: Path, tell: Callable[[str], None]) -> str:
    """Write what is at `url` to the file, and return its SHA-256."""
    digest = hashlib.sha256()
    size = 0
    with _open(url, _STALL_SECONDS) as answer, file.open("wb") as out:
        while chunk := answer.read(_CHUNK_BYTES):
            digest.update(chunk)
            out.write(chunk)
            size += len(chunk)
            tell(f"downloading, {size / 1e6:.0f} MB")
    return digest.hexdigest()


def _open(url: str, timeout_seconds: float) -> IO[bytes]:
    request = urllib.request.Request(url, headers={"User-Agent": "localcluster"})  # noqa: S310  https, or the given mirror
    answer: IO[bytes] = urllib.request.urlopen(request, timeout=timeout_seconds)  # noqa: S310
    return answer


def _checksum(text: str, file: str) -> str:
    """Return the SHA-256 in what is published: a bare one, or GitHub's description of a release.

    Raises:
        WrongChecksum: there is none.
    """
    found: object = text.strip()
    if text.lstrip().startswith("{"):
        assets = json.loads(text).get("assets", ())
        found = next((asset.get("digest") for asset in assets if asset.get("name") == file), None)
    checksum = str(found).removeprefix("sha256:")
    if not re.fullmatch(r"[0-9a-f]{64}", checksum):
        raise WrongChecksum(f"no checksum of {file} is published. Build the programs: ACTION_OPERATOR_PROGRAMS=build")
    return checksum


def _extract(archive: Path, member: str) -> Path:
    """Return the program out of its archive, beside it."""
    out = archive.with_name("program")
    with tarfile.open(archive) as opened:
        try:
            stream = opened.extractfile(member)
        except KeyError:
            stream = None
        if stream is None:
            raise WrongChecksum(f"{archive.name} holds no {member}. Build it: ACTION_OPERATOR_PROGRAMS=build")
        with stream, out.open("wb") as target:
            while chunk := stream.read(_CHUNK_BYTES):
                target.write(chunk)
    return out
