"""What the generic types refuse in their parameters: fields that steer controllers, keys of others, credentials."""

from typing import Any

import pytest
from unit.actions.test_parameters import WEB, faults

PATCH = {**WEB, "type": "merge"}
NAMED = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "flags"}}
VARIABLE = [{"name": "web", "env": [{"name": "API_TOKEN", "value": "hunter2"}]}]


def json_patch(**operation: Any) -> dict[str, Any]:
    return {**WEB, "type": "json", "operations": [operation]}


def merge(**patch: Any) -> dict[str, Any]:
    return {**PATCH, "patch": patch}


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        (merge(status={"replicas": 1}), "patch.status: cannot be changed"),
        (merge(kind="Pod"), "patch.kind: cannot be changed"),
        (merge(metadata=None, spec=1, apiVersion="v1"), "patch.apiVersion: cannot be changed"),
        (merge(metadata="x"), "patch.metadata: must be an object"),
        (merge(metadata={"labels": None}), "patch.metadata.labels: must be an object"),
        (merge(metadata={"finalizers": []}), "patch.metadata.finalizers: is out of reach"),
        (merge(metadata={"ownerReferences": []}), "patch.metadata.ownerReferences: is out of reach"),
        (merge(metadata={"name": "other"}), "patch.metadata.name: is out of reach"),
        (merge(metadata={"labels": {"actionoperator.dev/allow": "true"}}), "is reserved for the operator"),
        (merge(metadata={"labels": {"actionoperator.dev/allow": None}}), "is reserved for the operator"),
        (merge(metadata={"annotations": {"kubernetes.io/change-cause": "x"}}), "is reserved for Kubernetes"),
        (merge(spec={"containers": VARIABLE}), "patch.spec.containers[0].env[0]: API_TOKEN looks like a credential"),
        (json_patch(op="replace", path="/metadata", value={}), "only single labels and annotations"),
        (json_patch(op="replace", path="/metadata/uid", value="x"), "only single labels and annotations"),
        (json_patch(op="add", path="/metadata/labels", value={}), "only single labels and annotations"),
        (json_patch(op="add", path="/metadata/labels/a/b", value="c"), "only single labels and annotations"),
        (json_patch(op="add", path="/metadata/labels/actionoperator.dev~1allow", value="true"), "reserved for the op"),
        (json_patch(op="remove", path="/metadata/annotations/kubernetes.io~1x"), "is reserved for Kubernetes"),
        (json_patch(op="move", **{"from": "/metadata/finalizers"}, path="/spec/x"), "operations[0].from: of metadata"),
        (json_patch(op="copy", **{"from": "/spec/x"}, path="/status/x"), "operations[0].path: status cannot"),
        (json_patch(op="replace", path="/kind", value="Pod"), "operations[0].path: kind cannot be changed"),
        (json_patch(op="add", path="/spec/containers", value=VARIABLE), "operations[0].value[0].env[0]: API_TOKEN"),
        (json_patch(op="add", path="/spec/x"), "operations.0: value: add needs one"),
        (json_patch(op="remove", path="/spec/x", value=1), "operations.0: value: remove has none"),
        (json_patch(op="move", path="/spec/x"), "operations.0: from: move needs it"),
        (json_patch(op="test", path="/spec/x", value=1), "operations: give at least one that changes something"),
        (json_patch(op="merge", path="/spec/x", value=1), "operations[0].op: must be one of"),
        ({**WEB, "type": "json", "patch": {"spec": {}}}, "patch: json takes operations"),
        ({**json_patch(op="remove", path="/spec/x"), "type": "apply"}, "operations: apply takes patch"),
        ({**PATCH}, "patch: give at least one field"),
        ({**merge(spec={}), "force": True}, "force: merge has none"),
        ({**merge(spec={}), "apiVersion": "apps/v1/x"}, "parameters.apiVersion: must match"),
        ({**merge(spec={}), "kind": "deployments"}, "parameters.kind: must match"),
    ],
    ids=lambda value: str(value)[:70],
)
def test_what_a_patch_may_not_reach(parameters: dict[str, Any], words: str) -> None:
    (found,) = faults("patch-resource", parameters)
    assert words in found
    assert "hunter2" not in found


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/metadata/uid", "value": "x"},
        {"op": "test", "path": "/metadata/annotations", "value": {"kubernetes.io/x": "y"}},
        {"op": "test", "path": "/spec/absent", "value": None},
        {"op": "copy", "from": "/status/replicas", "path": "/spec/replicas"},
        {"op": "add", "path": "/metadata/labels/example.com~1team", "value": "web"},
    ],
    ids=str,
)
def test_a_patch_may_test_and_read_everything_and_change_single_keys(operation: dict[str, Any]) -> None:
    parameters = json_patch(**operation)
    parameters["operations"] = [operation, {"op": "remove", "path": "/spec/paused"}]
    assert faults("patch-resource", parameters) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"metadata": {}}, "metadata.name: is missing"),
        ({"metadata": {"generateName": "a-"}}, "metadata.name: is missing"),
        ({"metadata": {"name": "../x"}}, "metadata.name: is missing, or cannot be one"),
        ({"metadata": "flags"}, "metadata: must be an object with a name"),
        ({"kind": None}, "kind: is missing"),
        ({"apiVersion": 1}, "apiVersion: is missing"),
        ({"metadata": {"name": "a", "ownerReferences": []}}, "manifest.metadata.ownerReferences: is out of reach"),
        ({"metadata": {"name": "a", "uid": "x"}}, "manifest.metadata.uid: is out of reach"),
        ({"metadata": {"name": "a", "labels": {"k8s.io/a": "b"}}}, "is reserved for Kubernetes"),
        ({"status": {}}, "manifest.status: cannot be changed"),
        ({"spec": {"containers": VARIABLE}}, "manifest.spec.containers[0].env[0]: API_TOKEN looks like"),
    ],
    ids=str,
)
def test_what_a_manifest_may_not_say(changes: dict[str, Any], words: str) -> None:
    (found,) = faults("apply-manifest", {"manifest": {**NAMED, **changes}})
    assert words in found
    assert found.startswith("parameters.manifest: ")


@pytest.mark.parametrize("name", ["label-resource", "annotate-resource"])
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "set: give at least one key here or in remove"),
        (
            {"set": {"actionoperator.dev/allow": "true"}},
            "parameters.set: actionoperator.dev/allow is reserved for the op",
        ),
        (
            {"remove": ["pod-security.kubernetes.io/enforce"]},
            "parameters.remove: pod-security.kubernetes.io/enforce is",
        ),
        ({"set": {"a b": "c"}}, "parameters.set: 'a b' is not a valid key"),
        ({"set": {"a": "b"}, "remove": ["a"]}, "parameters.remove: a also stands in set"),
        ({"set": {"a": "b"}, "expected": {"c": "d"}}, "parameters.expected: c stands neither in set nor in remove"),
        ({"set": {"a": "b"}, "expectedAbsent": ["c"]}, "parameters.expected: c stands neither"),
    ],
    ids=str,
)
def test_what_keys_may_not_be(name: str, changes: dict[str, Any], words: str) -> None:
    (found,) = faults(name, {**WEB, **changes})
    assert words in found


def test_a_label_has_a_value_that_a_label_can_have() -> None:
    (found,) = faults("label-resource", {**WEB, "set": {"a": "not ok"}})
    assert "parameters.set.a: must match" in found


OBJECT = {"resource": {"apiVersion": "v1", "kind": "ConfigMap", "name": "a"}}


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"expression": "true"}, "resource: give exactly one of resource, http"),
        ({**OBJECT, "http": {"url": "https://a/"}, "expression": "true"}, "resource: give exactly one"),
        (
            {"resource": {"apiVersion": "v1", "kind": "Secret", "name": "a"}, "expression": "true"},
            "Secrets are not read",
        ),
        ({**OBJECT, "expression": "object.data.a =="}, "parameters.expression: line 1"),
        ({**OBJECT, "expression": "'yes'"}, "parameters.expression: must give true or false"),
        ({**OBJECT, "expression": "status == 200"}, "parameters.expression"),
        ({"http": {"url": "https://a/"}, "expression": "object.a == 1"}, "parameters.expression"),
        ({"http": {"url": "https://u:p@a/"}, "expression": "status == 200"}, "parameters.http.url: must not carry"),
        ({**OBJECT, "expression": "true", "timeoutSeconds": 90_000}, "parameters.timeoutSeconds: must be at most"),
    ],
    ids=str,
)
def test_what_an_assertion_may_not_be(parameters: dict[str, Any], words: str) -> None:
    (found,) = faults("assert", parameters)
    assert words in found


def test_the_token_of_the_runner_is_never_in_a_job_that_reports() -> None:
    (found,) = faults("run-job", {"image": "a", "report": True, "mountServiceAccountToken": True})
    assert "parameters.report: not with mountServiceAccountToken" in found
