"""The operator behind a proxy that fails it: lanes, the sweep over all cases, and its one-line report."""

import queue
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from effects import Hooks, hooks
from harness.nursery import nursery
from harness.operator import Launch
from lanes import Case, Lane, lane
from sweeping import Report, Sweep

from localcluster.controlplane import ControlPlane

LANES = 3
_REPORT = pytest.StashKey["Report"]()


@pytest.fixture(scope="session")
def hooked() -> Iterator[Hooks]:
    """A target for HTTP actions that counts what reached it."""
    with hooks() as target:
        yield target


@pytest.fixture(scope="session")
def launch() -> Iterator[Launch]:
    """Starts operators quickly."""
    with nursery() as ready:
        yield ready.launch


@pytest.fixture(scope="module")
def own(
    cluster: ControlPlane,
    operator_kubeconfig: Path,
    tmp_path_factory: pytest.TempPathFactory,
    hooked: Hooks,
    launch: Launch,
) -> Iterator[Lane]:
    """A lane for all tests of a module."""
    with lane(cluster, operator_kubeconfig, tmp_path_factory.mktemp("own"), hooked, launch=launch) as ready:
        yield ready


@pytest.fixture(scope="module")
def sweep(
    cluster: ControlPlane,
    operator_kubeconfig: Path,
    tmp_path_factory: pytest.TempPathFactory,
    hooked: Hooks,
    launch: Launch,
    request: pytest.FixtureRequest,
) -> Iterator[Sweep]:
    """All selected cases of the module under way on a few lanes. Under pytest-xdist a module is one worker's."""
    items = [item for item in request.session.items if item.path == request.path]
    selected = [item.callspec.params["case"] for item in items if _has_case(item)]
    report = request.config.stash.setdefault(_REPORT, Report())
    lanes: queue.SimpleQueue[Lane] = queue.SimpleQueue()
    with ExitStack() as stack, ThreadPoolExecutor(LANES, "case") as pool:
        for number in range(min(LANES, len(selected))):
            folder = tmp_path_factory.mktemp("lane") / str(number)
            lanes.put(stack.enter_context(lane(cluster, operator_kubeconfig, folder, hooked, launch=launch)))
        running = Sweep(lanes, pool, report)
        for case in selected:
            running.begin(case)
        try:
            yield running
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _has_case(item: pytest.Item) -> bool:
    params = getattr(getattr(item, "callspec", None), "params", {})
    return isinstance(params.get("case"), Case) and "sweep" in getattr(item, "fixturenames", ())


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker of pytest-xdist hands over what its part of the sweep came to."""
    report = session.config.stash.get(_REPORT, None)
    if report and report.results and hasattr(session.config, "workeroutput"):
        session.config.workeroutput["told"] = report.line()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """One line: what the sweep came to."""
    report = config.stash.get(_REPORT, None)
    if report and report.results:
        terminalreporter.write_line(report.line())
