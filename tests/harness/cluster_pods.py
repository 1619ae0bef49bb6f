"""Clusters that run real pods. Tests ask for one by the fixture `pods` (tests/node/conftest.py) and know no more of it.

`ACTION_OPERATOR_PODS` says which: `real-node` (the default), processes of this machine, or `kind`, which takes Docker.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from harness import cluster_kind
from localcluster.api import Api
from localcluster.controlplane import ControlPlane
from localcluster.image import build, storage
from localcluster.node import needs
from localcluster.progress import Lines

ROOT = Path(__file__).parents[2]
IMAGE = "localhost/action-operator"
VARIABLE = "ACTION_OPERATOR_PODS"


class Pods(Protocol):
    """A cluster that runs pods."""

    @property
    def directory(self) -> Path:
        """A folder for what belongs to it."""

    @property
    def kubectl(self) -> Path: ...

    @property
    def kubeconfig(self) -> Path: ...

    def api(self, user: str = "admin") -> Api: ...

    def load_image(self, archive: Path) -> None:
        """Brings the images of an archive of `docker save` to its nodes, by the names that they have in it."""


def provider() -> str:
    return os.environ.get(VARIABLE) or "real-node"


def missing() -> list[str]:
    """What keeps the provider from running here, in words."""
    match provider():
        case "real-node":
            return needs.missing()
        case "kind":
            return cluster_kind.missing()
        case other:
            raise ValueError(f"{VARIABLE}={other}: it has to be real-node or kind")


def image_missing() -> list[str]:
    """What keeps the image from being built here, in words."""
    return storage.missing() if provider() == "real-node" else []


@contextmanager
def started(folder: Path) -> Iterator[Pods]:
    """The provider's cluster, until left."""
    if provider() == "kind":
        with cluster_kind.started(folder) as kind:
            yield kind
    else:
        with ControlPlane.start(folder, real_node=True, progress=Lines()) as plane:
            yield plane


def load_operator(pods: Pods) -> str:
    """Builds the operator's image from the project's Dockerfile and brings it to the nodes; its name there."""
    image = cluster_kind.build(ROOT, IMAGE) if provider() == "kind" else build.build(ROOT, IMAGE, Lines())
    pods.load_image(image.archive)
    return image.name
