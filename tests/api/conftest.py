"""API servers with our CRDs, for tests of what they accept."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from api_server import ApiServer
from guarded import Guarded, guarded
from harness.installed import install_crds

from hack.installation import enforce, kubectl_of
from localcluster.controlplane import ControlPlane


@pytest.fixture(scope="session")
def schema_only(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """An API server of its own with our CRDs and none of our admission policies, for tests of the schema alone."""
    with ControlPlane.start(tmp_path_factory.mktemp("schema") / "cluster", api_only=True, audit=False) as plane:
        install_crds(plane)
        yield plane


@pytest.fixture(scope="session")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """An API server of its own with our admission policies in force, for tests that change what is cluster-wide."""
    with ControlPlane.start(tmp_path_factory.mktemp("alone") / "cluster", api_only=True, audit=False) as plane:
        install_crds(plane)
        enforce(kubectl_of(plane))
        yield plane


@pytest.fixture(scope="module")
def server(schema_only: ControlPlane) -> Iterator[ApiServer]:
    """The API server that checks nothing but the schema, and one namespace for the whole module."""
    api = ApiServer(schema_only, f"schema-{secrets.token_hex(4)}")
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": api.namespace}}
    assert api.send("POST", "/api/v1/namespaces", namespace).accepted
    yield api
    api.close()


@pytest.fixture(scope="module")
def guard(
    cluster: ControlPlane, crds: None, operator_kubeconfig: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Guarded]:
    """The API server with our admission policies in force, and those who come to it."""
    with guarded(cluster, operator_kubeconfig, tmp_path_factory.mktemp("guarded")) as ready:
        yield ready
