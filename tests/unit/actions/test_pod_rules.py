"""What a change newly gives the pods of an object, by tables of small changes."""

from typing import Any

import pytest

from controller.actions.pod_rules import Gain, gains, has_pods

RUNNER = "ops"
POD: dict[str, Any] = {
    "serviceAccountName": "web",
    "containers": [
        {
            "name": "main",
            "image": "busybox",
            "env": [{"name": "HOST", "valueFrom": {"secretKeyRef": {"name": "db", "key": "host"}}}],
        }
    ],
    "imagePullSecrets": [{"name": "registry"}],
}


def deployment(pod: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"name": "web"}, "spec": {"template": {"metadata": {"name": "web"}, "spec": pod}}}


def with_main(**fields: Any) -> dict[str, Any]:
    (main,) = POD["containers"]
    return {"containers": [{**main, **fields}]}


def env(name: str, key: str) -> dict[str, Any]:
    return {"name": "VALUE", "valueFrom": {"secretKeyRef": {"name": name, "key": key}}}


AT = "spec.template.spec"
REFUSED = [
    ({"serviceAccountName": "admin"}, "serviceAccountName", "ServiceAccount admin"),
    ({"serviceAccountName": None}, "serviceAccountName", "ServiceAccount default"),
    ({"serviceAccountName": None, "serviceAccount": "admin"}, "serviceAccount", "ServiceAccount admin"),
    ({"serviceAccountName": RUNNER}, "automountServiceAccountToken", "the token of ServiceAccount ops"),
    ({"automountServiceAccountToken": True}, "automountServiceAccountToken", "the token of ServiceAccount web"),
    ({"hostNetwork": True}, "hostNetwork", "the network of its node"),
    ({"hostPID": True}, "hostPID", "the processes of its node"),
    ({"hostIPC": True}, "hostIPC", "the shared memory of its node"),
    ({"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}, "volumes[0].hostPath", "/ of its node"),
    (
        {"volumes": [{"name": "v", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}]},
        "volumes[0].projected.sources[0].serviceAccountToken",
        "a token of ServiceAccount web",
    ),
    (
        {"volumes": [{"name": "v", "projected": {"sources": [{"podCertificate": {"signerName": "a/b"}}]}}]},
        "volumes[0].projected.sources[0].podCertificate",
        "a certificate of its own",
    ),
    (
        {"securityContext": {"windowsOptions": {"hostProcess": True}}},
        "securityContext.windowsOptions.hostProcess",
        "all of its node",
    ),
    (
        {"volumes": [{"name": "v", "flexVolume": {"secretRef": {"name": "x", "namespace": "kube-system"}}}]},
        "volumes[0].flexVolume.secretRef",
        "Secret kube-system/x",
    ),
    (
        with_main(securityContext={"privileged": True}),
        "containers[0].securityContext.privileged",
        "all of its node",
    ),
    (
        with_main(securityContext={"procMount": "Unmasked"}),
        "containers[0].securityContext.procMount",
        "/proc without its masks",
    ),
    (
        with_main(securityContext={"capabilities": {"add": ["CAP_SYS_ADMIN"]}}),
        "containers[0].securityContext.capabilities.add[0]",
        "capability SYS_ADMIN",
    ),
    (with_main(ports=[{"hostPort": 80}]), "containers[0].ports[0].hostPort", "port 80 of its node"),
]


@pytest.mark.parametrize(("change", "path", "what"), REFUSED)
def test_what_no_pod_gets(change: dict[str, Any], path: str, what: str) -> None:
    found = gains(deployment(POD), deployment({**POD, **change}), RUNNER)
    (told,) = [one for one in found if one.path == f"{AT}.{path}"]
    assert told.what.startswith(what)
    assert not told.secret


SECRETS = [
    (with_main(env=[env("db", "password")]), "containers[0].env[0].valueFrom.secretKeyRef", "db"),
    (with_main(env=[env("registry", "a")]), "containers[0].env[0].valueFrom.secretKeyRef", "registry"),
    (with_main(envFrom=[{"secretRef": {"name": "db"}}]), "containers[0].envFrom[0].secretRef", "db"),
    ({"initContainers": [{"env": [env("x", "a")]}]}, "initContainers[0].env[0].valueFrom.secretKeyRef", "x"),
    (
        {"ephemeralContainers": [{"envFrom": [{"secretRef": {"name": "x"}}]}]},
        "ephemeralContainers[0].envFrom[0].secretRef",
        "x",
    ),
    ({"volumes": [{"secret": {"secretName": "db"}}]}, "volumes[0].secret", "db"),
    ({"volumes": [{"secret": {"secretName": "db", "items": [{"key": "p"}]}}]}, "volumes[0].secret", "db"),
    (
        {"volumes": [{"projected": {"sources": [{"secret": {"name": "x"}}]}}]},
        "volumes[0].projected.sources[0].secret",
        "x",
    ),
    (
        {"volumes": [{"csi": {"nodePublishSecretRef": {"name": "x"}}}]},
        "volumes[0].csi.nodePublishSecretRef",
        "x",
    ),
    ({"volumes": [{"cephfs": {"secretRef": {"name": "x"}}}]}, "volumes[0].cephfs.secretRef", "x"),
    ({"volumes": [{"azureFile": {"secretName": "x"}}]}, "volumes[0].azureFile.secretName", "x"),
    ({"imagePullSecrets": [{"name": "other"}]}, "imagePullSecrets[0]", "other"),
]


@pytest.mark.parametrize(("change", "path", "name"), SECRETS)
def test_what_must_be_lent(change: dict[str, Any], path: str, name: str) -> None:
    (told,) = gains(deployment(POD), deployment({**POD, **change}), RUNNER)
    assert (told.path, told.secret) == (f"{AT}.{path}", name)


FREE = [
    {"terminationGracePeriodSeconds": 5},
    with_main(image="busybox:2"),
    with_main(env=[env("db", "host"), {"name": "PLAIN", "value": "x"}], name="other"),
    {"initContainers": [{"name": "copy", "env": [env("db", "host")]}]},
    {"serviceAccountName": RUNNER, "automountServiceAccountToken": False},
    {"automountServiceAccountToken": False},
    {"hostUsers": False, "hostNetwork": False},
    {"volumes": [{"name": "v", "emptyDir": {}}, {"name": "c", "configMap": {"name": "flags"}}]},
    with_main(securityContext={"privileged": False, "procMount": "Default", "capabilities": {"drop": ["ALL"]}}),
]


@pytest.mark.parametrize("change", FREE)
def test_what_is_nobodys_secret_or_was_there(change: dict[str, Any]) -> None:
    assert gains(deployment(POD), deployment({**POD, **change}), RUNNER) == ()


FULL: dict[str, Any] = {
    **POD,
    "hostNetwork": True,
    "automountServiceAccountToken": True,
    "volumes": [{"name": "v", "hostPath": {"path": "/var/log"}}, {"name": "s", "secret": {"secretName": "db"}}],
    "containers": [{"name": "main", "securityContext": {"privileged": True, "capabilities": {"add": ["ALL"]}}}],
}


def test_what_stays_is_no_matter_wherever_it_moves() -> None:
    moved = {
        **FULL,
        "automountServiceAccountToken": None,
        "volumes": list(reversed(FULL["volumes"])),
        "initContainers": FULL["containers"],
        "containers": [
            {
                "name": "main",
                "env": [env("db", "password")],
                "ports": [{"hostPort": 80}],
                "securityContext": {"capabilities": {"add": ["NET_RAW"]}},
            }
        ],
    }
    assert gains(deployment(FULL), deployment(moved), RUNNER) == ()


def test_users_of_the_node_come_back_where_they_were_shut_out() -> None:
    shut = deployment({**POD, "hostUsers": False})
    assert [one.path for one in gains(shut, deployment(POD), RUNNER)] == [f"{AT}.hostUsers"]


def test_a_token_comes_back_where_it_was_shut_out() -> None:
    shut = deployment({**POD, "automountServiceAccountToken": False})
    assert [one.path for one in gains(shut, deployment(POD), RUNNER)] == [f"{AT}.automountServiceAccountToken"]


def test_of_a_new_object_all_is_new() -> None:
    found = gains({}, deployment(POD), RUNNER)
    assert {one.path.removeprefix(f"{AT}.") for one in found} == {
        "serviceAccountName",
        "automountServiceAccountToken",
        "containers[0].env[0].valueFrom.secretKeyRef",
        "imagePullSecrets[0]",
    }
    modest = {"serviceAccountName": RUNNER, "automountServiceAccountToken": False, "containers": []}
    assert gains({}, deployment(modest), RUNNER) == ()


@pytest.mark.parametrize(
    ("wrap", "path"),
    [
        (lambda pod: {"spec": pod}, "spec"),
        (
            lambda pod: {"spec": {"jobTemplate": {"spec": {"template": {"spec": pod}}}}},
            "spec.jobTemplate.spec.template.spec",
        ),
        (lambda pod: {"spec": {"sets": [{"pod": pod}]}}, "spec.sets[0].pod"),
        (lambda pod: {"template": pod}, "template"),
    ],
)
def test_pods_are_found_wherever_they_stand(wrap: Any, path: str) -> None:
    before, after = wrap(POD), wrap({**POD, "hostPID": True})
    assert has_pods(before)
    assert gains(before, after, RUNNER) == (Gain(f"{path}.hostPID", "the processes of its node"),)


def test_what_has_no_pods_has_none_to_give_to() -> None:
    ingress = {"spec": {"tls": [{"secretName": "x"}], "hostNetwork": True}}
    assert not has_pods(ingress)
    assert gains({}, ingress, RUNNER) == ()
