"""ActionClient against a real API server: what it creates, what it refuses, how it waits."""

import asyncio
import json
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest
from api_server import ApiServer, Manifest

from controller.client import (
    ActionClient,
    ActionProposal,
    ActionRecommendation,
    ActionWorkflow,
    NotFinished,
    ObserveOnlyError,
    RetryConfig,
    ValidationError,
)
from controller.core.errors import Conflict, LostAnswer, NotFound, PermanentFailure, RightMissing, TransientFailure
from controller.core.ports import Json, Resource
from controller.kube.api import Api
from localcluster.controlplane import ControlPlane

T = TypeVar("T")
CATALOG = Path(__file__).parents[2] / "catalog"
API = "actionoperator.dev/v1alpha1"
WAIT = {"seconds": 1}
BAD_WAIT = {"action": "wait", "parameters": {"seconds": 0}}


@dataclass
class Scene:
    """A namespace with the catalogue, and a policy that lets actions run there."""

    cluster: ControlPlane
    server: ApiServer

    @property
    def namespace(self) -> str:
        return self.server.namespace

    def run(self, work: Callable[[ActionClient], Awaitable[T]], user: str | None = None) -> T:
        """Something done by a client of its own, as the administrator or somebody else."""

        async def with_client() -> T:
            config = self.cluster.kubeconfig_of(user) if user else self.cluster.kubeconfig
            async with ActionClient(kubeconfig=str(config), namespace=self.namespace) as client:
                return await work(client)

        return asyncio.run(with_client())

    def policy(self, suffix: str, **spec: Any) -> None:
        manifest = {
            "apiVersion": API,
            "kind": "ActionPolicy",
            "metadata": {"name": f"{self.namespace[:40]}-{self.namespace[-8:]}-{suffix}"},
            "spec": {"match": {"namespaces": [self.namespace]}, **spec},
        }  # fmt: skip
        assert self.server.create(manifest, dry_run=False).accepted

    def end(self, stored: ActionProposal | ActionWorkflow, **status: Any) -> None:
        """Write a status, as the operator does."""
        subject: Manifest = {"kind": stored.INFO.kind, "metadata": {"name": stored.metadata.name}}
        answer = self.server.patch_status(subject, {"observedGeneration": 1, **status}, dry_run=False)
        assert answer.accepted, answer.says

    def allow(self, user: str, *rules: Json) -> None:
        root = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{self.namespace}"
        assert self.server.send("POST", f"{root}/roles", {"metadata": {"name": user}, "rules": list(rules)}).accepted
        binding = {
            "metadata": {"name": user},
            "subjects": [{"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"}],
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": user},
        }
        assert self.server.send("POST", f"{root}/rolebindings", binding).accepted


@pytest.fixture(scope="module")
def catalogue(cluster: ControlPlane, crds: None) -> None:
    subprocess.run(
        [cluster.kubectl, "--kubeconfig", cluster.kubeconfig, "apply", "--server-side", "-f", CATALOG],
        check=True, capture_output=True,
    )  # fmt: skip


@pytest.fixture
def bare(cluster: ControlPlane, catalogue: None, namespace: str) -> Iterator[Scene]:
    """A scene without any policy."""
    server = ApiServer(cluster, namespace)
    yield Scene(cluster, server)
    for policy in server.send("GET", server.path("ActionPolicy")).body["items"]:
        if policy["spec"].get("match", {}).get("namespaces") == [namespace]:
            server.delete_policy(policy["metadata"]["name"])
    server.close()


@pytest.fixture
def scene(bare: Scene) -> Scene:
    bare.policy("run", mode="Execute")
    return bare


def propose(client: ActionClient, **options: Any) -> Awaitable[ActionProposal]:
    return client.propose_action("wait", WAIT, **{"reason": "to see", **options})


def test_a_proposal_is_stored_as_asked(scene: Scene) -> None:
    retry = RetryConfig(max_attempts=5)
    made = scene.run(lambda client: propose(client, ticket="OPS-1", retry=retry, timeout_seconds=9, mode="DryRun"))
    stored = scene.server.send("GET", scene.server.path("ActionProposal", made.metadata.name)).body
    spec = stored["spec"]
    assert made.metadata.name.startswith("wait-")
    assert (spec["action"], spec["parameters"], spec["reason"], spec["ticket"]) == ("wait", WAIT, "to see", "OPS-1")
    assert (spec["retry"]["maxAttempts"], spec["timeoutSeconds"], spec["mode"]) == (5, 9, "DryRun")
    assert spec["requestedBy"]["username"] == "admin"


def test_a_workflow_is_stored_as_asked(scene: Scene) -> None:
    actions = [
        {"action": "wait", "parameters": WAIT, "name": "first"},
        ActionRecommendation("wait", WAIT, depends_on=["first"], timeout_seconds=7),
    ]
    made = scene.run(lambda client: client.propose_workflow("both", "Wait twice", actions, "OPS-2", order="Graph"))
    assert (made.spec.description, made.spec.reason, made.spec.ticket) == ("Wait twice", "Wait twice", "OPS-2")
    assert [(step.name, step.depends_on, step.timeout_seconds) for step in made.spec.steps] == [
        ("first", (), None),
        ("wait", ("first",), 7),
    ]


def test_nothing_is_created_that_policy_would_only_observe(bare: Scene) -> None:
    with pytest.raises(ObserveOnlyError, match="no policy says mode: Execute for wait"):
        bare.run(propose)
    bare.policy("run", mode="Execute")
    bare.policy("look", mode="Observe", match={"namespaces": [bare.namespace], "actions": ["log-message"]})
    bare.run(propose)
    steps = [{"action": "wait", "parameters": WAIT}, {"action": "log-message", "parameters": {"message": "x"}}]
    with pytest.raises(ObserveOnlyError, match="lets log-message only be observed"):
        bare.run(lambda client: client.propose_workflow("w", "d", steps))
    bare.run(lambda client: client.propose_workflow("w", "d", steps, mode="DryRun"))


@pytest.mark.parametrize(
    ("work", "error", "says"),
    [
        pytest.param(lambda c: c.propose_workflow("w", "d", []), ValueError, "no actions", id="empty"),
        pytest.param(
            lambda c: c.propose_action("wiat", {}, reason="r"), ValueError, "no ActionType wiat; available: wait, ",
            id="unknown action",
        ),
        pytest.param(
            lambda c: c.propose_workflow("w", "d", [{"action": "wait"}, BAD_WAIT]),
            ValidationError,
            r"steps\[wait\].parameters.seconds: is required\nspec.steps\[wait-2\].parameters.seconds: must be at least",
            id="parameters of several steps",
        ),
        pytest.param(lambda c: propose(c, mode="Observe"), ValidationError, "one of Execute, DryRun", id="mode"),
        pytest.param(lambda c: propose(c, name="Not_A_Name"), PermanentFailure, "lowercase RFC 1123", id="name"),
        pytest.param(lambda c: c.get("gone", ActionProposal), NotFound, '"gone" not found', id="get"),
        pytest.param(lambda c: c.wait("gone", ActionProposal), NotFound, '"gone" not found', id="wait"),
        pytest.param(lambda c: c.cancel("gone", ActionProposal), NotFound, '"gone" not found', id="cancel"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_before_anything_is_created(
    scene: Scene, work: Callable[[ActionClient], Awaitable[Any]], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        scene.run(work)
    for kind in ("ActionProposal", "ActionWorkflow"):
        assert scene.server.send("GET", scene.server.path(kind)).body["items"] == []


def test_a_name_that_is_taken_is_a_conflict(scene: Scene) -> None:
    scene.run(lambda client: propose(client, name="once"))
    with pytest.raises(Conflict, match="already exists"):
        scene.run(lambda client: propose(client, name="once"))


def test_who_may_not_read_the_rules_may_still_propose(bare: Scene) -> None:
    with pytest.raises(RightMissing, match=r"verbs: \[create\]"):
        bare.run(propose, user="bob")
    bare.allow(
        "bob",
        {"apiGroups": ["actionoperator.dev"], "resources": ["actionproposals"], "verbs": ["create"]},
        {"apiGroups": ["actionoperator.dev"], "resources": ["actiontypes"], "verbs": ["propose"]},
    )
    made = bare.run(propose, user="bob")
    assert made.spec.requested_by is not None
    assert made.spec.requested_by.username == "bob"
    assert "developers" in made.spec.requested_by.groups


def test_wait_returns_what_is_finished(scene: Scene) -> None:
    async def work(client: ActionClient) -> ActionProposal:
        made = await propose(client)
        waiting = asyncio.create_task(client.wait(made.metadata.name, ActionProposal, timeout_seconds=30))
        await asyncio.sleep(0.3)
        assert not waiting.done()
        await asyncio.to_thread(scene.end, made, phase="Failed", outcome="Failed", message="no")
        return await waiting

    finished = scene.run(work)
    assert (finished.status.outcome, finished.status.message) == ("Failed", "no")


def test_wait_says_where_it_stands_when_time_is_up(scene: Scene) -> None:
    async def work(client: ActionClient) -> None:
        made = await propose(client, name="slow")
        await asyncio.to_thread(scene.end, made, phase="Blocked", message="halted")
        await client.wait("slow", ActionProposal, timeout_seconds=0.3)

    with pytest.raises(TimeoutError, match=r"slow is not finished after 0\.3 s: Blocked: halted") as error:
        scene.run(work)
    assert isinstance(error.value, NotFinished)
    assert error.value.latest.status.phase == "Blocked"


def test_wait_does_not_take_a_new_object_for_the_old_one(scene: Scene) -> None:
    async def work(client: ActionClient) -> None:
        await propose(client, name="twice")
        waiting = asyncio.create_task(client.wait("twice", ActionProposal, timeout_seconds=30))
        await asyncio.sleep(0.1)
        scene.server.send("DELETE", scene.server.path("ActionProposal", "twice"))
        scene.end(await propose(client, name="twice"), phase="Succeeded", outcome="Succeeded")
        await waiting

    with pytest.raises(NotFound):
        scene.run(work)


def test_cancel_suspend_and_resume(scene: Scene) -> None:
    async def work(client: ActionClient) -> ActionWorkflow:
        await client.propose_workflow("w", "d", [{"action": "wait", "parameters": WAIT}])
        assert (await client.suspend("w", ActionWorkflow)).spec.suspend
        assert not (await client.resume("w", ActionWorkflow)).spec.suspend
        return await client.cancel("w", ActionWorkflow)

    cancelled = scene.run(work)
    assert cancelled.spec.cancelled
    scene.end(cancelled, phase="Cancelled", outcome="Cancelled")
    with pytest.raises(PermanentFailure, match="already finished"):
        scene.run(lambda client: client.suspend("w", ActionWorkflow))


@dataclass(frozen=True)
class Unlucky(Api):
    """An API server whose first answers are lost: the request has worked, or has not."""

    losses: list[bool] = field(default_factory=list)
    """For each answer to be lost, whether the request works."""

    async def create(self, resource: Resource, body: Json, **options: Any) -> Json:
        if resource.kind != "ActionProposal" or not self.losses:
            return await super().create(resource, body, **options)
        if self.losses.pop(0):
            await super().create(resource, body, **options)
        raise LostAnswer("lost")


@pytest.mark.parametrize("losses", [[True], [False], [False, False], [False, True]])
def test_a_lost_answer_makes_neither_two_nor_none(scene: Scene, losses: list[bool]) -> None:
    async def work(client: ActionClient) -> ActionProposal:
        client.api = Unlucky(client.api.session, losses=losses)
        return await propose(client, ticket="OPS-1")

    made = scene.run(work)
    items = scene.server.send("GET", scene.server.path("ActionProposal")).body["items"]
    assert [item["metadata"]["uid"] for item in items] == [made.metadata.uid]


def test_somebody_elses_object_is_not_taken_for_ours_after_a_lost_answer(scene: Scene) -> None:
    async def work(client: ActionClient) -> None:
        await propose(client, name="taken", ticket="theirs")
        client.api = Unlucky(client.api.session, losses=[False])
        await propose(client, name="taken", ticket="ours")

    with pytest.raises(Conflict):
        scene.run(work)


def test_wait_goes_on_through_an_outage(scene: Scene) -> None:
    @dataclass(frozen=True)
    class Away(Api):
        tries: list[int] = field(default_factory=lambda: [0, 1, 2])

        async def get(self, *arguments: Any, **options: Any) -> Json:
            if self.tries and self.tries.pop() == 1:
                raise TransientFailure("no connection to the API server")
            return await super().get(*arguments, **options)

    async def work(client: ActionClient) -> ActionProposal:
        made = await propose(client)
        scene.end(made, phase="Running")
        client.api = Away(client.api.session)
        waiting = asyncio.create_task(client.wait(made.metadata.name, ActionProposal, timeout_seconds=30))
        await asyncio.sleep(0.5)
        scene.end(made, phase="Succeeded", outcome="Succeeded")
        return await waiting

    assert scene.run(work).status.outcome == "Succeeded"


def test_an_undo_is_proposed_once(scene: Scene) -> None:
    attempt = {
        "number": 1, "id": "a", "operation": "o", "owner": "p", "typeDigest": "sha256:" + "0" * 64, "idempotent": True,
        "startedAt": "2026-11-22T15:00:00Z", "deadline": "2026-11-22T15:05:00Z", "result": "Succeeded",
        "doneAt": "2026-11-22T15:00:01Z",
    }  # fmt: skip
    undo = {"action": "wait", "parameters": {"seconds": 2}}
    made = scene.run(lambda client: propose(client, name="done", ticket="OPS-9"))
    scene.end(made, phase="Succeeded", outcome="Succeeded", attempts=[attempt], undo=undo)
    proposed = scene.run(lambda client: client.propose_undo("done"))
    assert (proposed.metadata.name, proposed.spec.parameters, proposed.spec.ticket) == (
        "done-undo",
        {"seconds": 2},
        "OPS-9",
    )
    with pytest.raises(Conflict):
        scene.run(lambda client: client.propose_undo("done"))


def test_the_namespace_is_that_of_the_context(scene: Scene, tmp_path: Path) -> None:
    config = json.loads(
        subprocess.run(
            [scene.cluster.kubectl, "--kubeconfig", scene.cluster.kubeconfig, "config", "view", "--raw", "-o", "json"],
            check=True, capture_output=True,
        ).stdout
    )  # fmt: skip
    config["contexts"][0]["context"]["namespace"] = scene.namespace
    (tmp_path / "config").write_text(json.dumps(config))

    async def work() -> str:
        async with ActionClient(kubeconfig=str(tmp_path / "config")) as client:
            return (await propose(client)).metadata.namespace or ""

    assert asyncio.run(work()) == scene.namespace
