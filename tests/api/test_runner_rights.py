"""What a runner lacks, on a real API server: who refuses it is told apart, and the commands in the message grant it."""

import asyncio
import os
import re
import subprocess
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from acting import REGISTRY, new

from controller.core.errors import NotFound, PermanentFailure, RightMissing
from controller.core.ports import Cluster, Journal, Json, Request, Resource
from controller.kube.api import Api
from controller.kube.discovery import Discovery
from controller.kube.login import Login
from controller.kube.runner import RunnerCluster
from controller.kube.session import Session
from localcluster.controlplane import ControlPlane

T = TypeVar("T")
ROOT = Path(__file__).parents[2]
DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment")
NODES = Resource("", "v1", "nodes", "Node", namespaced=False)
SECRETS = Resource("", "v1", "secrets", "Secret")
CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap")
SCALE = {"kind": "Deployment", "name": "web", "replicas": 3}
COMMANDS = re.compile(r"to (?:grant|allow) it: (kubectl create .+)")


class Place:
    """A namespace with a workload and a runner without rights, seen by an administrator and by the operator."""

    def __init__(self, cluster: ControlPlane, namespace: str, operator: Path, runner: str = "ops") -> None:
        self.cluster, self.namespace, self.operator, self.runner = cluster, namespace, operator, runner
        self.kubectl("create", "serviceaccount", runner)
        self.kubectl("create", "deployment", "web", "--image=busybox", "--replicas=2")

    def kubectl(self, *arguments: str) -> str:
        return self.shell(f"kubectl -n {self.namespace} " + subprocess.list2cmdline(arguments))

    def shell(self, command: str) -> str:
        """A command line as an administrator pastes it."""
        path = f"{self.cluster.kubectl.parent}:{os.environ['PATH']}"
        environment = os.environ | {"PATH": path, "KUBECONFIG": str(self.cluster.kubeconfig)}
        done = subprocess.run(["bash", "-c", command], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout

    def act(self, call: Callable[[Cluster], Awaitable[T]]) -> T:
        """As the operator acts for the runner."""

        async def acting() -> T:
            async with Session(Login(str(self.operator))) as session:
                return await call(
                    RunnerCluster(
                        Api(session),
                        Discovery(Api(session)),
                        namespace=self.namespace,
                        runner=self.runner,
                        journal=Journal(),
                    )
                )

        return asyncio.run(acting())

    def granted(self, call: Callable[[Cluster], Awaitable[T]]) -> tuple[T, list[str]]:
        """Repeat it, each time granting what the message says is missing; what it gave, and the messages."""
        messages: list[str] = []
        for _ in range(10):
            try:
                return self.act(call), messages
            except RightMissing as error:
                messages.append(str(error))
            assert len(set(messages)) == len(messages), "granted, and still missing"
            found = COMMANDS.search(messages[-1])
            assert found, messages
            self.shell(found[1])
            self.until(lambda: self._differs(call, messages[-1]))
        raise AssertionError(messages)

    def may(self, call: Callable[[Cluster], Awaitable[Any]]) -> bool:
        try:
            self.act(call)
        except RightMissing:
            return False
        return True

    def _differs(self, call: Callable[[Cluster], Awaitable[Any]], message: str) -> bool:
        try:
            self.act(call)
        except RightMissing as error:
            return str(error) != message
        return True

    def until(self, so: Callable[[], bool], seconds: float = 15.0) -> None:
        """RBAC and admission follow a change within a second or two."""
        deadline = time.monotonic() + seconds
        while not so():
            assert time.monotonic() < deadline
            time.sleep(0.1)


@pytest.fixture
def place(cluster: ControlPlane, namespace: str, tmp_path: Path) -> Place:
    subprocess.run(
        [cluster.kubectl, "--kubeconfig", cluster.kubeconfig, "-n", namespace, "create", "serviceaccount", "operator"],
        check=True, capture_output=True,
    )  # fmt: skip
    operator = cluster.service_account_kubeconfig(namespace, "operator", tmp_path / "operator")
    return Place(cluster, namespace, operator)


def request(place: Place, action: str, parameters: Json, cluster: Cluster) -> Request[Any]:
    http: Any = None
    return Request(REGISTRY[action].parse(parameters), place.namespace, "try", "1", place.runner, cluster, http)


def scaled(place: Place) -> Callable[[Cluster], Awaitable[Any]]:
    async def scale(cluster: Cluster) -> Any:
        asked = request(place, "scale-workload", SCALE, cluster)
        await REGISTRY["scale-workload"].preview(asked)
        return await REGISTRY["scale-workload"].run(asked, new())

    return scale


def test_the_printed_commands_grant_all_that_an_action_needs(place: Place) -> None:
    done, messages = place.granted(scaled(place))
    assert done.outputs == {"replicas": 3}
    assert [message.split(";")[0] for message in messages] == [
        f"the operator may not act as ServiceAccount {place.namespace}/ops",
        f"ServiceAccount {place.namespace}/ops may not get deployments web in namespace {place.namespace}",
        f"ServiceAccount {place.namespace}/ops may not patch deployments/scale web in namespace {place.namespace}",
    ]
    assert all(len(message) < 1000 for message in messages)
    assert place.kubectl("get", "deployment", "web", "-o", "jsonpath={.spec.replicas}") == "3"


def test_what_is_granted_is_no_more_than_what_was_asked(place: Place) -> None:
    place.granted(lambda cluster: cluster.get(DEPLOYMENTS, "web"))
    as_runner = f"--as=system:serviceaccount:{place.namespace}:ops"
    told = {
        what: place.shell(f"kubectl -n {place.namespace} auth can-i {what} {as_runner} || true").strip()
        for what in ("get deployments/web", "get deployments/other", "list deployments", "delete deployments/web",
                     "get secrets")
    }  # fmt: skip
    assert told == {
        "get deployments/web": "yes", "get deployments/other": "no", "list deployments": "no",
        "delete deployments/web": "no", "get secrets": "no",
    }  # fmt: skip
    place.kubectl("create", "serviceaccount", "another")
    place.runner = "another"
    with pytest.raises(RightMissing, match=r"the operator may not act as ServiceAccount .*/another"):
        place.act(lambda cluster: cluster.get(DEPLOYMENTS, "web"))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda cluster: cluster.list(DEPLOYMENTS), "may not list deployments in namespace"),
        (lambda cluster: cluster.create(DEPLOYMENTS, {"metadata": {"name": "x"}}, dry_run=True), "may not create"),
        (lambda cluster: cluster.get(SECRETS, "hooks"), "may not get secrets hooks in namespace"),
        (lambda cluster: cluster.delete(DEPLOYMENTS, "nope", uid="u"), "may not delete deployments nope"),
        (lambda cluster: cluster.patch(DEPLOYMENTS, "nope", {}, subresource="status", dry_run=True),
         "may not patch deployments/status nope"),
        (lambda cluster: cluster.get(NODES, "no-such-node"),
         "may not get nodes no-such-node; to grant it: kubectl create clusterrole "),
    ],
)  # fmt: skip
def test_each_kind_of_right_can_be_granted_by_its_commands(place: Place, call: Any, words: str) -> None:
    async def tried(cluster: Cluster) -> None:
        try:
            await call(cluster)
        except RightMissing:
            raise
        except (NotFound, PermanentFailure):
            return  # allowed, and refused for something else

    names = "clusterrole,clusterrolebinding"
    before = set(place.shell(f"kubectl get {names} -o name").split())
    try:
        _, messages = place.granted(tried)
    finally:
        made = sorted(set(place.shell(f"kubectl get {names} -o name").split()) - before)
        if mine := [name for name in made if "/ops-" in name]:
            place.shell(f"kubectl delete {' '.join(mine)}")
    assert len(messages) == 2
    assert words in messages[1]


def test_a_refusal_by_admission_offers_no_role(place: Place) -> None:
    place.granted(scaled(place))
    name = f"no-scaling-{place.namespace}"
    policy = {
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": {
            "matchConstraints": {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": place.namespace}},
                "resourceRules": [{"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["UPDATE"],
                                   "resources": ["deployments/scale"]}],
            },
            "validations": [{"expression": "false", "reason": "Forbidden",
                             "message": 'User "x" cannot patch resource "deployments": the shop is open'}],
        },
    }  # fmt: skip
    binding = {
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name}, "spec": {"policyName": name, "validationActions": ["Deny"]},
    }  # fmt: skip
    api = place.cluster.api()
    root = "/apis/admissionregistration.k8s.io/v1"
    api.post(f"{root}/validatingadmissionpolicies", policy)
    api.post(f"{root}/validatingadmissionpolicybindings", binding)
    patch = {"spec": {"replicas": 1}}
    refused: list[PermanentFailure] = []

    def is_refused() -> bool:
        try:
            place.act(lambda cluster: cluster.patch(DEPLOYMENTS, "web", patch, subresource="scale", dry_run=True))
        except PermanentFailure as error:
            refused.append(error)
        return bool(refused)

    try:
        place.until(is_refused)
    finally:
        api.delete(f"{root}/validatingadmissionpolicybindings/{name}")
        api.delete(f"{root}/validatingadmissionpolicies/{name}")
    assert not isinstance(refused[0], RightMissing)
    assert "the shop is open" in str(refused[0])
    assert "not for lack of a Role" in str(refused[0])
    assert "kubectl create" not in str(refused[0])


@pytest.fixture
def bounded(cluster: ControlPlane, namespace: str, operator_kubeconfig: Path) -> Place:
    """A runner that may do much, lent to the operator as it is shipped, for scaling alone."""
    place = Place(cluster, namespace, operator_kubeconfig, "action-runner")
    resources = "deployments.apps,deployments.apps/scale,configmaps,horizontalpodautoscalers.autoscaling"
    place.kubectl("create", "role", "much", "--verb=get,list,create,patch,delete", f"--resource={resources}")
    place.kubectl("create", "rolebinding", "much", "--role=much", f"--serviceaccount={namespace}:action-runner")
    place.kubectl("apply", "-f", str(ROOT / "config" / "rbac" / "runner-impersonation-constrained.yaml"))
    place.until(lambda: place.may(lambda cluster: cluster.get(DEPLOYMENTS, "web")))
    return place


def test_an_action_works_within_constrained_impersonation(bounded: Place) -> None:
    done, messages = bounded.granted(scaled(bounded))
    assert messages == []
    assert done.outputs == {"replicas": 3}


@pytest.mark.parametrize(
    ("call", "what"),
    [
        (lambda cluster: cluster.delete(DEPLOYMENTS, "web", uid="u", dry_run=True), "delete deployments web"),
        (lambda cluster: cluster.patch(DEPLOYMENTS, "web", {}, dry_run=True), "patch deployments web"),
        (lambda cluster: cluster.list(CONFIG_MAPS), "list configmaps"),
        (lambda cluster: cluster.create(CONFIG_MAPS, {"metadata": {"name": "x"}}), "create configmaps"),
    ],
)
def test_beyond_its_bounds_it_is_refused_whatever_the_runner_may(bounded: Place, call: Any, what: str) -> None:
    with pytest.raises(RightMissing) as refused:
        bounded.act(call)
    account = f"ServiceAccount {bounded.namespace}/action-runner"
    assert str(refused.value).startswith(
        f"the operator may act as {account}, but not to {what} in namespace {bounded.namespace}; to allow it: kubectl "
    )
    found = COMMANDS.search(str(refused.value))
    assert found
    assert f"--verb=impersonate-on:serviceaccount:{what.split()[0]}" in found[1]
    assert "--serviceaccount=action-operator:action-operator" in found[1]


def test_the_bounds_can_be_widened_by_the_printed_commands(bounded: Place) -> None:
    _, messages = bounded.granted(lambda cluster: cluster.list(CONFIG_MAPS))
    assert len(messages) == 1


def test_within_its_bounds_the_runner_needs_its_own_rights_too(bounded: Place) -> None:
    bounded.kubectl("delete", "rolebinding", "much")
    refused: list[str] = []

    def is_refused() -> bool:
        try:
            bounded.act(lambda cluster: cluster.get(DEPLOYMENTS, "web"))
        except RightMissing as error:
            refused.append(str(error))
        return bool(refused)

    bounded.until(is_refused)
    assert refused[0].startswith(f"ServiceAccount {bounded.namespace}/action-runner may not get deployments web")
