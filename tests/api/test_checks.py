"""Checks on the real API server: what is read as the runner, and what its answers are taken for."""

from typing import Any, cast

import pytest
from acting import Stage

from controller.api.common import Check
from controller.core.checks import Answer, Result, named
from controller.core.errors import RightMissing
from controller.core.ports import Cluster, Http, Request
from controller.runtime.checks import ahead, look
from localcluster.controlplane import ControlPlane

GET_ONE = {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["settings"], "verbs": ["get"]}
GET_ALL = {"apiGroups": ["", "example.org"], "resources": ["configmaps", "things", "namespaces"], "verbs": ["get"]}


def request(cluster: Cluster, namespace: str) -> Request[Any]:
    return Request(None, namespace, "a", "1", "runner", cluster, cast("Http", None))  # type: ignore[type-var]


def looked(stage: Stage, expression: str, **resource: str) -> Answer:
    ref = {"apiVersion": "v1", "kind": "ConfigMap", "name": "settings"} | resource
    check = named("preconditions", [Check.model_validate({"resource": ref, "expression": expression})])
    (answer,) = stage.act(lambda cluster: look(check, request(cluster, stage.namespace)))
    return answer


@pytest.fixture
def settings(cluster: ControlPlane, namespace: str) -> Stage:
    stage = Stage(cluster, namespace)
    stage.admin("POST", "v1:configmaps", {"metadata": {"name": "settings"}, "data": {"open": "yes"}})
    return stage


@pytest.mark.parametrize(
    ("expression", "resource", "result"),
    [
        pytest.param("object.data.open == 'yes'", {}, Result.TRUE, id="true"),
        pytest.param("object.data.open == 'no'", {}, Result.FALSE, id="false"),
        pytest.param("object.data.shut == 'no'", {}, Result.UNTOLD, id="no such key"),
        pytest.param("true", {"name": "none"}, Result.UNTOLD, id="no such object"),
        pytest.param("true", {"kind": "ConfigMapp"}, Result.UNTOLD, id="no such kind"),
        pytest.param("true", {"apiVersion": "example.org/v1", "kind": "Thing"}, Result.UNTOLD, id="no such group"),
        pytest.param("object.status.phase == 'Active'", {"kind": "Namespace", "name": "kube-system"}, Result.TRUE,
                     id="of no namespace"),
        pytest.param("has(object.metadata.managedFields)", {}, Result.FALSE, id="without what nobody compares"),
    ],
)  # fmt: skip
def test_what_an_object_is_taken_for(settings: Stage, expression: str, resource: Any, result: Result) -> None:
    settings.allow(GET_ALL, cluster_wide=True)
    assert looked(settings, expression, **resource).result is result


def test_the_right_to_get_that_one_object_is_enough_and_needed(settings: Stage) -> None:
    settings.allow(GET_ONE)
    assert looked(settings, "object.data.open == 'yes'").result is Result.TRUE
    with pytest.raises(RightMissing) as refused:
        looked(settings, "true", name="other")
    assert str(refused.value).startswith("preconditions[0]: ServiceAccount ")
    assert "may not get configmaps other" in str(refused.value)
    assert "kubectl create role" in str(refused.value)


def test_a_preview_warns_of_preconditions_and_tries_the_rights_of_both(settings: Stage) -> None:
    settings.allow(GET_ONE)

    def check(expression: str, name: str = "settings") -> Check:
        ref = {"apiVersion": "v1", "kind": "ConfigMap", "name": name}
        return Check.model_validate({"resource": ref, "expression": expression})

    no, yes = check("object.data.open == 'no'"), check("object.data.open == 'yes'")
    told = settings.act(lambda cluster: ahead([yes, no], [no], request(cluster, settings.namespace)))
    assert told == ("now, preconditions[1] is not true of ConfigMap settings: object.data.open == 'no'",)
    with pytest.raises(RightMissing, match=r"verify\[0\]: .* may not get configmaps other"):
        settings.act(lambda cluster: ahead([yes], [check("true", "other")], request(cluster, settings.namespace)))
