"""halt, resume, mode, policy explain and digest against a real API server with the catalogue, but no operator.

Policies are of the whole cluster, and other tests use it too: whatever is made here is about one namespace.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from api_server import ApiServer, Manifest
from cli_shell import API, ROOT, Shell

from localcluster.controlplane import ControlPlane

MADE_BY = "app.kubernetes.io/managed-by"
SCALE = {"kind": "Deployment", "name": "checkout", "replicas": 6}


@pytest.fixture(scope="module")
def catalogue(cluster: ControlPlane, crds: None) -> None:
    subprocess.run(
        [cluster.kubectl, "--kubeconfig", cluster.kubeconfig, "apply", "--server-side", "-f", ROOT / "catalog"],
        check=True, capture_output=True,
    )  # fmt: skip


@pytest.fixture
def shell(cluster: ControlPlane, catalogue: None, namespace: str) -> Iterator[Shell]:
    server = ApiServer(cluster, namespace)
    yield Shell(cluster, server, cluster.kubeconfig)
    for found in policies(server):
        if namespace in json.dumps(found["spec"]):
            server.delete_policy(found["metadata"]["name"])
    server.close()


def policies(server: ApiServer) -> list[Manifest]:
    items: list[Manifest] = server.send("GET", server.path("ActionPolicy")).body["items"]
    return items


def of_command(shell: Shell) -> dict[str, Manifest]:
    """The policies that commands made for this namespace, by name."""
    return {
        found["metadata"]["name"]: found
        for found in policies(shell.server)
        if found["metadata"].get("labels", {}).get(MADE_BY) and shell.namespace in json.dumps(found["spec"])
    }


def policy(shell: Shell, suffix: str, **spec: Any) -> str:
    """A policy that somebody else made, by default for this namespace."""
    name = f"{shell.namespace[-8:]}-{suffix}"
    manifest = {"apiVersion": API, "kind": "ActionPolicy", "metadata": {"name": name},
                "spec": {"match": {"namespaces": [shell.namespace]}, **spec}}  # fmt: skip
    answer = shell.server.create(manifest, dry_run=False)
    assert answer.accepted, answer.says
    return name


def test_a_halt_is_a_policy_of_its_own_and_resume_ends_it(shell: Shell) -> None:
    done = shell.run("halt", "--reason", "bad deploy")
    assert done.returncode == 0
    ((name, made),) = of_command(shell).items()
    assert done.stdout == (
        f"everything in namespace {shell.namespace} is halted: nothing new starts until: "
        f"kubectl actions resume apol/{name}\n"
    )
    assert made["spec"] == {"match": {"namespaces": [shell.namespace]}, "halt": True}
    assert made["metadata"]["annotations"]["actionoperator.dev/reason"] == "bad deploy"
    assert made["metadata"]["annotations"]["actionoperator.dev/changed-by"] == "admin"

    again = shell.run("halt", "--reason", "another")
    assert again.returncode == 0
    assert f"is halted already by apol/{name} (by admin," in again.stdout
    assert again.stdout.endswith("ago: bad deploy); nothing was changed\n")
    assert set(of_command(shell)) == {name}

    kept = policy(shell, "git", halt=True)
    narrow = shell.run("halt", "--action", "wait", "--risk", "low")
    assert "wait and risk Low in namespace" in narrow.stdout
    (other,) = set(of_command(shell)) - {name}
    assert of_command(shell)[other]["spec"]["match"] == {
        "namespaces": [shell.namespace], "actions": ["wait"], "risks": ["Low"],
    }  # fmt: skip

    several = shell.run("resume", namespaced=False)
    assert several.returncode == 2
    assert f"apol/{other} (wait and risk Low in namespace {shell.namespace})" in several.stderr
    assert "or take back all with --all" in several.stderr

    refused = shell.run("resume", f"apol/{kept}", namespaced=False)
    assert refused.returncode == 1
    assert f"apol/{kept} was not made by `kubectl actions halt`" in refused.stderr
    assert shell.run("resume", "apol/nobody", namespaced=False).returncode == 3

    one = shell.run("resume", f"apol/{other}", namespaced=False)
    assert one.stdout == f"apol/{other} is gone: it halted wait and risk Low in namespace {shell.namespace}\n"
    assert f"apol/{name} still halts everything in namespace {shell.namespace} (by admin" in one.stderr
    assert f"end it with: kubectl actions resume apol/{name}" in one.stderr
    assert f"apol/{kept} still halts everything in namespace {shell.namespace}" in one.stderr
    assert "change it where it is kept" in one.stderr

    asked = shell.run("resume", namespaced=False)
    assert (asked.returncode, set(of_command(shell))) == (2, {name})
    assert "add --yes" in asked.stderr
    last = shell.run("resume", "--all", namespaced=False)
    assert f"apol/{name} is gone" in last.stdout
    assert of_command(shell) == {}
    assert kept in {found["metadata"]["name"] for found in policies(shell.server)}


def test_a_halt_never_fails_over_a_name(shell: Shell) -> None:
    name = yaml.safe_load(shell.run("halt", "-o", "yaml").stdout)["metadata"]["name"]
    squatter = {"apiVersion": API, "kind": "ActionPolicy", "metadata": {"name": name},
                "spec": {"match": {"namespaces": [shell.namespace]}, "halt": False}}  # fmt: skip
    assert shell.server.create(squatter, dry_run=False).accepted
    assert shell.run("halt").returncode == 0
    (made,) = of_command(shell)
    assert made.startswith(f"{name}-")
    assert shell.run("resume", f"apol/{made}").returncode == 0


def test_a_halt_of_everything_is_only_printed_here(shell: Shell) -> None:
    made = yaml.safe_load(shell.run("halt", "--reason", "all", "-o", "yaml", namespaced=False).stdout)
    assert (made["metadata"]["name"], made["spec"]) == ("kubectl-actions-halt", {"halt": True})
    assert shell.server.create(made).accepted
    labels = yaml.safe_load(
        shell.run("halt", "--namespace-selector", "tier=prod, team=shop", "-o", "yaml", namespaced=False).stdout
    )
    assert labels["spec"] == {"match": {"namespaceLabels": {"team": "shop", "tier": "prod"}}, "halt": True}
    assert shell.server.create(labels).accepted


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        pytest.param(("halt", "--action", "scale-wrkload"), 3, "there is no ActionType scale-wrkload", id="action"),
        pytest.param(("halt", "-n", "nowhere-at-all"), 3, '"nowhere-at-all" not found', id="namespace"),
        pytest.param(("halt", "-n", ""), 2, "--namespace is empty", id="empty variable"),
        pytest.param(("-n", "", "mode", "Execute"), 2, "--namespace is empty", id="empty variable before"),
        pytest.param(("halt", "--risk", "huge"), 2, "there are Low, Medium, High, Critical", id="risk"),
        pytest.param(("halt", "--namespace-selector", "prod"), 2, "write labels like", id="labels"),
        pytest.param(("mode", "observe", "--action", "nope"), 3, "there is no ActionType nope", id="mode"),
        pytest.param(("mode", "dryrun"), 2, "dryrun", id="no mode"),
        pytest.param(("mode", "observe", "--clear"), 2, "either a mode or --clear", id="both"),
        pytest.param(("mode", "--action", "wait"), 2, "at most one --namespace", id="show one action"),
        pytest.param(("digest",), 2, "either the NAME of a stored object or -f FILE", id="digest of nothing"),
    ],
)  # fmt: skip
def test_a_slip_of_the_pen_is_refused(shell: Shell, arguments: tuple[str, ...], code: int, says: str) -> None:
    done = shell.run(*arguments, namespaced=False)
    assert done.returncode == code
    assert says in " ".join(done.stderr.replace("│", "").split())
    assert of_command(shell) == {}


def test_who_may_not_change_policies_is_told_the_missing_right(shell: Shell) -> None:
    shell.kubeconfig = shell.cluster.kubeconfig_of("bob")
    done = shell.run("halt")
    assert done.returncode == 4
    assert "resources: [actionpolicies], verbs: [create]}" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def in_force(shell: Shell) -> dict[str, tuple[str, str | None]]:
    data = json.loads(shell.run("mode", "-o", "json").stdout)
    return {one["action"]: (one["mode"], one["by"]) for one in data["inForce"]}


def test_the_mode_is_shown_and_said(shell: Shell) -> None:
    assert in_force(shell)["wait"] == ("Observe", None)
    opened = policy(shell, "run", mode="Execute")
    nodes = policy(shell, "nodes", mode="Observe", match={"namespaces": [shell.namespace], "actions": ["cordon-node"]})
    assert in_force(shell)["wait"] == ("Execute", opened)
    assert in_force(shell)["cordon-node"] == ("Observe", nodes)
    lines = [" ".join(line.split()) for line in shell.run("mode").stdout.splitlines()]
    assert any(line.startswith(f"{nodes} Observe - ") and "cordon-node in namespace" in line for line in lines)
    assert f"wait Execute {opened} -" in lines

    done = shell.run("mode", "observe", "--reason", "audit")
    assert done.returncode == 0
    ((name, made),) = of_command(shell).items()
    assert made["spec"] == {"match": {"namespaces": [shell.namespace]}, "mode": "Observe"}
    assert f"apol/{name} says Observe for everything in namespace {shell.namespace}" in done.stdout
    assert f"take it back with: kubectl actions mode --clear -n {shell.namespace}" in done.stdout
    assert set(in_force(shell).values()) == {("Observe", name), ("Observe", nodes)} | {("Observe", name)}

    asked = shell.run("mode", "Execute")
    assert asked.returncode == 2
    assert "this gives leave" in asked.stderr
    assert f"apol/{nodes} keeps Observe for cordon-node in namespace {shell.namespace}" in asked.stderr
    assert of_command(shell)[name]["spec"]["mode"] == "Observe"

    assert shell.run("mode", "Execute", "--yes").returncode == 0
    changed = of_command(shell)[name]
    assert changed["spec"]["mode"] == "Execute"
    assert "actionoperator.dev/reason" not in changed["metadata"]["annotations"]
    assert in_force(shell)["cordon-node"] == ("Observe", nodes)

    cleared = shell.run("mode", "--clear")
    assert cleared.stdout.startswith(f"apol/{name} is gone: it said Execute for everything in namespace")
    assert of_command(shell) == {}
    assert shell.run("mode", "--clear").returncode == 3


def test_execute_that_would_change_nothing_is_refused(shell: Shell) -> None:
    stronger = policy(shell, "look", mode="Observe")
    done = shell.run("mode", "Execute", "--yes")
    assert done.returncode == 1
    assert f"Execute would change nothing: apol/{stronger} says Observe for all of that" in done.stderr
    assert of_command(shell) == {}


def test_a_halt_shows_with_the_mode(shell: Shell) -> None:
    assert shell.run("halt", "--action", "wait").returncode == 0
    (name,) = of_command(shell)
    lines = [" ".join(line.split()) for line in shell.run("mode").stdout.splitlines()]
    assert f"wait Observe no policy says Execute {name}" in lines
    assert "log-message Observe no policy says Execute -" in lines
    assert shell.run("resume", f"apol/{name}").returncode == 0


def test_resume_of_what_was_suspended_is_as_before(shell: Shell) -> None:
    shell.proposal("one")
    assert shell.run("suspend", "one").returncode == 0
    assert shell.run("resume", "one").stdout == "ap/one goes on\n"
    assert shell.run("resume", "one", "--all").returncode == 2


def test_policies_are_explained(shell: Shell) -> None:
    run = policy(shell, "a-run", mode="Execute", serviceAccountName="ops",
                 limits={"maxConcurrent": 5}, approval={"required": 1})  # fmt: skip
    strict = policy(shell, "b-strict", approval={"required": 2}, match={"namespaces": [shell.namespace],
                    "requesters": ["alice"]})  # fmt: skip
    nodes = {"namespaces": [shell.namespace], "actions": ["cordon-node"]}
    other = policy(shell, "c-nodes", mode="Observe", match=nodes)
    shell.proposal("one", by="alice")
    lines = [" ".join(line.split()) for line in shell.run("policy", "explain", "one").stdout.splitlines()]
    assert lines[0] == f"ap/one: wait, risk Low, asked for by alice in namespace {shell.namespace}"
    assert f"mode {run} Execute" in lines
    assert f"approval.required {strict} 2" in lines
    assert "approval.required no 1" in lines
    assert any(line.endswith("approval.required yes 2") for line in lines)
    assert f"{other} match.actions: wait is not among cordon-node" in lines

    shell.proposal("two", by="carol")
    data = json.loads(shell.run("policy", "explain", "ap/two", "-o", "json").stdout)
    by_name = {one["name"]: one for one in data["actions"][0]["policies"]}
    assert by_name[strict]["whyNot"] == ["match.requesters: carol is not among alice"]
    assert {rule["field"]: rule["value"] for rule in data["actions"][0]["rules"]}["approval.required"] == "1"

    first = {"n": 1, "at": "2026-11-22T15:04:05Z", "reason": "Proposed", "actor": "unverified:alice"}
    shell.workflow("flow", {"history": [first]}, by="alice")
    page = shell.run("policy", "explain", "aw/flow").stdout
    assert page.startswith("aw/flow: wait, risk Low, asked for by alice (not proven) in namespace")
    assert "perhaps: it names requesters" in page


def test_without_a_policy_the_mode_is_explained(shell: Shell) -> None:
    shell.proposal("one", by="alice")
    lines = [" ".join(line.split()) for line in shell.run("policy", "explain", "one").stdout.splitlines()]
    assert "mode no policy says Execute Observe" in lines


MANIFEST = """\
apiVersion: actionoperator.dev/v1alpha1
kind: ActionProposal
metadata: {name: one}
spec:
  action: scale-workload
  parameters: {kind: Deployment, name: checkout, replicas: 6}
  reason: "queue depth: four times normal"
  ticket:
  notBefore: 2030-01-01T02:00:00Z
  retry: {maxAttempts: 5, minWaitSeconds: 1.0}
---
apiVersion: actionoperator.dev/v1alpha1
kind: ActionWorkflow
metadata: {name: flow}
spec:
  description: two steps
  reason: r
  order: Graph
  steps:
  - {name: a, action: wait, parameters: {seconds: 1}}
  - {name: b, action: scale-workload, parameters: {kind: Deployment, name: checkout, replicas: 6}, dependsOn: [a]}
"""


def digests(text: str) -> dict[str, str]:
    return {name: digest for digest, name in (line.split() for line in text.splitlines())}


def test_a_manifest_has_the_digest_that_it_has_when_it_is_stored(shell: Shell, tmp_path: Path) -> None:
    policy(shell, "run", mode="Execute", serviceAccountName="ops")
    file = tmp_path / "two.yaml"
    file.write_text(MANIFEST)
    done = shell.run("digest", "-f", str(file))
    assert done.returncode == 0
    told = digests(done.stdout)
    assert set(told) == {"ap/one", "aw/flow"}
    shell_kubectl = [shell.cluster.kubectl, "--kubeconfig", shell.cluster.kubeconfig, "-n", shell.namespace]
    subprocess.run([*shell_kubectl, "apply", "-f", file], check=True, capture_output=True)
    for name in ("ap/one", "aw/flow"):
        data = json.loads(shell.run("digest", name, "-o", "json").stdout)
        assert data["requestDigest"] == told[name]
        assert data["stored"] == {"requestDigest": None, "digest": None}
        kind = {"ap": "ActionProposal", "aw": "ActionWorkflow"}[name[:2]]
        stored = shell.stored(kind, name[3:])["spec"]
        assert data["document"]["spec"] == {
            key: value for key, value in stored.items() if key not in ("suspend", "cancelled", "requestedBy")
        }


def test_a_stored_digest_is_compared(shell: Shell) -> None:
    policy(shell, "run", mode="Execute", serviceAccountName="ops")
    shell.proposal("one", action="scale-workload", parameters=SCALE)
    done = shell.run("digest", "one")
    assert done.returncode == 0
    assert (
        done.stderr == "nothing is stored to compare with: ap/one is Pending: the operator has not looked at it yet\n"
    )
    request = json.loads(shell.run("digest", "one", "-o", "json").stdout)["requestDigest"]
    shell.status("ActionProposal", "one", requestDigest=request, runner="ops")
    done = shell.run("digest", "one")
    assert (done.returncode, done.stdout) == (0, f"request digest  {request}  as stored\n")

    shell.status("ActionProposal", "one", requestDigest="sha256:" + "0" * 64)
    done = shell.run("digest", "one")
    assert done.returncode == 1
    assert f"{request}  but stored is sha256:000" in done.stdout
    assert done.stderr.startswith("differs: types or timings")

    shell.status("ActionProposal", "one", requestDigest=request)
    for found in policies(shell.server):
        if shell.namespace in json.dumps(found["spec"]):
            shell.server.send("PATCH", shell.server.path("ActionPolicy", found["metadata"]["name"]),
                              {"spec": {"serviceAccountName": "root"}})  # fmt: skip
    done = shell.run("digest", "one")
    assert done.returncode == 1
    assert done.stderr == "differs: runner: root by today's policies, ops in status\n"


def test_anyone_can_recompute_it_from_what_the_command_prints(shell: Shell) -> None:
    shell.proposal("one", reason="grüße, „quoted“ \\ and\ttabs")
    data = json.loads(shell.run("digest", "one", "-o", "json").stdout)
    command = "jq -cjS .document | sha256sum"
    made = subprocess.run(command, shell=True, input=json.dumps(data), text=True, capture_output=True, check=True)  # noqa: S602
    assert f"sha256:{made.stdout.split()[0]}" == data["requestDigest"]


def test_what_a_digest_depends_on_must_be_readable(shell: Shell) -> None:
    root = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{shell.namespace}"
    group = "rbac.authorization.k8s.io"
    rule = {"apiGroups": ["actionoperator.dev"], "resources": ["actionproposals", "actionworkflows"], "verbs": ["get"]}
    assert shell.server.send("POST", f"{root}/roles", {"metadata": {"name": "r"}, "rules": [rule]}).accepted
    binding = {"metadata": {"name": "r"}, "subjects": [{"kind": "User", "name": "bob", "apiGroup": group}],
               "roleRef": {"apiGroup": group, "kind": "Role", "name": "r"}}  # fmt: skip
    assert shell.server.send("POST", f"{root}/rolebindings", binding).accepted
    shell.proposal("one")
    shell.kubeconfig = shell.cluster.kubeconfig_of("bob")
    done = shell.run("digest", "one")
    assert done.returncode == 4
    assert "resources: [actiontypes], verbs: [list]}" in done.stderr


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("kind: Pod\napiVersion: v1\n", "has no ActionProposal or ActionWorkflow"),
        ("{", "cannot be read"),
        (MANIFEST.replace("replicas: 6", "replicas: many"), "spec.parameters.replicas: must be of type integer"),
        (MANIFEST.replace("ticket:", "tikcet: X"), "spec.tikcet: is not a field of this kind"),
    ],
)  # fmt: skip
def test_a_manifest_that_has_no_digest_is_told_why(shell: Shell, tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(text)
    done = shell.run("digest", "-f", str(file))
    assert done.returncode == 1
    assert says in done.stderr


@pytest.mark.skipif(not shutil.which("jq"), reason="jq is not installed")
def test_the_recipe_of_the_documentation_recomputes_what_is_stored(shell: Shell, tmp_path: Path) -> None:
    policy(shell, "run", mode="Execute", serviceAccountName="ops")
    retry = {"maxAttempts": 7, "minWaitSeconds": 0.5, "jitterFraction": 0.25}
    shell.proposal("settle", action="scale-workload", parameters=SCALE, reason="grüße", retry=retry)
    request = json.loads(shell.run("digest", "settle", "-o", "json").stdout)["requestDigest"]
    change = {"target": "Deployment shop/checkout", "path": "spec.replicas", "after": 6}
    seen = {"summary": "s", "changes": [change, {**change, "managedBy": "hpa"}], "computedAt": "2026-11-22T15:04:05Z"}
    shell.status("ActionProposal", "settle", requestDigest=request, runner="ops", preview=seen)
    (block,) = re.findall(r"```console\n(.*?)```", (ROOT / "docs/spec/digest.md").read_text(), re.DOTALL)
    typed = re.sub(r"^\$ ", "", block, flags=re.MULTILINE)
    typed = typed.replace("-n shop", f"-n {shell.namespace}").replace("get at wait", "get at scale-workload")
    environment = os.environ | {
        "KUBECONFIG": str(shell.kubeconfig), "PATH": f"{shell.cluster.kubectl.parent}:{os.environ['PATH']}",
    }  # fmt: skip
    done = subprocess.run(
        ["bash", "-ec", typed], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    first, second = (f"sha256:{line.split()[0]}" for line in done.stdout.splitlines())
    assert first == request
    shell.status("ActionProposal", "settle", digest=second)
    told = shell.run("digest", "settle")
    assert (told.returncode, told.stdout.count("as stored")) == (0, 2)
