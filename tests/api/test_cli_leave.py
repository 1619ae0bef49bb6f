"""approve, reject, pending, who-can and digest against a real API server; the operator's status is written by hand."""

import json
import os
import pty
import re
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import yaml
from api_server import ApiServer, Manifest
from cli_shell import DIGEST, Shell, drain, ended, read_until

from controller.cli import approving
from localcluster.controlplane import ControlPlane

GROUP = "rbac.authorization.k8s.io"
OURS = "actionoperator.dev"
OTHER = "sha256:" + "f" * 64
SINCE = "2026-11-22T15:04:05.000Z"
PROGRESS: Manifest = {
    "required": 2, "have": 0, "requestedAt": SINCE, "validSeconds": 3600, "requestTimeoutSeconds": 86400,
    "quorums": [{"policy": "prod", "required": 2}],
}  # fmt: skip
PREVIEW: Manifest = {
    "summary": "Scale Deployment shop/checkout from 3 to 6 replicas.", "computedAt": SINCE,
    "changes": [{"target": "Deployment shop/checkout", "path": "spec.replicas", "before": 3, "after": 6}],
    "warnings": ["an autoscaler also scales it"],
}  # fmt: skip
READ = {"apiGroups": [OURS], "resources": ["actionproposals", "actionworkflows"], "verbs": ["get", "list"]}
VOTE = {"apiGroups": [OURS], "resources": ["actionapprovals"], "verbs": ["create", "get", "list"]}


def approve_rule(*names: str, verbs: tuple[str, ...] = ("approve",)) -> Manifest:
    rule = {"apiGroups": [OURS], "resources": ["actiontypes"], "verbs": list(verbs)}
    return rule | ({"resourceNames": list(names)} if names else {})


def awaiting(**status: Any) -> Manifest:
    return {"phase": "AwaitingApproval", "message": "waits for 2 approvals", "digest": DIGEST, "requestDigest": OTHER,
            "risk": "High", "approval": PROGRESS, "preview": PREVIEW, **status}  # fmt: skip


def approved(status: str, reason: str, message: str) -> Manifest:
    return {"type": "Approved", "status": status, "reason": reason, "message": message, "observedGeneration": 1,
            "lastTransitionTime": SINCE}  # fmt: skip


@pytest.fixture
def shell(cluster: ControlPlane, crds: None, namespace: str) -> Iterator[Shell]:
    server = ApiServer(cluster, namespace)
    yield Shell(cluster, server, cluster.kubeconfig)
    server.close()


def grant(shell: Shell, name: str, subject: Manifest, *rules: Manifest) -> None:
    """A Role with these rules, bound in the namespace."""
    root = f"/apis/{GROUP}/v1/namespaces/{shell.namespace}"
    assert shell.server.send("POST", f"{root}/roles", {"metadata": {"name": name}, "rules": list(rules)}).accepted
    reference = {"apiGroup": GROUP, "kind": "Role", "name": name}
    binding = {"metadata": {"name": name}, "subjects": [subject], "roleRef": reference}
    assert shell.server.send("POST", f"{root}/rolebindings", binding).accepted


def user(name: str) -> Manifest:
    return {"kind": "User", "name": name, "apiGroup": GROUP}


def become(shell: Shell, name: str, *rules: Manifest) -> Shell:
    """The same namespace, typed in by somebody else, with these rights if any are given."""
    if rules:
        grant(shell, f"{name}-{len(rules)}", user(name), *rules)
    return Shell(shell.cluster, shell.server, shell.cluster.kubeconfig_of(name))


def approver(shell: Shell, name: str = "bob") -> Shell:
    return become(shell, name, READ, VOTE, approve_rule())


def votes(shell: Shell) -> list[Manifest]:
    items: list[Manifest] = shell.server.send("GET", shell.server.path("ActionApproval")).body["items"]
    return items


@contextmanager
def counting(shell: Shell, name: str, kind: str = "ActionProposal", **status: Any) -> Iterator[None]:
    """Meanwhile, what an operator does: it counts the first vote that comes, and writes that status."""
    failed: list[BaseException] = []
    server = ApiServer(shell.cluster, shell.namespace)

    def count() -> None:
        try:
            deadline = time.monotonic() + 30
            while not (found := server.send("GET", server.path("ActionApproval")).body["items"]):
                assert time.monotonic() < deadline
                time.sleep(0.05)
            spec, about = found[0]["spec"], found[0]["metadata"]
            counted = {"name": about["name"], "username": spec["approver"]["username"], "decision": spec["decision"],
                       "comment": spec.get("comment", ""), "at": about["creationTimestamp"]}  # fmt: skip
            answer = server.patch_status(
                {"kind": kind, "metadata": {"name": name}}, {"approvals": [counted], **status}, dry_run=False
            )
            assert answer.accepted, answer.says
        except BaseException as error:  # noqa: BLE001  told by the test
            failed.append(error)

    thread = threading.Thread(target=count)
    thread.start()
    try:
        yield
    finally:
        thread.join()
        server.close()
        assert not failed, failed


def test_an_approval_is_shown_stored_and_counted(shell: Shell) -> None:
    shell.proposal("one", awaiting(runner="ops"), reason="queue is long", ticket="OPS-1", by="alice")
    bob = approver(shell)
    with counting(shell, "one", approval={**PROGRESS, "have": 1}):
        done = bob.run("approve", "one", "--yes", "--comment", "agreed")
    assert (done.returncode, done.stderr) == (0, "")
    for told in (
        "  Action      wait, risk High", "  Reason      queue is long", "  Ticket      OPS-1", "  Asked by    alice",
        "  Runs as     ServiceAccount ops", "  Deployment shop/checkout  spec.replicas  3 -> 6",
        "  ! an autoscaler also scales it", f"  Digest     {DIGEST}",
    ):  # fmt: skip
        assert told in done.stdout
    (vote,) = votes(shell)
    stored = shell.stored("ActionProposal", "one")["metadata"]
    assert done.stdout.splitlines()[-2:] == [
        f"you approved ap/one: aa/{vote['metadata']['name']}",
        "ap/one counts your approval: 1 of 2",
    ]
    assert vote["spec"]["subject"] == {"kind": "ActionProposal", "name": "one", "uid": stored["uid"]}
    assert (vote["spec"]["decision"], vote["spec"]["comment"]) == ("Approve", "agreed")
    assert (vote["spec"]["digest"], vote["spec"]["actions"]) == (DIGEST, ["wait"])
    assert vote["spec"]["approver"]["username"] == "bob"
    assert "developers" in vote["spec"]["approver"]["groups"]
    (owner,) = vote["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"]) == ("ActionProposal", "one", stored["uid"])


def test_approving_twice_is_one_vote(shell: Shell) -> None:
    shell.workflow("flow", awaiting())
    bob = approver(shell)
    with counting(shell, "flow", "ActionWorkflow", approval={**PROGRESS, "required": 1, "have": 1}):
        assert bob.run("approve", "aw/flow", "--yes").stdout.endswith("aw/flow has all approvals it needs: 1 of 1\n")
    done = bob.run("approve", "aw/flow", "--yes", "--comment", "again")
    assert done.returncode == 0
    (vote,) = votes(shell)
    assert f"ago already: aa/{vote['metadata']['name']}\n" in done.stdout
    assert vote["spec"].get("comment", "") == ""
    assert vote["spec"]["subject"]["kind"] == "ActionWorkflow"


def test_a_rejection_ends_it(shell: Shell) -> None:
    shell.proposal("one", awaiting())
    bob = approver(shell)
    with counting(shell, "one", **ended("Rejected", message="rejected by bob: too risky")):
        done = bob.run("reject", "one", "--yes", "--comment", "too risky")
    assert done.returncode == 0
    assert done.stdout.endswith("ap/one is Rejected: rejected by bob: too risky\n")
    done = bob.run("approve", "one", "--yes")
    assert done.returncode == 1
    assert "already finished (Rejected); there is nothing to approve" in done.stderr


def test_a_vote_that_nobody_counts_is_told_with_its_own_code(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(approving, "COUNT_SECONDS", 0.3)
    shell.proposal("one", awaiting())
    unproven = approved("False", "IdentityNotEnforced", "no vote counts, because policy x is missing")
    shell.proposal("unproven", awaiting(conditions=[unproven]))
    bob = approver(shell)
    done = bob.run("approve", "one", "--yes")
    assert done.returncode == 124
    assert done.stderr.startswith("ap/one has not counted your vote within 0.3 s (AwaitingApproval: waits for 2")
    assert f"see: kubectl actions describe ap/one -n {shell.namespace}" in done.stderr
    done = bob.run("approve", "unproven", "--yes")
    assert done.returncode == 16
    assert done.stderr == "ap/unproven does not count your vote: no vote counts, because policy x is missing\n"


def test_ones_own_request_is_not_approved(shell: Shell) -> None:
    shell.proposal("one", awaiting(), by="admin")
    done = shell.run("approve", "one", "--yes")
    assert done.returncode == 16
    assert "you asked for it yourself" in done.stderr
    assert votes(shell) == []


@pytest.mark.parametrize(
    ("arguments", "status", "code", "says"),
    [
        pytest.param((), awaiting(), 2, "there is no terminal to ask on; add --yes", id="nobody to ask"),
        pytest.param(("--yes", "--digest", OTHER), awaiting(), 1, f"its digest is {DIGEST}, not {OTHER}", id="changed"),
        pytest.param(("--yes",), {"phase": "Pending"}, 1, "no digest yet, so there is nothing to approve", id="early"),
        pytest.param(("--yes",), awaiting(startedAt=SINCE), 1, "has started already", id="late"),
        pytest.param(
            ("--yes",),
            awaiting(conditions=[approved("True", "NotRequired", "no policy asks for an approval")]),
            1, "ap/one needs no approval: no policy asks for an approval", id="not needed",
        ),
        pytest.param(("--yes", "--comment", "x" * 1025), awaiting(), 1, "at most 1024 characters", id="long comment"),
    ],
)  # fmt: skip
def test_what_cannot_be_approved_is_told_and_nothing_is_stored(
    shell: Shell, arguments: tuple[str, ...], status: Manifest, code: int, says: str
) -> None:
    shell.proposal("one", status)
    done = approver(shell).run("approve", "one", *arguments)
    assert done.returncode == code
    assert says in done.stderr
    assert votes(shell) == []


def test_what_was_just_made_is_waited_for(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    shell.proposal("one", by="alice")
    looked: list[str] = []
    find = approving.find

    async def found(*about: Any) -> Any:
        if looked:
            shell.status("ActionProposal", "one", **awaiting())
        looked.append("")
        return await find(*about)

    monkeypatch.setattr(approving, "find", found)
    done = approver(shell).run("approve", "one", "-o", "yaml")
    assert (done.returncode, len(looked)) == (0, 2), done.stderr
    assert yaml.safe_load(done.stdout)["spec"]["digest"] == DIGEST


def test_where_no_operator_looks_it_is_said_who_tells_why(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(approving, "COUNT_SECONDS", 0.0)
    shell.proposal("one", by="alice")
    done = approver(shell).run("approve", "one", "--yes")
    assert done.returncode == 1
    assert "ap/one cannot be voted on: the operator has not looked at it yet" in done.stderr
    assert "kubectl actions doctor" in done.stderr


def test_what_is_not_there_and_what_the_api_server_refuses(shell: Shell) -> None:
    shell.proposal("one", awaiting())
    carol = become(shell, "carol", READ)
    assert carol.run("approve", "ap/other", "--yes").returncode == 3
    done = carol.run("approve", "one", "--yes")
    assert done.returncode == 4
    assert 'User "carol" cannot create resource "actionapprovals"' in done.stderr


def test_a_manifest_of_the_vote_can_be_applied_later(shell: Shell) -> None:
    shell.proposal("one", awaiting())
    done = approver(shell).run("approve", "one", "-o", "yaml", "--comment", "as agreed")
    manifest = yaml.safe_load(done.stdout)
    assert (manifest["spec"]["approver"]["username"], manifest["spec"]["digest"]) == ("bob", DIGEST)
    assert votes(shell) == []
    assert shell.server.create({**manifest, "spec": {**manifest["spec"], "approver": None}}).accepted


@pytest.mark.parametrize(("answer", "code", "stored"), [("n\n", 1, 0), ("\n", 1, 0), ("\x04", 1, 0), ("y\n", 124, 1)])
def test_on_a_terminal_it_asks_first(shell: Shell, answer: str, code: int, stored: int) -> None:
    shell.proposal("one", awaiting())
    outer, inner = pty.openpty()
    running = approver(shell).start("approve", "one", stdin=inner, stdout=inner, stderr=inner)
    os.close(inner)
    seen = read_until(outer, "[y/N]", seconds=30)
    assert f"Approve ap/one, {DIGEST}?" in seen
    assert "3 -> 6" in re.sub(r"\x1b\[[0-9;]*m", "", seen)
    os.write(outer, answer.encode())
    assert running.wait(timeout=30) == code
    seen += drain(outer)
    assert ("not confirmed; nothing was done" in seen) is (stored == 0)
    assert len(votes(shell)) == stored


def test_ctrl_c_at_the_question_ends_it(shell: Shell) -> None:
    shell.proposal("one", awaiting())
    outer, inner = pty.openpty()
    running = approver(shell).start("approve", "one", stdin=inner, stdout=inner, stderr=inner)
    os.close(inner)
    read_until(outer, "[y/N]", seconds=30)
    os.killpg(running.pid, signal.SIGINT)
    assert running.wait(timeout=20) == 130
    assert "Traceback" not in drain(outer)
    assert votes(shell) == []


def test_what_changes_while_it_is_shown_is_not_approved(shell: Shell) -> None:
    shell.proposal("one", awaiting())
    outer, inner = pty.openpty()
    running = approver(shell).start("approve", "one", stdin=inner, stdout=inner, stderr=inner)
    os.close(inner)
    read_until(outer, "[y/N]", seconds=30)
    shell.status("ActionProposal", "one", digest=OTHER)
    os.write(outer, b"y\n")
    assert running.wait(timeout=30) == 1
    assert "what would run, or what it would change" in " ".join(drain(outer).split())
    assert votes(shell) == []


def test_pending_is_what_waits_for_me(shell: Shell) -> None:
    shell.proposal("mine", awaiting(), by="bob")
    shell.proposal("mine-too", awaiting(approval={**PROGRESS, "allowSelf": True}), by="bob")
    shell.proposal("theirs", awaiting(approval={**PROGRESS, "groups": ["sre"]}), by="carol")
    shell.proposal("counted", awaiting(approvals=[
        {"name": "x", "username": "bob", "decision": "Approve", "at": SINCE}]), by="carol")  # fmt: skip
    shell.proposal("other", awaiting(), action="log-message", parameters={"message": "x"}, by="carol")
    shell.proposal("blocked", {"phase": "Blocked", "message": "halted", "digest": DIGEST})
    shell.workflow("flow", awaiting())
    bob = become(shell, "bob", READ, VOTE, approve_rule("wait"))
    assert bob.run("approve", "flow", "--yes").returncode == 124
    done = bob.run("pending")
    assert done.returncode == 0
    header, *lines = done.stdout.splitlines()
    assert header.split()[:4] == ["NAME", "ACTIONS", "RISK", "REQUESTED"]
    assert {line.split()[0] for line in lines} == {"ap/mine-too", "ap/theirs"}
    assert any("bob (your own)" in line for line in lines)
    assert any("0 of 2, still needed from sre" in line for line in lines)
    assert done.stderr == "and 4 that wait for somebody else; see them with --all\n"
    told = {line.split()[0]: line for line in bob.run("pending", "--all").stdout.splitlines()}
    assert set(told) == {"NAME", "ap/mine", "ap/mine-too", "ap/theirs", "ap/counted", "ap/other", "aw/flow"}
    for name, why in (
        ("ap/mine", "you asked for it"),
        ("ap/counted", "you approved it"),
        ("ap/other", "you may not approve log-message"),
        ("aw/flow", "you approved it"),
    ):
        assert why in told[name]
    names = [item["metadata"]["name"] for item in json.loads(bob.run("pending", "-o", "json").stdout)["items"]]
    assert sorted(names) == ["mine-too", "theirs"]
    assert bob.run("pending", "-A", namespaced=False).returncode == 4
    assert shell.namespace in shell.run("pending", "-A", namespaced=False).stdout


def test_nothing_pending_is_said_beside_the_output(shell: Shell) -> None:
    done = shell.run("pending")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == f"nothing awaits approval in namespace {shell.namespace}; for all namespaces add -A\n"
    shell.proposal("one", awaiting())
    nobody = become(shell, "bob", READ)
    assert nobody.run("pending").stderr == (
        f"nothing waits for your approval in namespace {shell.namespace}; 1 waits for somebody else, see --all\n"
    )


def test_who_can_approve(shell: Shell) -> None:
    steps = [{"name": "a", "action": "wait", "parameters": {"seconds": 1}},
             {"name": "b", "action": "log-message", "parameters": {"message": "x"}}]  # fmt: skip
    asked = [{"policy": "prod", "required": 2}, {"required": 1, "groups": ["sre", "dba"]}]
    progress = {**PROGRESS, "groups": ["sre"], "quorums": asked}
    shell.workflow("flow", awaiting(approval=progress), by="carol", steps=steps)
    grant(shell, "some", user("bob"), VOTE, approve_rule("wait"))
    grant(shell, "sre", {"kind": "Group", "name": "sre", "apiGroup": GROUP}, VOTE, approve_rule())
    agent = {"kind": "ServiceAccount", "name": "agent", "namespace": shell.namespace}
    grant(shell, "agent", agent, approve_rule())
    robot = {"kind": "ServiceAccount", "name": "robot", "namespace": shell.namespace}
    grant(shell, "robot", robot, approve_rule(verbs=("approve", "approve-as-machine")))
    done = shell.run("who-can", "flow")
    assert (done.returncode, done.stderr) == (0, "")
    may, some, rule = done.stdout.split("\n\n")[1:]
    assert "  group            sre" in may
    assert "RoleBinding sre (Role sre)" in may
    assert f"service account  {shell.namespace}/robot" in may
    assert "may not create actionapprovals" in may
    assert "system:masters" in may
    assert "agent" not in done.stdout.replace("agent-", "")
    assert some.splitlines()[2].split()[:3] == ["user", "bob", "log-message"]
    assert rule.splitlines() == [
        "What it takes",
        "  2 approvals (policy prod)",
        "  an approval of group sre or dba (setting OPERATOR_APPROVAL_MODE)",
        "  it has 0 of 2, still needed from sre, each user counted once",
        "  carol asked for it, and does not count",
    ]
    data = json.loads(shell.run("who-can", "flow", "-o", "json").stdout)
    by_name = {one["name"]: one for one in data["approvers"]}
    assert (by_name["bob"]["may"], by_name["bob"]["mayNot"]) == (["wait"], ["log-message"])
    assert data["incomplete"] == []


def test_who_may_not_read_rbac_is_told_what_is_missing(shell: Shell) -> None:
    shell.proposal("one", awaiting())
    bob = become(shell, "bob", READ, {"apiGroups": [GROUP], "resources": ["rolebindings", "roles"], "verbs": ["list"]})
    grant(shell, "sre", {"kind": "Group", "name": "sre", "apiGroup": GROUP}, VOTE, approve_rule())
    done = bob.run("who-can", "one")
    assert done.returncode == 0
    assert "  group  sre" in done.stdout
    assert "! clusterrolebindings cannot be read, so this may be incomplete" in done.stdout
    assert "! clusterroles cannot be read, so this may be incomplete" in done.stdout


def test_a_secret_is_shown_by_reference_only(shell: Shell) -> None:
    parameters = {"method": "PUT", "url": "https://hooks.example.com",
                  "headers": {"Authorization": {"secretKeyRef": {"name": "hook", "key": "token"}}}}  # fmt: skip
    shell.proposal("one", awaiting(), action="http-request", parameters=parameters)
    secret = {"metadata": {"name": "hook"}, "stringData": {"token": "s3cret-canary"}}
    assert shell.server.send("POST", f"/api/v1/namespaces/{shell.namespace}/secrets", secret).accepted
    done = approver(shell).run("approve", "one", "--digest", DIGEST)
    assert "secretKeyRef" in done.stdout
    assert "s3cret-canary" not in done.stdout + done.stderr
