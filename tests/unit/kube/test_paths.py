"""Where objects are found, and which names are no names."""

import pytest

from controller.core.errors import PermanentFailure
from controller.core.ports import Resource
from controller.kube import paths

PODS = Resource("", "v1", "pods", "Pod")
NODES = Resource("", "v1", "nodes", "Node", namespaced=False)
JOBS = Resource("batch", "v1", "jobs", "Job")
ROLES = Resource("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", namespaced=False)


@pytest.mark.parametrize(
    ("resource", "namespace", "name", "subresource", "path"),
    [
        (PODS, "shop", "web-1", "", "/api/v1/namespaces/shop/pods/web-1"),
        (PODS, "shop", "web-1", "eviction", "/api/v1/namespaces/shop/pods/web-1/eviction"),
        (NODES, None, "node-3", "", "/api/v1/nodes/node-3"),
        (JOBS, "shop", "a.b", "status", "/apis/batch/v1/namespaces/shop/jobs/a.b/status"),
        (ROLES, None, "system:node", "", "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:node"),
        (NODES, None, "a?b#c d", "", "/api/v1/nodes/a%3Fb%23c%20d"),
    ],
)
def test_paths_of_objects(resource: Resource, namespace: str | None, name: str, subresource: str, path: str) -> None:
    assert paths.item(resource, namespace, name, subresource) == path


def test_paths_of_collections() -> None:
    assert paths.collection(PODS, None) == "/api/v1/pods"
    assert paths.collection(JOBS, "shop") == "/apis/batch/v1/namespaces/shop/jobs"


@pytest.mark.parametrize("name", ["", ".", "..", "../secrets/x", "a/b", "/", "%2e%2e", "a%2Fb"])
def test_names_that_would_lead_elsewhere_are_refused(name: str) -> None:
    for build in (
        lambda: paths.item(PODS, "shop", name),
        lambda: paths.item(PODS, name, "web"),
        lambda: paths.item(Resource("", "v1", name, "X"), "shop", "web"),
        lambda: paths.item(Resource("batch", name, "jobs", "X"), "shop", "web"),
    ):
        with pytest.raises(PermanentFailure, match="cannot be a name"):
            build()


def test_a_namespaced_object_needs_its_namespace() -> None:
    with pytest.raises(PermanentFailure, match="Pod web: a namespace is needed"):
        paths.item(PODS, None, "web")


def test_queries_are_quoted_and_leave_out_what_is_empty() -> None:
    assert (
        paths.query(labelSelector="a in (b,c)", fieldSelector="", limit="5")
        == "?labelSelector=a%20in%20%28b%2Cc%29&limit=5"
    )
    assert paths.query(labelSelector="") == ""
