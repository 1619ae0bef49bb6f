"""A cluster of its own with what is shipped, as it is shipped: before identity is enforced, after it, and its removal.

What the operator did there is compared with what config/rbac/operator.yaml grants: each right used, none missing.
"""

import json
import signal
import time
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest
import yaml
from harness.commands import actions
from harness.installed import CRDS, install_crds
from harness.operator import OperatorProcess
from harness.people import approved, ballot, wait_until_proven
from harness.rights import acting_as, granted, refused, requests, used
from harness.stage import API, OPERATOR, Json, Stage

from hack.installation import EXAMPLES, NODES, ROOT, enforce, kubectl_of
from localcluster.controlplane import ControlPlane

RBAC = ROOT / "config" / "rbac"
WORKFLOWS = ("workflows/node-maintenance.yaml", "workflows/release.yaml")
MANY = 40
RUNNER = "system:serviceaccount:shop:action-runner"
LOG: Json = {"action": "log-message", "parameters": {"message": "x"}}
CAROL: Json = {"username": "carol", "uid": "carol", "groups": ["sre", "system:authenticated"]}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Everything as the documentation says but for the admission policies; the operator works on all namespaces."""
    folder = tmp_path_factory.mktemp("shipped")
    with ControlPlane.start(folder / "cluster", nodes=NODES) as plane:
        install_crds(plane)
        kubectl = kubectl_of(plane)
        kubectl("apply", "-f", ROOT / "catalog", "-f", RBAC / "operator.yaml", "-f", RBAC / "roles.yaml")
        kubectl("apply", "-f", EXAMPLES / "shop")
        kubectl("apply", "-f", EXAMPLES / "policies" / "second-person.yaml")
        config = folder / "kubeconfig"
        plane.service_account_kubeconfig("action-operator", "action-operator", config)
        quick = ("--grace-seconds", "3")
        operator = OperatorProcess(config, folder, namespace=None, lease_name="action-operator", options=quick)
        try:
            operator.start()
            yield Stage(plane, "shop", operator)
        finally:
            operator.stop()


def create(
    shop: Stage, name: str, spec: Json, *, by: str = "admin", kind: str = "ActionProposal", where: str = "shop"
) -> None:
    """Somebody creates it."""
    body = {"apiVersion": API, "kind": kind, "metadata": {"name": name}, "spec": {"reason": "r", **spec}}
    space = "" if kind == "ActionPolicy" else f"/namespaces/{where}"
    plural = {"ActionProposal": "actionproposals", "ActionWorkflow": "actionworkflows"}.get(kind, "actionpolicies")
    if kind == "ActionPolicy":
        body["spec"] = spec
    shop.cluster.api(by).post(f"/apis/{API}{space}/{plural}", body)


def vote(shop: Stage, name: str, by: str, **changes: Any) -> None:
    body = ballot(shop.get("ap", name), by, **changes)
    shop.cluster.api(by).post(f"/apis/{API}/namespaces/shop/actionapprovals", body)


def scale(replicas: int) -> Json:
    return {"action": "scale-workload", "parameters": {"kind": "Deployment", "name": "checkout", "replicas": replicas}}


def waits(shop: Stage, name: str, reason: str) -> Json:
    """The status once it waits for approval for that reason."""
    return shop.wait(
        "ap", name, lambda s: s.get("phase") == "AwaitingApproval" and approved(s)[1] == reason, what=f"not {reason}"
    )


def test_a_name_from_before_identity_was_enforced_proves_nothing(shop: Stage) -> None:
    """Nothing compares names then: alice asks and votes as carol, and asks in the name of one whom a policy favours."""
    shop.kubectl("create", "namespace", "elsewhere")
    favour = {"match": {"namespaces": ["elsewhere"], "requesters": ["carol"]}, "mode": "Execute"}
    create(shop, "favour", favour, kind="ActionPolicy")
    create(shop, "favoured", {**LOG, "requestedBy": CAROL}, where="elsewhere")
    create(shop, "asked-before", {**scale(3), "requestedBy": CAROL}, by="alice")
    told = waits(shop, "asked-before", "IdentityNotEnforced")
    assert "MutatingAdmissionPolicy action-operator-stamp-approver is missing" in told["message"]
    vote(shop, "asked-before", "alice", approver=CAROL)

    enforce(kubectl_of(shop.cluster))
    shop.operator.stop()  # it looks every half a minute, and when it starts
    shop.operator.start()
    wait_until_proven(shop.cluster)
    vote(shop, "asked-before", "carol")
    create(shop, "asked-now", scale(3), by="alice")
    waits(shop, "asked-now", "AwaitingApproval")
    vote(shop, "asked-now", "carol")
    assert shop.outcome("ap", "asked-now")["outcome"] == "Succeeded"
    status = waits(shop, "asked-before", "IdentityNotEnforced")
    assert (status["approval"]["have"], "attempts" in status) == (0, False)
    assert "propose it again" in status["message"]
    favoured = Stage(shop.cluster, "elsewhere", shop.operator).outcome("ap", "favoured")
    assert favoured["outcome"] == "Observed"


def test_every_right_is_used_and_none_is_missing(shop: Stage) -> None:
    """The scenes are what the examples are about, and what seldom happens: objects that change under its hands."""
    shop.kubectl("delete", "actionpolicy", "second-person")
    every_minute(shop)
    for example in ("proposals", *WORKFLOWS, "runbooks/resize.yaml", "runbooks/resize-checkout.yaml"):
        shop.kubectl("apply", "-f", str(EXAMPLES / example))
    create(shop, "brief", {**LOG, "ttlSecondsAfterFinished": 1})
    flow = {"description": "d", "ttlSecondsAfterFinished": 1, "steps": [{"name": "say", **LOG}]}
    create(shop, "brief", flow, kind="ActionWorkflow")
    shop.kubectl("wait", "--for=delete", "ap/brief", "aw/brief", "--timeout=30s")
    nowhere = {"image": "busybox:1", "nodeSelector": {"nowhere": "true"}}
    create(shop, "stuck", {"action": "run-job", "parameters": nowhere})
    shop.phase("ap", "stuck", "Running")
    shop.patch("ap", "stuck", {"cancelled": True})
    shop.outcome("ap", "stuck")
    changed_under_its_hands(shop, "actiontypes", "wait", lambda number: {"description": f"text {number}"})
    changed_under_its_hands(shop, "actionpolicies", "shop", lambda number: {"limits": {"maxConcurrent": 9 + number}})
    changed_under_its_hands(shop, "actionrunbooks", "resize", lambda number: {"description": f"text {number}"})
    changed_under_its_hands(shop, "actionschedules", "minutely", lambda number: {"failedHistoryLimit": number % 50})
    namespaces_that_it_does_not_know_yet(shop)
    deadline = time.monotonic() + 75
    while not seen(shop, "create", "actionworkflows"):
        assert time.monotonic() < deadline, "the schedule never ran"
        time.sleep(0.5)
    shop.kubectl("wait", "--for=jsonpath={.status.outcome}=Succeeded", "aw", "--all", "--timeout=60s")
    shop.operator.stop()

    asked = requests(shop.cluster, OPERATOR)
    assert list(refused(asked)) == []
    own = [entry for entry in asked if acting_as(entry) is None]
    shipped = granted(RBAC / "operator.yaml")
    assert used(own) - shipped == set(), "used, and granted by something else"
    assert shipped - used(own) == set(), "granted by config/rbac/operator.yaml, and never used"
    assert {entry["objectRef"].get("name") for entry in own if entry["objectRef"]["resource"] == "leases"} <= {
        None, "action-operator",
    }  # fmt: skip
    assert {acting_as(entry) for entry in asked} == {None, RUNNER}
    lent = granted(EXAMPLES / "shop" / "2-runner.yaml")
    assert used(entry for entry in asked if acting_as(entry)) == lent, "examples/shop/2-runner.yaml"


def every_minute(shop: Stage) -> None:
    """A schedule, whose runs the operator makes."""
    run = {"description": "d", "reason": "r", "steps": [{"name": "say", "action": "log-message",
                                                         "parameters": {"message": "x"}}]}  # fmt: skip
    spec = {"schedule": "* * * * *", "workflow": run}
    shop.apply({"apiVersion": API, "kind": "ActionSchedule", "metadata": {"name": "minutely"}, "spec": spec})


def seen(shop: Stage, verb: str, resource: str) -> bool:
    return any(
        (entry["verb"], entry["objectRef"]["resource"]) == (verb, resource)
        for entry in requests(shop.cluster, OPERATOR)
    )


def changed_under_its_hands(shop: Stage, plural: str, name: str, change: Callable[[int], Json]) -> None:
    """Changes an object faster than the operator can follow, until it has met a newer one than it knew, and read it."""
    stored = json.loads(shop.kubectl("get", plural, name, "-o", "json"))
    about = {"apiVersion": API, "kind": stored["kind"], "metadata": {"name": name}}
    apply = ("apply", "--server-side", "--force-conflicts", "--field-manager=hurry", "-f", "-")
    deadline = time.monotonic() + 30
    for start in count(1, MANY):
        versions = [{**about, "spec": {**stored["spec"], **change(start + more)}} for more in range(MANY)]
        shop.kubectl(*apply, input=yaml.safe_dump_all(versions))
        if seen(shop, "get", plural):
            return
        assert time.monotonic() < deadline, f"it never met a conflict over {plural}"


def namespaces_that_it_does_not_know_yet(shop: Stage) -> None:
    """Makes many while the operator sleeps, so that it reads of a proposal in the last one before it reads of that."""
    deadline = time.monotonic() + 30
    for number in count(1):
        names = [f"new-{number}-{each}" for each in range(MANY)]
        many = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in names]
        shop.operator.signal(signal.SIGSTOP)
        try:
            shop.kubectl("create", "-f", "-", input=yaml.safe_dump_all(many))
            create(shop, "first", LOG, where=names[-1])
        finally:
            shop.operator.signal(signal.SIGCONT)
        Stage(shop.cluster, names[-1], shop.operator).outcome("ap", "first")
        if seen(shop, "get", "namespaces"):
            return
        assert time.monotonic() < deadline, "it knew every namespace"


def test_what_is_installed_can_be_removed_while_something_is_halted(shop: Stage) -> None:
    """To delete a policy that halts is refused; to delete the kind takes all of them along."""
    assert actions(shop, "halt")[0] == 0
    told = shop.kubectl("delete", "actionpolicy", "--all", check=False)
    assert "halts actions, and to delete it would end that in nobody's name" in told
    names = shop.kubectl("get", "actionpolicy", "-o", "name").split()
    assert len(names) == 1
    shop.kubectl("delete", "-f", str(CRDS), "--timeout=60s")
    assert "the server could not find the requested resource" in shop.kubectl("get", "actionpolicies", check=False)
