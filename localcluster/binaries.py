"""Find the programs of the control plane, or have them downloaded or built.

The order: what the environment names (TEST_ASSET_<PROGRAM>, then the folder KUBEBUILDER_ASSETS),
the user's cache folder, the official builds, `go build`. What the environment names and is not
usable is an error, not a reason to look further; where a folder lacks a program, that is said, and
so is why a program is not downloaded.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from localcluster import download, gobuild, programs
from localcluster.errors import BinaryMissing
from localcluster.programs import Program
from localcluster.progress import Progress

SETTING = "ACTION_OPERATOR_PROGRAMS"
MIRROR = "ACTION_OPERATOR_MIRROR"


class Way(StrEnum):
    """How to get programs that are not there: the setting ACTION_OPERATOR_PROGRAMS."""

    ANY = "any"
    """Download; build what cannot be downloaded."""
    DOWNLOAD = "download"
    BUILD = "build"


@dataclass(frozen=True)
class Binary:
    """A program on disk and the reason why it is this one."""

    program: Program
    path: Path
    source: str


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Return where built programs are kept for this user."""
    base = environment.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "action-operator" / programs.cache_name()


def find(
    wanted: Sequence[Program], progress: Progress, environment: Mapping[str, str] = os.environ
) -> tuple[list[Binary], list[Program]]:
    """Return the programs that are there, and those that would have to be built.

    Raises:
        BinaryMissing: the environment names something that is not a program.
    """
    found, missing = [], []
    for program in wanted:
        binary = given(program, environment, progress) or _cached(program, environment)
        if binary is None:
            missing.append(program)
        else:
            found.append(binary)
    return found, missing


def find_or_build(
    wanted: Sequence[Program], progress: Progress, environment: Mapping[str, str] = os.environ
) -> dict[str, Path]:
    """Return the path of each wanted program by its name, downloading or building what is not there.

    Raises:
        BinaryMissing: the environment names something that is not a program, or it is to be
            downloaded only and cannot be.
        WrongChecksum: what was downloaded is not what was published.
        BuildFailed: the programs have to be built and cannot be.
    """
    found, missing = find(wanted, progress, environment)
    if missing:
        folder = cache_folder(environment)
        downloaded = _download(missing, folder, progress, environment)
        to_build = [program for program in missing if program not in downloaded]
        if to_build:
            gobuild.build(to_build, folder, progress)
        found += [Binary(program, folder / program.name, f"downloaded to {folder}") for program in downloaded]
        found += [Binary(program, folder / program.name, f"built in {folder}") for program in to_build]
    for source in dict.fromkeys(binary.source for binary in found):
        names = ", ".join(binary.program.name for binary in found if binary.source == source)
        progress.note(f"{names}: {source}")
    return {binary.program.name: binary.path for binary in found}


def _download(
    missing: Sequence[Program], folder: Path, progress: Progress, environment: Mapping[str, str]
) -> list[Program]:
    """Download what may be and can be; return that. Raises BinaryMissing where nothing else is allowed."""
    value = environment.get(SETTING) or Way.ANY
    if value not in tuple(Way):
        raise BinaryMissing(f"{SETTING}={value}: it has to be one of {', '.join(Way)}")
    if value == Way.BUILD:
        return []
    reason = "no official build"
    done: list[Program] = []
    try:
        done = download.download(missing, folder, progress, environment.get(MIRROR, ""))
    except download.Unreachable as error:
        reason = str(error)
        done = [program for program in missing if _executable(folder / program.name)]
        progress.note(f"no download: {reason}")
    left = ", ".join(program.name for program in missing if program not in done)
    if left and value == Way.DOWNLOAD:
        raise BinaryMissing(f"{left}: {reason}. To build instead, unset {SETTING} or set it to {Way.BUILD}.")
    return done


def given(program: Program, environment: Mapping[str, str], progress: Progress) -> Binary | None:
    """Return what the environment names.

    Raises:
        BinaryMissing: it is not a program.
    """
    named = environment.get(program.variable)
    if named:
        path = Path(named).absolute()
        if not _executable(path):
            raise BinaryMissing(
                f"{program.variable}: {path} is not an executable file. "
                f"Correct it, or unset it to use a built {program.name}."
            )
        return Binary(program, path, f"{program.variable}={named}")
    folder = environment.get("KUBEBUILDER_ASSETS")
    if folder:
        path = Path(folder).absolute() / program.name
        if _executable(path):
            return Binary(program, path, f"KUBEBUILDER_ASSETS={folder}")
        if not path.parent.is_dir():
            raise BinaryMissing(
                f"KUBEBUILDER_ASSETS: {folder} is not a folder. Correct it, or unset it to use built programs."
            )
        progress.note(f"{program.name}: not in KUBEBUILDER_ASSETS={folder}, looking further")
    return None


def _cached(program: Program, environment: Mapping[str, str]) -> Binary | None:
    folder = cache_folder(environment)
    path = folder / program.name
    return Binary(program, path, f"got before, in {folder}") if _executable(path) else None


def _executable(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)
