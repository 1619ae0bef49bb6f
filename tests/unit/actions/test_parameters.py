"""What each action type refuses in its parameters, in words that say where and what to do."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from unit.core.making import type_entry

from controller.actions.base import FIXED, ParameterFaultsError
from controller.actions.catalogue import catalogue, parameters_schema
from controller.actions.registry import Registry, built_ins
from controller.api.actiontype import ActionType
from controller.api.base import unknown_fields
from controller.core.credentials import looks_like_credential
from controller.core.parameters import parameter_faults, schema_fault

REGISTRY: Registry = built_ins(lambda: datetime.now(UTC))
NAMES = [action.name for action in REGISTRY]
WEB = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
GOOD: dict[str, dict[str, Any]] = {
    "wait": {"seconds": 60},
    "log-message": {"message": "hello", "level": "Warning"},
    "ask": {"question": "Where to?", "options": ["eu", "us"]},
    "scale-workload": {"kind": "Deployment", "name": "checkout", "replicas": 0, "expectedReplicas": 2},
    "restart-rollout": {"kind": "DaemonSet", "name": "agent"},
    "rollback-rollout": {"kind": "StatefulSet", "name": "db", "toRevision": 3, "expectedRevision": 5},
    "pause-rollout": {"name": "checkout"},
    "resume-rollout": {"name": "checkout"},
    "set-image": {
        "kind": "Deployment",
        "name": "checkout",
        "container": "main",
        "image": "registry.example.com:5000/shop/checkout:1.2@sha256:" + "0" * 64,
        "expectedImage": "registry.example.com/shop/checkout:1.1",
    },
    "set-resources": {
        "kind": "Deployment",
        "name": "checkout",
        "container": "main",
        "requests": {"cpu": "0.5", "memory": "256Mi"},
        "limits": {"cpu": "500m", "memory": "none", "example.com/gpu": "1"},
        "expected": {"requests": {"cpu": "none"}},
    },
    "set-hpa-bounds": {"name": "checkout", "minReplicas": 3, "maxReplicas": 3, "expectedMaxReplicas": 9},
    "suspend-cronjob": {"name": "report"},
    "resume-cronjob": {"name": "report"},
    "trigger-cronjob": {"name": "report"},
    "cordon-node": {"node": "node-3.example.com"},
    "uncordon-node": {"node": "node-3"},
    "assert": {
        "resource": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "checkout"},
        "expression": "object.status.readyReplicas == object.spec.replicas",
        "timeoutSeconds": 60,
        "message": "checkout is not ready",
    },
    "label-resource": {
        **WEB,
        "set": {"example.com/team": "web"},
        "remove": ["old"],
        "expected": {"old": "1"},
        "expectedAbsent": ["example.com/team"],
    },
    "annotate-resource": {**WEB, "set": {"example.com/why": "because: it must", "app.kubernetes.io/x": ""}},
    "patch-resource": {**WEB, "type": "merge", "patch": {"spec": {"replicas": 1}, "metadata": {"labels": {"a": None}}}},
    "apply-manifest": {
        "manifest": {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "flags", "labels": {"a": "b"}},
            "data": {"a": "b"},
        },
        "force": True,
    },
    "delete-resource": {**WEB, "uid": "0b1f3c9e-0000-4000-8000-000000000001", "propagation": "Orphan"},
    "delete-job": {"name": "migrate", "uid": "0b1f3c9e-0000-4000-8000-000000000001"},
    "flux-reconcile": {"kind": "Kustomization", "name": "shop"},
    "flux-suspend": {"kind": "HelmRelease", "name": "shop"},
    "flux-resume": {"kind": "OCIRepository", "name": "shop"},
    "argocd-sync": {"name": "shop", "revision": "release/1.2", "prune": True, "hardRefresh": True},
    "delete-pod": {"name": "web-0", "uid": "0b1f3c9e-0000-4000-8000-000000000001", "gracePeriodSeconds": 30},
    "evict-pod": {"name": "web-0"},
    "delete-failed-pods": {"labelSelector": "app=report,tier!=web", "maxPods": 500},
    "drain-node": {
        "node": "node-3",
        "ignoreDaemonSets": False,
        "deleteEmptyDirData": True,
        "force": True,
        "podSelector": "a=b",
        "gracePeriodSeconds": 1,
        "skipWaitForDeleteTimeoutSeconds": 0,
    },
    "taint-node": {"node": "node-3", "key": "example.com/a", "value": "", "effect": "NoExecute", "expectedValue": "x"},
    "untaint-node": {"node": "node-3", "key": "a", "effect": "NoSchedule"},
    "http-request": {
        "method": "POST",
        "url": "https://hooks.example.com/deploys?dry=1",
        "headers": {"X-Team": "checkout"},
        "secretHeaders": {"X-Api-Key": {"secretKeyRef": {"name": "hooks", "key": "api-key"}}},
        "bearerToken": {"secretKeyRef": {"name": "hooks.v2", "key": "token_1"}},
        "secretBody": {"routing_key": {"secretKeyRef": {"name": "pager", "key": "routing.key"}}},
        "body": {"pods": [1, 2], "deep": {"a": None}},
        "expect": {"status": [200, 201], "json": {"state": "done", "items.0": {"a": 1}}},
        "notDoneOn": [503],
        "outputs": {"ticket": "issue.key"},
    },
    "run-job": {
        "image": "registry.example.com/tools/migrate:1.2@sha256:" + "0" * 64,
        "command": ["migrate"],
        "args": ["--all"],
        "env": {"MODE": "fast"},
        "secretEnv": {"DB_PASSWORD": {"secretKeyRef": {"name": "db", "key": "password"}}},
        "resources": {"requests": {"cpu": "500m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}},
        "labels": {"app": "migrate", "app.kubernetes.io/part-of": "shop", "notkubernetes.io/a": "b"},
        "annotations": {"example.com/why": "because: it must", "kubernetes.io.example.com/a": "b"},
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"key": "batch", "operator": "Exists"}],
        "imagePullSecrets": ["registry"],
        "workingDir": "/srv",
        "runAsNonRoot": True,
        "mountServiceAccountToken": False,
        "activeDeadlineSeconds": 600,
    },
}


def faults(name: str, parameters: dict[str, Any]) -> list[str]:
    """All that the operator says of the parameters: first the schema, then what a schema cannot say."""
    found = parameter_faults(parameters_schema(REGISTRY[name]), parameters)
    if not found:
        try:
            REGISTRY[name].parse(parameters)
        except ParameterFaultsError as error:
            return list(error.faults)
    return found


def changed(name: str, changes: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in {**GOOD[name], **changes}.items() if value is not ...}


@pytest.mark.parametrize("name", NAMES)
def test_good_parameters_have_no_fault(name: str) -> None:
    assert faults(name, GOOD[name]) == []


@pytest.mark.parametrize("name", NAMES)
def test_unknown_and_missing_parameters_are_named(name: str) -> None:
    assert any("parameters.bogus" in fault for fault in faults(name, {**GOOD[name], "bogus": 1}))
    required = parameters_schema(REGISTRY[name]).get("required", ())
    assert [fault.split(":")[0] for fault in faults(name, {})] == sorted(f"parameters.{key}" for key in required)


REF = {"secretKeyRef": {"name": "a", "key": "b"}}
BAD: list[tuple[str, dict[str, Any], str]] = [
    ("wait", {"seconds": 0}, "parameters.seconds: must be at least 1"),
    ("wait", {"seconds": 86_401}, "parameters.seconds: must be at most 86400"),
    ("wait", {"seconds": "60"}, "parameters.seconds: must be of type integer"),
    ("log-message", {"message": ""}, "parameters.message: must have at least 1"),
    ("log-message", {"message": "x" * 1025}, "parameters.message: must have at most 1024"),
    ("log-message", {"level": "Loud"}, "parameters.level: must be one of Debug, Info, Warning, Error"),
    ("scale-workload", {"kind": "DaemonSet"}, "parameters.kind: must be one of"),
    ("scale-workload", {"replicas": 5001}, "parameters.replicas: must be at most 5000"),
    ("scale-workload", {"replicas": -1}, "parameters.replicas: must be at least 0"),
    ("scale-workload", {"replicas": True}, "parameters.replicas: must be of type integer"),
    ("scale-workload", {"name": "../secrets/x"}, "parameters.name: must match"),
    ("scale-workload", {"name": "web\n"}, "parameters.name"),
    ("scale-workload", {"expected_replicas": 1}, "parameters.expected_replicas: is not a parameter"),
    (
        "scale-workload",
        {"onlyIfAtLeast": 5, "onlyIfAtMost": 4},
        "parameters.onlyIfAtLeast: must be at most",
    ),
    ("restart-rollout", {"kind": "ReplicaSet"}, "parameters.kind: must be one of"),
    ("rollback-rollout", {"toRevision": 0}, "parameters.toRevision: must be at least 1"),
    ("pause-rollout", {"kind": "StatefulSet"}, "parameters.kind: is not a parameter"),
    ("set-image", {"image": "-rm"}, "parameters.image: must match"),
    ("set-image", {"container": "a/b"}, "parameters.container: must match"),
    ("set-resources", {"requests": {"cpu": "-1"}}, "parameters.requests.cpu: must match"),
    ("set-resources", {"requests": {"cpu": "1 core"}}, "parameters.requests.cpu: must match"),
    ("set-resources", {"requests": ..., "limits": ...}, "parameters.requests: name at least one"),
    ("set-resources", {"requests": {"cpu": "501m"}}, "parameters.requests.cpu: must be at most the limit of 500m"),
    ("set-hpa-bounds", {"minReplicas": 4}, "parameters.minReplicas: must be at most maxReplicas, 3"),
    (
        "set-hpa-bounds",
        {"minReplicas": ..., "maxReplicas": ...},
        "parameters.minReplicas: give it",
    ),
    ("set-hpa-bounds", {"minReplicas": 0}, "parameters.minReplicas: must be at least 1"),
    ("cordon-node", {"node": "a/b"}, "parameters.node: must match"),
    ("delete-pod", {"gracePeriodSeconds": 0}, "parameters.gracePeriodSeconds: must be at least 1"),
    ("delete-pod", {"uid": "a b"}, "parameters.uid: must match"),
    ("delete-failed-pods", {"maxPods": 501}, "parameters.maxPods: must be at most 500"),
    ("drain-node", {"force": "yes"}, "parameters.force: must be of type boolean"),
    ("taint-node", {"key": "a b"}, "parameters.key: must match"),
    ("taint-node", {"key": "-a/b"}, "parameters.key: must match"),
    ("taint-node", {"value": "a:NoSchedule"}, "parameters.value: must match"),
    ("untaint-node", {"value": "a"}, "parameters.value: is not a parameter"),
    ("http-request", {"method": "TRACE"}, "parameters.method: must be one of"),
    ("http-request", {"url": "ftp://a/"}, "parameters.url: must match"),
    ("http-request", {"url": "https://a/ b"}, "parameters.url: must match"),
    ("http-request", {"url": "https:///path"}, "parameters.url: must name a host"),
    ("http-request", {"url": "https://a:99999/"}, "parameters.url: port must be a number from 1 to 65535"),
    ("http-request", {"url": "https://[::1/"}, "parameters.url"),
    ("http-request", {"url": "https://a/?api_key=1"}, "parameters.url: query parameter api_key looks like"),
    ("http-request", {"url": "https://a/#x"}, "parameters.url: must not have a fragment"),
    ("http-request", {"headers": {"Host": "b"}}, "parameters.headers: Host is set by the operator"),
    ("http-request", {"headers": {"transfer-encoding": "chunked"}}, "transfer-encoding is set by the operator"),
    ("http-request", {"headers": {"Idempotency-Key": "1"}}, "Idempotency-Key is set by the operator"),
    ("http-request", {"headers": {"X-HTTP-Method-Override": "DELETE"}}, "is set by the operator"),
    ("http-request", {"headers": {"A": "1", "a": "2"}}, "parameters.headers: the same header is given twice"),
    ("http-request", {"headers": {"A b": "1"}}, "is not a header name"),
    ("http-request", {"headers": {"A": "1\r\nB: 2"}}, "the value of A must be printable ASCII"),
    ("http-request", {"headers": {"Proxy-Connection": "x"}}, "Proxy-Connection is set by the operator"),
    ("http-request", {"headers": {"Authorization": "x"}}, "plain text; give it in secretHeaders"),
    ("http-request", {"secretHeaders": {"Host": REF}}, "parameters.secretHeaders: Host is set by the operator"),
    ("http-request", {"secretHeaders": {"Proxy-Authorization": REF}}, "Proxy-Authorization is set by the operator"),
    ("http-request", {"secretHeaders": {"A b": REF}}, "is not a header name"),
    ("http-request", {"secretHeaders": {"x-team": REF}}, "parameters.secretHeaders: x-team also stands in headers"),
    ("http-request", {"secretHeaders": {"authorization": REF}}, "bearerToken: secretHeaders has Authorization already"),
    ("http-request", {"secretBody": {"pods": REF}}, "parameters.secretBody: pods also stands in body"),
    ("http-request", {"secretBody": {"": REF}}, "the name of a field must have 1 to 256 characters"),
    ("http-request", {"method": "GET", "body": ...}, "parameters.secretBody: GET has none"),
    ("http-request", {"method": "GET"}, "parameters.body: GET has none"),
    ("run-job", {"env": {"API_KEY": "x"}}, "plain text; give it in secretEnv"),
    ("run-job", {"secretEnv": {"A B": REF}}, "'A B' is not a variable name"),
    ("run-job", {"secretEnv": {"MODE": REF}}, "parameters.secretEnv: MODE also stands in env"),
    ("run-job", {"imagePullSecrets": ["a/b"]}, "parameters.imagePullSecrets[0]: must match"),
    *(
        ("run-job", {"annotations": {f"{prefix}/x": "y"}}, f"{prefix}/x is reserved for Kubernetes")
        for prefix in (
            "container.apparmor.security.beta.kubernetes.io",
            "seccomp.security.alpha.kubernetes.io",
            "kubernetes.io",
            "k8s.io",
            "k8s.v1.cni.cncf.io",
            "pod-security.kubernetes.io",
        )
    ),
    ("http-request", {"expect": {"status": [503]}}, "parameters.expect.status[0]: must be at most 499"),
    ("http-request", {"expect": {"status": [408]}}, "parameters.expect.status: 408 proves nothing"),
    ("http-request", {"expect": {"body": 1}}, "parameters.expect.body: is not a parameter"),
    ("http-request", {"expect": {"status": [409]}, "notDoneOn": [409]}, "parameters.notDoneOn: 409 also stands"),
    ("http-request", {"notDoneOn": [200]}, "parameters.notDoneOn[0]: must be at least 400"),
    ("http-request", {"outputs": {"a-b": "x"}}, "parameters.outputs: 'a-b' must be letters"),
    ("http-request", {"outputs": {"a": "data.accessToken"}}, "parameters.outputs: a looks like a credential"),
    ("run-job", {"image": "-rm"}, "parameters.image: must match"),
    ("run-job", {"env": {"A B": "1"}}, "'A B' is not a variable name"),
    (
        "run-job",
        {"env": {"A": {"secretKeyRef": {"name": "x", "key": "y"}}}},
        "parameters.env.A: must be of type string",
    ),
    ("run-job", {"env": {"A": {"configMapKeyRef": {}}}}, "parameters.env.A"),
    ("run-job", {"env": {"A": 1}}, "parameters.env.A"),
    ("run-job", {"labels": {"actionoperator.dev/proposal": "x"}}, "actionoperator.dev/proposal is reserved for the op"),
    ("run-job", {"labels": {"batch.kubernetes.io/job-name": "x"}}, "is reserved for Kubernetes"),
    ("run-job", {"labels": {"pod-security.kubernetes.io/enforce": "x"}}, "is reserved for Kubernetes"),
    ("run-job", {"labels": {"x.app.kubernetes.io/a": "x"}}, "is reserved for Kubernetes"),
    ("run-job", {"labels": {"job-name": "x"}}, "job-name is reserved for Kubernetes"),
    (
        "run-job",
        {"annotations": {"container.apparmor.security.beta.kubernetes.io/main": "unconfined"}},
        "parameters.annotations: container.apparmor.security.beta.kubernetes.io/main is reserved for Kubernetes",
    ),
    ("run-job", {"annotations": {"kubernetes.io/a": "x"}}, "kubernetes.io/a is reserved for Kubernetes"),
    ("run-job", {"annotations": {"k8s.io/a": "x"}}, "k8s.io/a is reserved for Kubernetes"),
    ("run-job", {"annotations": {"x.k8s.io/a": "x"}}, "x.k8s.io/a is reserved for Kubernetes"),
    ("run-job", {"labels": {"a/b/c": "x"}}, "'a/b/c' is not a valid key"),
    ("run-job", {"labels": {"a": "not ok"}}, "parameters.labels.a: must match"),
    ("run-job", {"resources": {"limits": {"memory": "1 GB"}}}, "parameters.resources.limits.memory: must match"),
    ("run-job", {"runAsUser": 0}, "parameters.runAsUser: must not be 0 with runAsNonRoot"),
    ("run-job", {"backoffLimit": 3}, "parameters.backoffLimit: is not a parameter"),
    ("run-job", {"activeDeadlineSeconds": 0}, "parameters.activeDeadlineSeconds: must be at least 1"),
]


@pytest.mark.parametrize(("name", "changes", "words"), BAD, ids=lambda value: str(value)[:60])
def test_bad_parameters_are_named(name: str, changes: dict[str, Any], words: str) -> None:
    found = faults(name, changed(name, changes))
    assert len(found) == 1
    assert words in "\n".join(found)


SECRET = "hunter2-hunter2"


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        *(
            ("http-request", {"headers": {header: SECRET}})
            for header in ("Authorization", "Cookie", "X-Api-Key", "X-Auth-Token", "Client-Secret", "apikey")
        ),
        *(
            ("run-job", {"env": {variable: SECRET}})
            for variable in ("DB_PASSWORD", "apiKey", "API_KEY", "GITHUB_TOKEN", "AWS_SECRET_ACCESS_KEY")
        ),
        ("http-request", {"url": f"https://user:{SECRET}@example.com/"}),
        ("run-job", {"env": {"DATABASE_URL": f"postgres://app:{SECRET}@db/shop"}}),
        ("http-request", {"headers": {"Proxy-Authorization": SECRET}}),
        *(("http-request", {"secretHeaders": {header: SECRET}}) for header in ("Authorization", "X-Api-Key")),
    ],
)
def test_plain_credentials_are_refused_and_not_repeated(name: str, changes: dict[str, Any]) -> None:
    found = faults(name, changed(name, changes))
    assert found
    assert SECRET not in "\n".join(found)


PLACES: list[tuple[str, str, Any]] = [
    ("http-request", "secretHeaders", lambda value: {"X-Api-Key": value}),
    ("http-request", "bearerToken", lambda value: value),
    ("http-request", "secretBody", lambda value: {"key": value}),
    ("run-job", "secretEnv", lambda value: {"DB_PASSWORD": value}),
]
NO_REFERENCES: list[tuple[Any, str]] = [
    (SECRET, "got a text; a secret must not stand in plain text"),
    (4711471147114711, "got something else"),
    ([SECRET], "got something else"),
    (None, "got something else"),
    ({"value": SECRET}, "got an object of another form"),
    ({"secretKeyRef": SECRET}, "got an object of another form"),
    ({"secretKeyRef": {"name": "a"}}, "secretKeyRef.key is missing"),
    ({"secretKeyRef": {"key": "a"}}, "secretKeyRef.name is missing"),
    ({"secretKeyRef": {"name": "a", "key": "b", "optional": True}}, "it has other fields"),
    ({"secretKeyRef": {"name": "a", "key": "b", "namespace": "kube-system"}}, "no other namespace can be named"),
    ({"secretKeyRef": {"name": "a", "key": "b"}, "default": SECRET}, "got an object of another form"),
    ({"secretKeyRef": {"name": "kube-system/a", "key": "b"}}, "name must be the name of a Secret in this namespace"),
    ({"secretKeyRef": {"name": "../a", "key": "b"}}, "name must be the name"),
    ({"secretKeyRef": {"name": "a%2Fb", "key": "b"}}, "name must be the name"),
    ({"secretKeyRef": {"name": "a\n", "key": "b"}}, "name must be the name"),
    ({"secretKeyRef": {"name": "a", "key": "b/c"}}, "key must be a key in it"),
    ({"secretKeyRef": {"name": "a", "key": ".."}}, "key must be a key in it"),
    ({"secretKeyRef": {"name": ["a"], "key": "b"}}, "name must be the name"),
    ({"configMapKeyRef": {"name": "a", "key": "b"}}, "got an object of another form"),
]


@pytest.mark.parametrize(("name", "parameter", "place"), PLACES, ids=lambda value: str(value)[:20])
@pytest.mark.parametrize(("value", "words"), NO_REFERENCES, ids=lambda value: str(value)[:40])
def test_a_secret_is_given_by_reference_only(name: str, parameter: str, place: Any, value: Any, words: str) -> None:
    (found,) = faults(name, changed(name, {parameter: place(value)}))
    assert found.startswith(f"parameters.{parameter}")
    assert "takes only {secretKeyRef: {name: ..., key: ...}}, a Secret in this namespace" in found
    assert words in found
    assert "4711" not in found
    assert SECRET not in found


@pytest.mark.parametrize("value", [value for value, _ in NO_REFERENCES if value], ids=lambda value: str(value)[:40])
def test_a_type_with_a_looser_schema_gets_no_further(value: Any) -> None:
    """A cluster's own ActionType may leave the mark out; the executor still takes nothing else."""
    for name, parameter, place in PLACES:
        with pytest.raises(ParameterFaultsError, match=f"parameters.{parameter}") as caught:
            REGISTRY[name].parse(changed(name, {parameter: place(value)}))
        assert SECRET not in str(caught.value)


def properties(schema: Any) -> Iterator[str]:
    """All names of properties, at any depth."""
    for key, item in schema.items():
        if isinstance(item, dict):
            yield from item if key == "properties" else ()
            yield from properties(item)


@pytest.mark.parametrize("name", NAMES)
def test_no_parameter_names_a_namespace_an_account_or_a_part_of_the_node(name: str) -> None:
    found = {part.lower() for part in properties(parameters_schema(REGISTRY[name]))}
    for word in ("namespace", "serviceaccountname", "serviceaccount", "volumes", "volumemounts", "hostpath", "hostpid",
                 "hostipc", "hostnetwork", "hostports", "privileged", "capabilities", "securitycontext", "nodename",
                 "hostusers", "runtimeclassname", "ownerreferences", "finalizers"):  # fmt: skip
        assert word not in found


@pytest.mark.parametrize("name", ["KEYCLOAK_URL", "MONKEY_COUNT", "TOKENIZERS_PARALLELISM", "Content-Type", "KEYSPACE"])
def test_harmless_names_are_let_through(name: str) -> None:
    assert not looks_like_credential(name)


def test_all_faults_come_at_once() -> None:
    with pytest.raises(ParameterFaultsError) as caught:
        REGISTRY["scale-workload"].parse({"kind": "Pod", "replicas": -1, "bogus": 1})
    assert len(caught.value.faults) == 4
    assert str(caught.value).splitlines() == list(caught.value.faults)


@pytest.mark.parametrize(
    ("name", "parameters", "idempotent"),
    [
        *(("http-request", {"method": m}, m not in {"POST", "PATCH"}) for m in
          ("PUT", "DELETE", "POST", "PATCH")),
        *(("http-request", {"method": m, "body": ..., "secretBody": ...}, True) for m in ("GET", "HEAD")),
        ("run-job", {}, False),
        ("assert", {}, False),
        ("patch-resource", {}, True),
        ("patch-resource", {"type": "json", "patch": ..., "operations": [{"op": "remove", "path": "/spec/a"}]}, False),
        *((name, {"uid": uid}, uid is not ...) for name in ("delete-resource", "delete-job") for uid in (..., "a-1")),
        ("scale-workload", {}, True),
        *((name, {"uid": uid}, uid == "1-a") for name in ("delete-pod", "evict-pod") for uid in ("1-a", ...)),
        ("drain-node", {}, True),
    ],
)  # fmt: skip
def test_what_may_be_repeated(name: str, parameters: dict[str, Any], idempotent: bool) -> None:
    assert REGISTRY.traits(type_entry(name), changed(name, parameters)).idempotent is idempotent


def test_the_registry_names_the_types_of_the_documentation() -> None:
    assert NAMES == [
        "wait", "log-message", "assert", "ask", "scale-workload", "restart-rollout", "rollback-rollout",
        "pause-rollout", "resume-rollout", "set-image", "set-resources", "set-hpa-bounds", "suspend-cronjob",
        "resume-cronjob", "trigger-cronjob", "delete-pod", "evict-pod", "delete-failed-pods", "cordon-node",
        "uncordon-node", "drain-node", "taint-node", "untaint-node", "label-resource", "annotate-resource",
        "patch-resource", "apply-manifest", "delete-resource", "run-job", "delete-job", "http-request",
        "flux-reconcile", "flux-suspend", "flux-resume", "argocd-sync",
    ]  # fmt: skip
    assert all(REGISTRY.fault(type_entry(name)) is None for name in NAMES)
    unknown = {"builtIn": {"name": "nope", "version": 1}}
    assert "has no executor nope" in (REGISTRY.fault(type_entry("wait", executor=unknown)) or "")
    assert {action.name for action in REGISTRY if not action.needs_runner} == {
        "wait", "log-message", "assert", "ask", "http-request",
    }  # fmt: skip


@pytest.mark.parametrize("parameter", ["secretHeaders", "bearerToken", "secretBody"])
def test_secrets_are_read_as_the_runner(parameter: str) -> None:
    plain = {"secretHeaders": ..., "bearerToken": ..., "secretBody": ...}
    assert not REGISTRY.traits(type_entry("http-request"), changed("http-request", plain)).needs_runner
    del plain[parameter]
    assert REGISTRY.traits(type_entry("http-request"), changed("http-request", plain)).needs_runner


@pytest.mark.parametrize("manifest", catalogue(REGISTRY), ids=NAMES)
def test_the_catalogue_holds_action_types_that_this_operator_takes(manifest: dict[str, Any]) -> None:
    parsed = ActionType.model_validate(manifest)
    assert list(unknown_fields(parsed.spec, "spec")) == []
    schema = parsed.spec.parameters
    assert schema_fault(schema) is None
    assert all(field.get("description") for field in schema["properties"].values())


@pytest.mark.parametrize("name", NAMES)
def test_targets_are_fixed(name: str) -> None:
    action = REGISTRY[name]
    properties = parameters_schema(action)["properties"]
    assert action.fixed - FIXED <= properties.keys()
    marked = {key for key, field in properties.items() if field.get("fixed")}
    assert marked == action.fixed & properties.keys()
