"""Pytest fixtures: one control plane for the whole run, and a namespace for each test.

The control plane is started when the first test asks for it and stopped at the end of the run.
It belongs to the main pytest process, also under pytest-xdist, where each worker has one of its
own, for what belongs to a whole cluster: the main process holds a lock for as long as it lives,
and the supervisors go when that lock is free. So nothing is left behind, however the run ends.

An own, running control plane is used with `--cluster-dir DIR` or ACTION_OPERATOR_CLUSTER=DIR.
"""

import os
import re
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from localcluster.controlplane import ControlPlane, stop
from localcluster.errors import RequestFailed
from localcluster.layout import Layout
from localcluster.locks import FileLock
from localcluster.progress import Lines

if TYPE_CHECKING:
    from _pytest.capture import CaptureManager

VARIABLE = "ACTION_OPERATOR_CLUSTER"
_RUN = pytest.StashKey["_Run"]()


class _Run:
    """The folder of this test run; the main process owns it, workers are told of it.

    `name` is that of this process's control plane, a folder in it.
    """

    def __init__(self, folder: Path, owned: FileLock | None, name: str = "cluster") -> None:
        self.folder = folder
        self._owned = owned
        self._name = name
        self._cluster: ControlPlane | None = None

    @classmethod
    def begin(cls) -> "_Run":
        folder = Path(tempfile.mkdtemp(prefix="localcluster-"))
        return cls(folder, FileLock.take(folder / "owner.lock"))

    def cluster(self) -> ControlPlane:
        """Return this process's control plane, starting it if this is the first time anybody asks."""
        if self._cluster is None:
            self._cluster = ControlPlane.start(
                self.folder / self._name, owner=self.folder / "owner.lock", progress=Lines(sys.__stderr__)
            )
        return self._cluster

    def end(self) -> None:
        """Stop this process's control plane, and those that workers left, if this process owns the run."""
        if self._cluster is not None:
            self._cluster.stop()
        if self._owned is None:
            return
        for folder in self.folder.iterdir():
            if folder.is_dir():
                stop(Layout(folder))
        self._owned.release()
        shutil.rmtree(self.folder, ignore_errors=True)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option for an already running control plane."""
    parser.getgroup("localcluster").addoption(
        "--cluster-dir",
        default=os.environ.get(VARIABLE) or None,
        metavar="DIR",
        help=f"use the control plane running in DIR instead of a new one (also ${VARIABLE})",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Prepare the folder of the run; nothing is started yet."""
    given = getattr(config, "workerinput", {})
    told = given.get("localcluster")
    config.stash[_RUN] = _Run(Path(told), None, given["workerid"]) if told else _Run.begin()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell an xdist worker which folder this run has."""
    node.workerinput["localcluster"] = str(node.config.stash[_RUN].folder)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop what was started."""
    run = config.stash.get(_RUN, None)
    if run is not None:
        run.end()


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> ControlPlane:
    """Return the control plane of this test run: API server, controllers, scheduler, played nodes."""
    running = request.config.getoption("--cluster-dir")
    if running:
        return ControlPlane.attach(Path(running))
    capture: CaptureManager | None = request.config.pluginmanager.getplugin("capturemanager")
    run = request.config.stash[_RUN]
    if capture is None:
        return run.cluster()
    with capture.global_and_fixture_disabled():  # building takes minutes: let it be seen
        return run.cluster()


@pytest.fixture
def namespace(cluster: ControlPlane, request: pytest.FixtureRequest) -> Iterator[str]:
    """Return the name of a fresh namespace; it is deleted after the test, without waiting."""
    test = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[:40].strip("-")
    name = f"{test}-{secrets.token_hex(4)}"
    api = cluster.api()
    api.post(
        "/api/v1/namespaces",
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}},
    )
    yield name
    try:
        api.delete(f"/api/v1/namespaces/{name}")
    except RequestFailed as error:
        if error.status not in (None, 404):  # the test may have deleted it, or stopped the server
            raise
