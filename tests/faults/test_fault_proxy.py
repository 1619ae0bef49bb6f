"""What the proxy takes a request for, by which the sweep counts."""

import json

import pytest
from proxy import classify

OURS = "/apis/actionoperator.dev/v1alpha1"


@pytest.mark.parametrize(
    ("method", "path", "told", "counted"),
    [
        ("PATCH", f"{OURS}/namespaces/shop/actionproposals/a/status", "patch actionproposals/a/status", True),
        ("POST", f"{OURS}/namespaces/shop/actionproposals", "create actionproposals/new", True),
        ("POST", "/apis/batch/v1/namespaces/shop/jobs?dryRun=All", "create jobs/new", False),
        ("POST", "/api/v1/namespaces/shop/pods/a/eviction", "create pods/a/eviction", True),
        ("PATCH", "/apis/apps/v1/namespaces/shop/deployments/web/scale?force=x", "patch deployments/web/scale", True),
        ("PATCH", "/api/v1/nodes/one", "patch nodes/one", True),
        ("PUT", "/apis/coordination.k8s.io/v1/namespaces/shop/leases/a", "update leases/a", False),
        ("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", "create subjectaccessreviews/new", False),
        ("GET", "/api/v1/namespaces/shop", "get namespaces/shop", False),
        ("GET", f"{OURS}/actiontypes?watch=true", "watch actiontypes", False),
        ("GET", f"{OURS}/actionproposals?limit=5", "list actionproposals", False),
    ],
)  # fmt: skip
def test_requests_are_told_apart(method: str, path: str, told: str, counted: bool) -> None:
    body = json.dumps({"metadata": {"name": "new"}}).encode() if method == "POST" else b""
    asked = classify(method, path, body)
    assert (str(asked), asked.counted) == (told, counted)
