"""A GitOps tool and a person work on the same objects: nothing drifts, nobody conflicts, and who stops something wins.

The tool applies with server-side apply, as a ServiceAccount with the rights that Argo CD and Flux have as they are
installed; the operator writes status meanwhile; the person uses a field manager of their own.
"""

import copy
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from api_server import Answer, ApiServer
from harness.commands import actions
from harness.people import RBAC, ballot, binding, wait_until_proven
from harness.stage import API, Json, Stage, proposal
from schema_manifests import FULL, MINIMAL

TOOL, PERSON = "kustomize-controller", "a-person"
TIMES = 100
TRIES = 20
STAMPED = ("requestedBy", "editedBy")
APPLY = {"Content-Type": "application/apply-patch+yaml"}
GIT = [body for body in (*MINIMAL.values(), *FULL.values()) if body["kind"] != "ActionApproval"]
"""What may stand in Git: all but votes, which are people's."""
LOG: Json = {"message": "hello"}


class Hands:
    """One user with one field manager."""

    def __init__(self, stage: Stage, kubeconfig: Path, name: str) -> None:
        self.api = ApiServer(stage.cluster, stage.namespace, kubeconfig)
        self.name = name

    def path(self, body: Json) -> str:
        return self.api.path(body["kind"], body["metadata"]["name"])

    def apply(self, body: Json, *, dry_run: bool = False) -> Answer:
        """Server-side apply, which never takes what belongs to somebody else."""
        query = f"?fieldManager={self.name}&fieldValidation=Strict" + ("&dryRun=All" if dry_run else "")
        return self.api.send("PATCH", self.path(body) + query, body, APPLY)

    def applied(self, body: Json) -> Json:
        answer = self.apply(body)
        assert answer.accepted, answer.says
        return answer.body

    def get(self, body: Json) -> Json:
        return self.api.send("GET", self.path(body)).body


def in_git(body: Json) -> Json:
    """As it would be in Git: no name of a person in it, and a name that is free."""
    body = copy.deepcopy(body)
    body["metadata"]["name"] = f"git-{body['metadata']['name']}"
    body["metadata"]["labels"] |= {"kustomize.toolkit.fluxcd.io/name": "shop"}  # so that no TTL deletes it
    for field in STAMPED:
        body["spec"].pop(field, None)
    if body["kind"] == "ActionPolicy":
        body["spec"]["match"] = {"actions": ["never-there"]}  # it is the whole cluster's
    return body


@pytest.fixture(scope="module")
def tool(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hands]:
    kubeconfig = tmp_path_factory.mktemp("tool") / "kubeconfig"
    name = f"tool-{stage.namespace}"
    stage.apply(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": TOOL}},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"kind": "ServiceAccount", "name": TOOL, "namespace": stage.namespace}],
        },
    )  # fmt: skip
    stage.cluster.service_account_kubeconfig(stage.namespace, TOOL, kubeconfig)
    wait_until_proven(stage.cluster)
    hands = Hands(stage, kubeconfig, TOOL)
    yield hands
    hands.api.close()
    for body in map(in_git, GIT):
        if body["kind"] in ("ActionPolicy", "ActionType"):
            stage.kubectl("delete", body["kind"], body["metadata"]["name"], "--ignore-not-found")
    stage.kubectl("delete", "clusterrolebinding", name)


@pytest.fixture(scope="module")
def person(stage: Stage) -> Iterator[Hands]:
    hands = Hands(stage, stage.cluster.kubeconfig, PERSON)
    yield hands
    hands.api.close()


def settled(stage: Stage, tool: Hands, body: Json) -> Json:
    """The object once the operator has said how it stands."""
    plural = tool.api.path(body["kind"]).rpartition("/")[2]
    if "namespaces" in tool.path(body):
        stage.wait(plural, body["metadata"]["name"], partial(told, body["kind"]), what="not looked at")
        return tool.get(body)
    stage.kubectl(
        "wait", f"{body['kind'].lower()}/{body['metadata']['name']}", "--timeout=30s",
        "--for=jsonpath={.status.observedGeneration}=1",
    )  # fmt: skip
    return tool.get(body)


def told(kind: str, status: Json) -> bool:
    """Whether it says what it will say; a runbook waits a little for its types first."""
    types = {each["type"] for each in status.get("conditions", ())}
    return bool(types) and not (kind == "ActionRunbook" and "Reconciling" in types)


def without_bookkeeping(found: Json) -> Json:
    """What a tool compares: not who wrote which field when."""
    found = copy.deepcopy(found)
    for name in ("managedFields", "resourceVersion", "creationTimestamp", "uid"):
        found["metadata"].pop(name, None)
    return found


def holds(live: Any, wanted: Any) -> bool:
    """Whether all that Git says stands in the live object, as Argo CD's three-way diff compares."""
    if isinstance(wanted, dict):
        return isinstance(live, dict) and all(key in live and holds(live[key], wanted[key]) for key in wanted)
    if isinstance(wanted, list):
        return len(live) == len(wanted) and all(map(holds, live, wanted))
    return bool(live == wanted)


@pytest.mark.parametrize(
    "body", [in_git(body) for body in GIT], ids=lambda body: f"{body['kind']} {body['metadata']['name']}"
)
def test_nothing_drifts_over_100_resyncs(body: Json, stage: Stage, tool: Hands, person: Hands) -> None:
    tool.applied(body)
    note = {key: body[key] for key in ("apiVersion", "kind")}
    note["metadata"] = {"name": body["metadata"]["name"], "annotations": {"example.com/note": "looked at"}}
    person.applied(note)
    before = settled(stage, tool, body)
    assert holds(before, body), "Argo CD would call this out of sync"
    quiet = without_bookkeeping(before)
    assert without_bookkeeping(tool.apply(body, dry_run=True).body) == quiet, "Flux would call this drift"
    first = tool.applied(body)
    for _ in range(TIMES):
        assert tool.applied(body)["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
        assert person.applied(note)["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    assert without_bookkeeping(first) == quiet
    assert first["metadata"]["annotations"]["example.com/note"] == "looked at"
    stamp = first["spec"].get("requestedBy") or first["spec"].get("editedBy")
    named = stamp["username"] if stamp else first["metadata"]["annotations"]["actionoperator.dev/changed-by"]
    assert named == f"system:serviceaccount:{stage.namespace}:{TOOL}"


def test_a_vote_does_not_drift_either_and_that_of_the_tool_does_not_count(
    stage: Stage, tool: Hands, tmp_path: Path
) -> None:
    stage.policy("ask", approval={"required": 1}, match={"actions": ["log-message"]})
    body = proposal("asks", "log-message", LOG)
    tool.applied(body)
    stage.phase("ap", "asks", "AwaitingApproval")
    vote = ballot(stage.get("ap", "asks"), "alice")
    vote["metadata"] = {"name": "asks-alice"}
    own = copy.deepcopy(vote)
    own["metadata"] = {"name": "asks-tool"}
    tool.applied(own)  # it may do everything, and be it to vote
    again = {"apiGroups": ["actionoperator.dev"], "resources": ["actionapprovals"], "verbs": ["patch"]}
    stage.kubectl("apply", "-f", "config/rbac/roles.yaml")
    stage.apply(
        binding("alice-approves", "alice", "ClusterRole", "action-approver"),
        {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": {"name": "apply-votes"}, "rules": [again]},
        binding("alice-applies", "alice", "Role", "apply-votes"),
    )
    alice = Hands(stage, stage.cluster.kubeconfig_of("alice"), "alice")
    first = alice.applied(vote)
    versions = {alice.applied(vote)["metadata"]["resourceVersion"] for _ in range(TIMES)}
    alice.api.close()
    assert versions == {first["metadata"]["resourceVersion"]}
    alone = stage.outcome("ap", "asks")
    assert [each["username"] for each in alone["approvals"]] == ["alice"]
    assert alone["history"][0]["actor"] == f"system:serviceaccount:{stage.namespace}:{TOOL}"


# -- what people do to objects that a tool keeps -----------------------------------------------------------------------


def taken_over(live: Json) -> list[Json]:
    """What Flux does before it applies: the fields that kubectl wrote are called its own."""
    mine: Json = {}
    others = []
    for entry in live["metadata"]["managedFields"]:
        is_mine = entry["manager"] == TOOL or entry["manager"].startswith("kubectl")
        if not is_mine or entry.get("subresource"):
            others.append(entry)
            continue
        fields = joined(mine.get("fieldsV1", {}), entry["fieldsV1"])
        mine = entry | {"manager": TOOL, "operation": "Apply", "fieldsV1": fields}
    return [*others, mine]


def joined(one: Json, other: Json) -> Json:
    return one | {key: joined(one.get(key, {}), value) for key, value in other.items()}


def as_flux(tool: Hands, body: Json) -> Answer:
    """One reconciliation. The operator may write in between: then the object is read again."""
    for _ in range(TRIES):
        live = tool.get(body)
        patch: Any = [
            {"op": "test", "path": "/metadata/resourceVersion", "value": live["metadata"]["resourceVersion"]},
            {"op": "replace", "path": "/metadata/managedFields", "value": taken_over(live)},
        ]
        if tool.api.send("PATCH", tool.path(body), patch, {"Content-Type": "application/json-patch+json"}).accepted:
            return tool.apply(body)
    raise AssertionError(f"not taken over in {TRIES} tries")


def test_who_suspends_and_cancels_by_kubectl_actions_is_not_overruled(stage: Stage, tool: Hands) -> None:
    body = proposal("ours", "wait", {"seconds": 600})
    tool.applied(body)
    stage.phase("ap", "ours", "Running")
    assert actions(stage, "suspend", "ours")[0] == 0
    assert as_flux(tool, body).body["spec"]["suspend"] is True
    assert actions(stage, "cancel", "ours")[0] == 0
    stage.outcome("ap", "ours")
    answer = as_flux(tool, body)
    assert answer.accepted, answer.says
    assert answer.body["spec"]["cancelled"] is True
    assert tool.applied(body)["metadata"]["resourceVersion"] == answer.body["metadata"]["resourceVersion"]


def test_what_kubectl_patch_does_flux_takes_back_and_a_cancellation_makes_its_sync_fail(
    stage: Stage, tool: Hands
) -> None:
    body = proposal("theirs", "wait", {"seconds": 600})
    tool.applied(body)
    stage.patch("ap", "theirs", {"suspend": True})
    assert as_flux(tool, body).body["spec"]["suspend"] is False
    stage.patch("ap", "theirs", {"cancelled": True})
    refused = as_flux(tool, body)
    assert refused.status == 422
    assert "cancelled" in refused.says


def test_another_text_under_the_name_of_what_is_over_fails_loudly_and_runs_nothing(stage: Stage, tool: Hands) -> None:
    body = proposal("over", "log-message", {"message": "once"}, mode="DryRun")
    tool.applied(body)
    stage.outcome("ap", "over")
    body["spec"]["parameters"] = {"message": "twice"}
    refused = tool.apply(body, dry_run=True)
    assert refused.status == 422
    assert "already finished; propose it again under a new name" in refused.says
    assert tool.apply(body).status == 422


def test_a_copy_with_somebodys_name_in_it_is_refused(stage: Stage, tool: Hands, person: Hands) -> None:
    body = proposal("copied", "log-message", LOG, mode="DryRun")
    live = person.applied(body)
    copied = {key: live[key] for key in ("apiVersion", "kind", "spec")} | {"metadata": {"name": "copied-again"}}
    refused = tool.apply(copied)
    assert (refused.status, "requestedBy" in refused.says) == (403, True), refused.says


def test_a_halt_is_not_taken_back_by_the_policies_in_git(stage: Stage, tool: Hands) -> None:
    spec = {"match": {"namespaces": [stage.namespace]}, "mode": "Execute"}
    body = {"apiVersion": API, "kind": "ActionPolicy", "metadata": {"name": f"{stage.namespace}-git"}, "spec": spec}
    tool.applied(body)
    assert actions(stage, "halt", "--reason", "bad deploy")[0] == 0
    kept = settled(stage, tool, body)["metadata"]["resourceVersion"]
    tool.applied(proposal("halted", "wait", {"seconds": 1}))
    assert stage.phase("ap", "halted", "Blocked")["blocked"]["rule"] == "halt"
    assert tool.applied(body)["metadata"]["resourceVersion"] == kept
    assert stage.phase("ap", "halted", "Blocked")
    assert actions(stage, "resume", "--all")[0] == 0
    assert stage.outcome("ap", "halted")["outcome"] == "Succeeded"


def test_a_halt_in_git_is_ended_before_its_policy_is_pruned(stage: Stage, tool: Hands) -> None:
    spec = {"match": {"actions": ["never-there"]}, "halt": True}
    body = {"apiVersion": API, "kind": "ActionPolicy", "metadata": {"name": f"{stage.namespace}-stop"}, "spec": spec}
    tool.applied(body)
    pruned = tool.api.send("DELETE", tool.path(body))
    assert (pruned.status, "halts actions" in pruned.says) == (403, True), pruned.says
    tool.applied(body | {"spec": spec | {"halt": False}})
    assert tool.api.send("DELETE", tool.path(body)).accepted
