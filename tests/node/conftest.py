"""A cluster with real pods, and the project's image on it. Where a part is missing, the reason is said."""

from collections.abc import Iterator

import pytest
from harness import cluster_pods
from harness.cluster_pods import Pods

from localcluster.errors import FetchFailed


@pytest.fixture(scope="session")
def pods(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pods]:
    """A cluster that runs pods: a real node of this machine, or kind."""
    if reasons := cluster_pods.missing():
        pytest.skip(f"no {cluster_pods.provider()} here: {'; '.join(reasons)}")
    with cluster_pods.started(tmp_path_factory.mktemp("pods") / "cluster") as cluster:
        yield cluster


@pytest.fixture(scope="session")
def image(pods: Pods) -> str:
    """The name of the operator's image, built from the Dockerfile and loaded."""
    if reasons := cluster_pods.image_missing():
        pytest.skip(f"no image can be built here: {'; '.join(reasons)}")
    try:
        return cluster_pods.load_operator(pods)
    except FetchFailed as error:
        pytest.skip(f"no image can be built here: {error}")
