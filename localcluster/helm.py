"""Helm, for the tests of the chart: found as the other programs are, or built from a Go module of its own.

It is apart from the programs of the control plane: nothing else needs it, and its dependencies are other ones.
"""

import hashlib
import os
import platform
import re
from collections.abc import Mapping
from pathlib import Path

from localcluster import binaries, gobuild, programs
from localcluster.programs import Program
from localcluster.progress import Progress

MODULE = Path(__file__).parent / "helm4"
"""The Go module that pins Helm."""
HELM = Program("helm", "helm.sh/helm/v4/cmd/helm")
LINKER_FLAGS = "-s -w"


def version() -> str:
    """Return the pinned version, such as `v4.3.1`."""
    match = re.search(r"^\s*helm\.sh/helm/v4 (v\S+)", (MODULE / "go.mod").read_text(encoding="utf-8"), re.MULTILINE)
    if match is None:
        raise LookupError(f"{MODULE / 'go.mod'}: no requirement of helm.sh/helm/v4")
    return match[1]


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Return where a built Helm is kept for this user: another manifest, flag or machine is another folder."""
    digest = hashlib.sha256()
    for name in ("go.mod", "go.sum"):
        digest.update((MODULE / name).read_bytes())
    digest.update(" ".join((*programs.BUILD_FLAGS, LINKER_FLAGS)).encode())
    digest.update(f"{platform.system()} {platform.machine()}".encode())
    return binaries.cache_folder(environment).parent / f"helm-{version().removeprefix('v')}-{digest.hexdigest()[:12]}"


def find_or_build(progress: Progress, environment: Mapping[str, str] = os.environ) -> Path:
    """Return the path of Helm: what TEST_ASSET_HELM names, else from the cache, built if it is not there.

    Raises:
        BinaryMissing: TEST_ASSET_HELM is not a program.
        BuildFailed: it has to be built and cannot be.
    """
    given = binaries.given(HELM, environment, progress)
    if given:
        progress.note(f"{HELM.name}: {given.source}")
        return given.path
    folder = cache_folder(environment)
    if not (folder / HELM.name).exists():
        gobuild.build_one(HELM, folder, progress, module=MODULE, version=version(), linker_flags=LINKER_FLAGS)
    progress.note(f"{HELM.name}: built in {folder}")
    return folder / HELM.name
