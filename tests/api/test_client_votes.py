"""ActionClient.approve, reject and halt against a real API server."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest
from api_server import ApiServer, Manifest
from cli_shell import Shell

from controller.api.approval import ActionApproval, Vote
from controller.client import (
    ActionClient,
    ActionWorkflow,
    DigestChanged,
    NothingToApprove,
    Scope,
    ValidationError,
)
from controller.core.errors import Conflict, LostAnswer, NotFound, RightMissing
from controller.core.ports import Json, Resource
from controller.kube.api import Api
from localcluster.controlplane import ControlPlane

T = TypeVar("T")
API = "actionoperator.dev/v1alpha1"
GROUP = "rbac.authorization.k8s.io"
DIGEST, OTHER = "sha256:" + "a" * 64, "sha256:" + "b" * 64
READ = {"apiGroups": ["actionoperator.dev"], "resources": ["actionproposals", "actionworkflows"], "verbs": ["get"]}
VOTE = {"apiGroups": ["actionoperator.dev"], "resources": ["actionapprovals"], "verbs": ["create", "get"]}
APPROVE = {"apiGroups": ["actionoperator.dev"], "resources": ["actiontypes"], "verbs": ["approve"]}


@dataclass
class Room:
    """A namespace with something to vote on."""

    cluster: ControlPlane
    server: ApiServer

    def run(self, work: Callable[[ActionClient], Awaitable[T]], user: str = "bob") -> T:
        """Something done by a client of its own."""

        async def with_client() -> T:
            config = self.cluster.kubeconfig if user == "admin" else self.cluster.kubeconfig_of(user)
            async with ActionClient(kubeconfig=str(config), namespace=self.server.namespace) as client:
                return await work(client)

        return asyncio.run(with_client())

    def put(self, kind: str, name: str, spec: Manifest, status: Manifest | None = None) -> Manifest:
        manifest = {"apiVersion": API, "kind": kind, "metadata": {"name": name}, "spec": {"reason": "r", **spec}}
        answer = self.server.create(manifest, dry_run=False)
        assert answer.accepted, answer.says
        if status is not None:
            written = self.server.patch_status(manifest, {"observedGeneration": 1, **status}, dry_run=False)
            assert written.accepted, written.says
        return answer.body

    def proposal(self, name: str, **status: Any) -> Manifest:
        spec = {"action": "wait", "parameters": {"seconds": 1}}
        return self.put("ActionProposal", name, spec, {"phase": "AwaitingApproval", "digest": DIGEST, **status})

    def allow(self, user: str, *rules: Json) -> None:
        root = f"/apis/{GROUP}/v1/namespaces/{self.server.namespace}"
        assert self.server.send("POST", f"{root}/roles", {"metadata": {"name": user}, "rules": list(rules)}).accepted
        binding = {
            "metadata": {"name": user},
            "subjects": [{"kind": "User", "name": user, "apiGroup": GROUP}],
            "roleRef": {"apiGroup": GROUP, "kind": "Role", "name": user},
        }
        assert self.server.send("POST", f"{root}/rolebindings", binding).accepted

    def votes(self) -> list[Manifest]:
        items: list[Manifest] = self.server.send("GET", self.server.path("ActionApproval")).body["items"]
        return items


@pytest.fixture
def room(cluster: ControlPlane, crds: None, namespace: str) -> Iterator[Room]:
    server = ApiServer(cluster, namespace)
    made = Room(cluster, server)
    made.allow("bob", READ, VOTE, APPROVE)
    yield made
    server.close()


def test_an_approval_is_stored_once_as_the_current_user(room: Room) -> None:
    uid = room.proposal("one")["metadata"]["uid"]
    made = room.run(lambda client: client.approve("one", comment="agreed", digest=DIGEST))
    again = room.run(lambda client: client.approve("one", comment="still"))
    (stored,) = room.votes()
    assert made.metadata.uid == again.metadata.uid == stored["metadata"]["uid"]
    spec = stored["spec"]
    assert spec["subject"] == {"kind": "ActionProposal", "name": "one", "uid": uid}
    assert (spec["digest"], spec["decision"], spec["actions"]) == (DIGEST, "Approve", ["wait"])
    assert (spec["comment"], spec["approver"]["username"]) == ("agreed", "bob")
    assert {"developers", "system:authenticated"} <= set(spec["approver"]["groups"])
    (owner,) = stored["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"]) == ("ActionProposal", "one", uid)


def test_a_vote_on_a_workflow_covers_everything_that_it_may_run(room: Room) -> None:
    steps = [{"name": "a", "action": "wait", "undo": {"action": "log-message"}}, {"name": "b", "action": "wait"}]
    last = [{"name": "z", "action": "http-request"}]
    room.put("ActionWorkflow", "flow", {"description": "d", "steps": steps, "finally": last}, {"digest": DIGEST})
    made = room.run(lambda client: client.reject("flow", kind=ActionWorkflow, comment="no"))
    assert made.spec.decision is Vote.REJECT
    assert made.spec.actions == ("http-request", "log-message", "wait")
    assert made.spec.subject.kind == "ActionWorkflow"


def test_an_approval_of_another_digest_or_a_rejection_is_another_vote(room: Room) -> None:
    room.proposal("one")
    room.run(lambda client: client.approve("one"))
    room.run(lambda client: client.reject("one"))
    room.server.patch_status({"kind": "ActionProposal", "metadata": {"name": "one"}}, {"digest": OTHER}, dry_run=False)
    room.run(lambda client: client.approve("one", digest=OTHER))
    assert len(room.votes()) == 3


@pytest.mark.parametrize(
    ("work", "error", "says"),
    [
        pytest.param(lambda c: c.approve("gone"), NotFound, '"gone" not found', id="not there"),
        pytest.param(lambda c: c.approve("flow", kind=ActionWorkflow), NotFound, "not found", id="of another kind"),
        pytest.param(lambda c: c.approve("done"), NothingToApprove, r"already finished \(Failed\)", id="finished"),
        pytest.param(lambda c: c.reject("done"), NothingToApprove, "there is nothing to reject", id="finished, reject"),
        pytest.param(lambda c: c.approve("new"), NothingToApprove, "no digest yet.*has not looked", id="too early"),
        pytest.param(lambda c: c.approve("one", digest=OTHER), DigestChanged, f"{DIGEST}, not {OTHER}", id="changed"),
        pytest.param(lambda c: c.approve("one", comment="x" * 1025), ValidationError, "1024", id="long comment"),
        pytest.param(
            lambda c: c.approve("one", namespace="default"), RightMissing, r"verbs: \[get\]}", id="elsewhere"
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_approved(
    room: Room, work: Callable[[ActionClient], Awaitable[Any]], error: type[Exception], says: str
) -> None:
    room.proposal("one")
    room.proposal("done", outcome="Failed", phase="Failed")
    room.put("ActionProposal", "new", {"action": "wait"})
    with pytest.raises(error, match=says):
        room.run(work)
    assert room.votes() == []


def test_a_refusal_of_the_api_server_is_its_own_words(room: Room) -> None:
    room.proposal("one")
    room.allow("carol", READ)
    with pytest.raises(RightMissing, match='User "carol" cannot create resource "actionapprovals"'):
        room.run(lambda client: client.approve("one"), user="carol")


@dataclass(frozen=True)
class Unlucky(Api):
    """An API server whose first answers are lost: the request has worked, or has not."""

    losses: list[bool] = field(default_factory=list)

    async def create(self, resource: Resource, body: Json, **options: Any) -> Json:
        if resource.kind != "ActionApproval" or not self.losses:
            return await super().create(resource, body, **options)
        if self.losses.pop(0):
            await super().create(resource, body, **options)
        raise LostAnswer("lost")


@pytest.mark.parametrize("losses", [[True], [False], [False, True]])
def test_a_lost_answer_makes_neither_two_votes_nor_none(room: Room, losses: list[bool]) -> None:
    room.proposal("one")

    async def work(client: ActionClient) -> ActionApproval:
        client.api = Unlucky(client.api.session, losses=losses)
        return await client.approve("one")

    made = room.run(work)
    assert [vote["metadata"]["uid"] for vote in room.votes()] == [made.metadata.uid]


def test_a_squatted_name_is_told(room: Room) -> None:
    room.proposal("one")
    body = room.run(lambda client: client.approve("one")).model_dump(mode="json", by_alias=True, exclude_none=True)
    room.server.send("DELETE", room.server.path("ActionApproval", body["metadata"]["name"]))
    spec = {**body["spec"], "decision": "Reject"}
    del spec["approver"]
    squatter = {"apiVersion": API, "kind": "ActionApproval", "metadata": {"name": body["metadata"]["name"]}}
    Shell(room.cluster, room.server, room.cluster.kubeconfig).create_as("carol", squatter | {"spec": spec})
    with pytest.raises(Conflict, match="is there and is not this vote"):
        room.run(lambda client: client.approve("one"))


def test_a_program_halts_and_ends_its_halt(room: Room) -> None:
    scope = Scope(namespaces=[room.server.namespace], actions=["wait"])

    async def work(client: ActionClient) -> str:
        made = await client.halt(scope, reason="error budget is spent")
        assert (await client.halt(scope)).metadata.uid == made.metadata.uid
        return made.metadata.name

    name = room.run(work, user="admin")
    stored = room.server.send("GET", room.server.path("ActionPolicy", name)).body
    assert stored["spec"] == {"halt": True, "match": {"namespaces": [room.server.namespace], "actions": ["wait"]}}
    assert stored["metadata"]["annotations"]["actionoperator.dev/reason"] == "error budget is spent"
    room.run(lambda client: client.end_halt(name), user="admin")
    with pytest.raises(NotFound):
        room.run(lambda client: client.end_halt(name), user="admin")


def test_only_a_halt_of_its_own_is_ended(room: Room) -> None:
    name = f"{room.server.namespace[-8:]}-git"
    spec = {"match": {"namespaces": [room.server.namespace]}, "halt": True}
    manifest = {"apiVersion": API, "kind": "ActionPolicy", "metadata": {"name": name}, "spec": spec}
    assert room.server.create(manifest, dry_run=False).accepted
    with pytest.raises(ValueError, match=f"ActionPolicy {name} is not a halt of"):
        room.run(lambda client: client.end_halt(name), user="admin")
    assert room.server.delete_policy(name).accepted
