"""Action types at work on a real API server, as a runner that may do no more than its documented rights."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar, cast
from uuid import uuid4

from controller.actions.base import Action
from controller.actions.races import racing
from controller.actions.registry import built_ins
from controller.core.operation import new_operation, operation_time
from controller.core.ports import Cluster, Http, Journal, Json, Operation, Request, Resource, Verified
from controller.kube.api import Api
from controller.kube.discovery import Discovery
from controller.kube.login import Login
from controller.kube.runner import RunnerCluster
from controller.kube.session import Session
from controller.runtime.previews import PREVIEW_ATTEMPTS
from localcluster.controlplane import ControlPlane

T = TypeVar("T")
RUNNER = "runner"
REGISTRY = built_ins(lambda: datetime.now(UTC))
WAIT_SECONDS = 60.0


def new(moment: datetime | None = None) -> Operation:
    """A fresh operation, as a claim makes it."""
    identifier = new_operation(moment or datetime.now(UTC), uuid4())
    began = operation_time(identifier)
    return Operation(identifier, began, began + timedelta(minutes=5))


@dataclass(frozen=True)
class Heard:
    """A cluster that remembers what it was asked."""

    cluster: Cluster
    calls: list[str]

    async def resolve(self, api_version: str, kind: str) -> Resource:
        return await self.cluster.resolve(api_version, kind)

    async def get(self, resource: Resource, name: str, **how: Any) -> Json:
        self.calls.append(f"get {resource.plural}")
        return await self.cluster.get(resource, name, **how)

    async def list(self, resource: Resource, **how: Any) -> tuple[Json, ...]:
        self.calls.append(f"list {resource.plural}")
        return await self.cluster.list(resource, **how)

    async def create(self, resource: Resource, body: Json, **how: Any) -> Json:
        self.calls.append(f"{_dry(how)}create {resource.plural}")
        return await self.cluster.create(resource, body, **how)

    async def patch(self, resource: Resource, name: str, body: Json | Sequence[Json], **how: Any) -> Json:
        self.calls.append(f"{_dry(how)}patch {resource.plural}")
        return await self.cluster.patch(resource, name, body, **how)

    async def delete(self, resource: Resource, name: str, *, uid: str, **how: Any) -> None:
        self.calls.append(f"{_dry(how)}delete {resource.plural}")
        await self.cluster.delete(resource, name, uid=uid, **how)


def _dry(how: dict[str, Any]) -> str:
    return "dry " if how.get("dry_run") else ""


@dataclass(frozen=True)
class Stage:
    """A namespace with a runner, seen by an administrator."""

    plane: ControlPlane
    namespace: str
    calls: list[str] = field(default_factory=list)
    """What the runner asked the API server, in order: `dry patch deployments`."""

    def admin(self, method: str, path: str, body: Json | None = None) -> Json:
        """A request as administrator; `path` below the namespace's, or absolute."""
        if not path.startswith("/"):
            group, _, rest = path.partition(":")
            root = f"/apis/{group}" if "/" in group else f"/api/{group}"
            path = f"{root}/namespaces/{self.namespace}/{rest}"
        return cast("Json", self.plane.api().request(method, path, body))

    def allow(self, *rules: Json, cluster_wide: bool = False) -> None:
        """Make the runner and give it these rights."""
        self.admin("POST", "v1:serviceaccounts", {"metadata": {"name": RUNNER}})
        role = "ClusterRole" if cluster_wide else "Role"
        name = f"runner-{self.namespace}"
        root = "/apis/rbac.authorization.k8s.io/v1"
        where = root if cluster_wide else f"{root}/namespaces/{self.namespace}"
        self.admin("POST", f"{where}/{role.lower()}s", {"metadata": {"name": name}, "rules": list(rules)})
        subject = {"kind": "ServiceAccount", "name": RUNNER, "namespace": self.namespace}
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": role, "name": name}
        binding = {"metadata": {"name": name}, "subjects": [subject], "roleRef": reference}
        self.admin("POST", f"{where}/{role.lower()}bindings", binding)
        self._wait_until_granted(rules)

    def _wait_until_granted(self, rules: Sequence[Json]) -> None:
        """The API server learns of a new binding by a watch of its own."""
        for rule in rules:
            attributes = {
                "group": rule["apiGroups"][0], "resource": rule["resources"][-1].partition("/")[0],
                "subresource": rule["resources"][-1].partition("/")[2], "verb": rule["verbs"][-1],
                "namespace": self.namespace, "name": (rule.get("resourceNames") or [""])[0],
            }  # fmt: skip
            spec = {"user": f"system:serviceaccount:{self.namespace}:{RUNNER}", "resourceAttributes": attributes}
            until = time.monotonic() + WAIT_SECONDS
            path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
            while not self.admin("POST", path, {"spec": spec})["status"].get("allowed"):
                assert time.monotonic() < until, f"never granted: {rule}"
                time.sleep(0.01)

    def act(self, call: Callable[[Cluster], Awaitable[T]]) -> T:
        """Run something as the runner."""
        return asyncio.run(self._as_runner(call))

    def allow_page(self, action: str) -> None:
        """Make the runner and give it exactly the rights that the page of the type names."""
        rights = REGISTRY[action].about.rights
        (cluster_wide,) = {right.cluster for right in rights}
        self.allow(*(right.rule() for right in rights), cluster_wide=cluster_wide)

    def play(self, action: str, /, **parameters: Any) -> "Play":
        """An action with parameters, ready to be carried out by the runner."""
        return Play(self, REGISTRY[action], parameters)

    async def _as_runner(self, call: Callable[[Cluster], Awaitable[T]]) -> T:
        async with Session(Login(str(self.plane.kubeconfig))) as session:
            runner = _runner(Api(session), self.namespace)
            return await call(Heard(runner, self.calls))


def _runner(api: Api, namespace: str) -> RunnerCluster:
    return RunnerCluster(api, Discovery(api), namespace=namespace, runner=RUNNER, journal=Journal())


@dataclass(frozen=True)
class Play:
    """One action of one proposal."""

    stage: Stage
    action: Action[Any]
    parameters: dict[str, Any]
    proposal: str = "try"
    proposal_uid: str = "00000000-0000-4000-8000-000000000001"

    def request(self, cluster: Cluster) -> Request[Any]:
        return Request(
            parameters=self.action.parse(self.parameters),
            namespace=self.stage.namespace,
            proposal=self.proposal,
            proposal_uid=self.proposal_uid,
            runner=RUNNER,
            cluster=cluster,
            http=cast("Http", None),
        )

    def preview(self) -> Any:
        """Anew where somebody's write came between, as the operator does."""
        return self.stage.act(
            lambda cluster: racing(partial(self.action.preview, self.request(cluster)), attempts=PREVIEW_ATTEMPTS)
        )

    def run(self, operation: Operation) -> Any:
        return self.stage.act(lambda cluster: self.action.run(self.request(cluster), operation))

    def observe(self, operation: Operation) -> Any:
        return self.stage.act(lambda cluster: self.action.observe(self.request(cluster), operation))

    def verify(self, operation: Operation) -> Verified:
        return self.stage.act(lambda cluster: self.action.verify(self.request(cluster), operation))

    def stop(self, operation: Operation) -> None:
        self.stage.act(lambda cluster: self.action.stop(self.request(cluster), operation))

    def verified(self, operation: Operation) -> Verified:
        """Ask until it is so, as the operator does."""
        until = time.monotonic() + WAIT_SECONDS
        while not (answer := self.verify(operation)).ok:
            assert time.monotonic() < until, answer.message
            time.sleep(0.1)
        return answer
