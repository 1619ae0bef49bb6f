"""Commands that grant what is missing: one line, for exactly this, whatever stands in the names."""

import shlex

import pytest

from controller.core.ports import Resource
from controller.kube.answers import Asked
from controller.kube.grants import to_account, to_impersonate

DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment")
SECRETS = Resource("", "v1", "secrets", "Secret")
NODES = Resource("", "v1", "nodes", "Node", namespaced=False)


@pytest.mark.parametrize(
    ("asked", "role", "binding"),
    [
        pytest.param(
            Asked("create", Resource("batch", "v1", "jobs", "Job"), "shop"),
            "kubectl create role ops-create-jobs --namespace=shop --verb=create --resource=jobs.batch",
            "kubectl create rolebinding ops-create-jobs --namespace=shop --role=ops-create-jobs "
            "--serviceaccount=shop:ops",
            id="what has no name yet",
        ),
        pytest.param(
            Asked("list", NODES, None),
            "kubectl create clusterrole ops-list-nodes --verb=list --resource=nodes",
            "kubectl create clusterrolebinding ops-list-nodes --clusterrole=ops-list-nodes --serviceaccount=shop:ops",
            id="the whole cluster",
        ),
    ],
)
def test_the_commands(asked: Asked, role: str, binding: str) -> None:
    assert to_account(asked, "shop", "ops") == f"{role} && {binding}"


def options(commands: str) -> list[dict[str, str]]:
    """Of both commands, as a shell reads them."""
    words = shlex.split(commands)
    at = words.index("&&")
    found = []
    for part in (words[:at], words[at + 1 :]):
        assert part[:2] == ["kubectl", "create"]
        found.append({"kind": part[2], "name": part[3]} | dict(word.split("=", 1) for word in part[4:]))
    return found


def test_a_right_is_for_the_object_alone_and_each_has_a_role_of_its_own() -> None:
    names = set()
    for asked in (
        Asked("patch", DEPLOYMENTS, "shop", "web", "scale"),
        Asked("patch", DEPLOYMENTS, "shop", "api", "scale"),
        Asked("patch", DEPLOYMENTS, "shop", "web"),
        Asked("get", DEPLOYMENTS, "shop", "web"),
        Asked("get", SECRETS, "shop", "hooks"),
    ):
        role, binding = options(to_account(asked, "shop", "ops"))
        group = f".{asked.resource.group}" if asked.resource.group else ""
        scale = "/scale" if asked.subresource else ""
        assert role["--resource"] == f"{asked.resource.plural}{group}{scale}"
        assert role["--resource-name"] == asked.name
        assert role["name"] == binding["name"] == binding["--role"]
        names.add(role["name"])
    assert len(names) == 5


def test_they_fit_into_a_message_of_a_status() -> None:
    asked = Asked("patch", Resource("x" * 63, "v1", "y" * 63, "Y"), "n" * 63, "z" * 63, "status")
    assert len(to_account(asked, "n" * 63, "a" * 63)) < 900
    assert len(to_impersonate("system:serviceaccount:" + "n" * 63 + ":" + "o" * 63, "n" * 63, "a" * 63)) < 900


@pytest.mark.parametrize(
    ("user", "subject"),
    [
        ("system:serviceaccount:action-operator:action-operator", "--serviceaccount=action-operator:action-operator"),
        ("admin", "--user=admin"),
        ("it's me; rm -rf /", "--user=it's me; rm -rf /"),
    ],
)
def test_who_may_not_act_as_the_runner_is_the_one_who_tried(user: str, subject: str) -> None:
    role, binding = options(to_impersonate(user, "shop", "ops"))
    assert (role["--verb"], role["--resource"], role["--resource-name"]) == ("impersonate", "serviceaccounts", "ops")
    key, _, value = subject.partition("=")
    assert binding[key] == value


@pytest.mark.parametrize("name", ["a b", "a;b", "$(reboot)", "a'b", "`id`", "a\nb", "--all"])
def test_names_are_quoted_for_the_shell(name: str) -> None:
    role, _ = options(to_account(Asked("get", SECRETS, "shop", name), "shop", "ops"))
    assert role["--resource-name"] == name
