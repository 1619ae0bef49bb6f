"""`kubectl actions` against a real API server: output for people and programs, exit codes, refusals."""

import json
import os
import pty
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from api_server import ApiServer
from cli_shell import API, DIGEST, Shell, drain, ended, read_until, settle

from localcluster.controlplane import ControlPlane


@pytest.fixture
def shell(cluster: ControlPlane, crds: None, namespace: str) -> Iterator[Shell]:
    server = ApiServer(cluster, namespace)
    yield Shell(cluster, server, cluster.kubeconfig)
    server.close()


DONE = {
    "number": 1, "id": "a", "operation": "o", "owner": "p", "typeDigest": DIGEST, "idempotent": True,
    "startedAt": "2026-11-22T15:00:00Z", "deadline": "2026-11-22T15:05:00Z", "result": "Succeeded",
    "finishedAt": "2026-11-22T15:00:01Z", "doneAt": "2026-11-22T15:00:01Z",
}  # fmt: skip
UNDOABLE = ended("Succeeded", attempts=[DONE], undo={"action": "wait", "parameters": {"seconds": 2}})


def test_list_shows_both_kinds_for_people_and_for_programs(shell: Shell) -> None:
    shell.proposal("one", ended("Failed"))
    shell.workflow("two")
    done = shell.run("list")
    assert (done.returncode, done.stderr) == (0, "")
    header, *lines = done.stdout.splitlines()
    assert header.split() == ["NAME", "ACTION", "PHASE", "RETRIES", "AGE", "MESSAGE"]
    assert {line.split()[0] for line in lines} == {"ap/one", "aw/two"}
    assert "\x1b" not in done.stdout
    items = json.loads(shell.run("list", "-o", "json").stdout)["items"]
    assert {(item["kind"], item["metadata"]["name"]) for item in items} == {
        ("ActionProposal", "one"),
        ("ActionWorkflow", "two"),
    }
    assert all("managedFields" not in item["metadata"] for item in items)
    assert yaml.safe_load(shell.run("list", "-o", "yaml").stdout)["items"] == items
    assert shell.run("list", "-o", "name", "--kind", "workflows").stdout == "actionworkflow.actionoperator.dev/two\n"
    assert "ap/one" not in shell.run("list", "--live").stdout
    assert shell.namespace in shell.run("list", "-A", namespaced=False).stdout


def test_an_empty_list_is_said_beside_the_output(shell: Shell) -> None:
    done = shell.run("list")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == f"no proposals or workflows in namespace {shell.namespace}; for all namespaces add -A\n"


def test_names_that_kubectl_prints_are_taken_back(shell: Shell) -> None:
    shell.proposal("one")
    name = shell.run("list", "-o", "name").stdout.strip()
    assert shell.run("describe", name, "-o", "name").stdout.strip() == name
    raw = yaml.safe_load(shell.run("describe", name, "-o", "yaml").stdout)
    assert raw["metadata"]["uid"] == shell.stored("ActionProposal", "one")["metadata"]["uid"]


def test_a_name_of_two_kinds_must_say_which(shell: Shell) -> None:
    shell.proposal("same")
    shell.workflow("same")
    done = shell.run("describe", "same")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith("say ap/same or aw/same\n")
    assert shell.run("describe", "aw/same").stdout.startswith(f"ActionWorkflow {shell.namespace}/same")


def test_what_is_not_there_is_one_line_with_a_near_name(shell: Shell) -> None:
    shell.proposal("scale-checkout")
    done = shell.run("describe", "scale-chekout")
    assert done.returncode == 3
    assert done.stderr == (
        f"error: there is no proposal or workflow scale-chekout in namespace {shell.namespace}; "
        "did you mean ap/scale-checkout?\n"
    )


@pytest.mark.usefixtures("operator_kubeconfig")
def test_what_is_proposed_in_a_namespace_that_is_not_there_says_just_that(shell: Shell) -> None:
    asked = ("create", "wait", "-p", "seconds=1", "--reason", "r", "-n", "no-such-place")
    done = shell.run(*asked, namespaced=False)
    assert done.returncode == 3
    assert done.stderr.startswith("error: there is no namespace no-such-place; ")


@pytest.mark.parametrize(
    ("outcome", "spec", "code"),
    [
        ("Succeeded", {}, 0),
        ("Observed", {"mode": "DryRun"}, 0),
        ("Failed", {}, 10),
        ("Rejected", {}, 11),
        ("Expired", {}, 12),
        ("Cancelled", {}, 13),
        ("Observed", {}, 14),
        ("Unknown", {}, 15),
    ],
)
def test_wait_exits_with_the_outcome(shell: Shell, outcome: str, spec: dict[str, str], code: int) -> None:
    shell.proposal("one", ended(outcome), **spec)
    done = shell.run("wait", "one")
    assert (done.returncode, done.stdout) == (code, f"ap/one {outcome}: so it ended\n")


def test_wait_tells_where_it_stands_when_time_is_up(shell: Shell) -> None:
    shell.proposal("one", {"phase": "Blocked", "message": "policy stop has halted actions"})
    done = shell.run("wait", "ap/one", "--timeout", "0.5s")
    assert done.returncode == 124
    assert done.stderr.endswith("one is not finished after 0.5 s: Blocked: policy stop has halted actions\n")


def test_cancel_suspend_and_resume_change_the_spec_and_nothing_finished(shell: Shell) -> None:
    shell.proposal("one")
    shell.workflow("two")
    assert shell.run("suspend", "two").returncode == 0
    assert shell.stored("ActionWorkflow", "two")["spec"]["suspend"] is True
    assert shell.run("resume", "two").stdout == "aw/two goes on\n"
    assert shell.stored("ActionWorkflow", "two")["spec"]["suspend"] is False
    assert "is asked to be cancelled (was Pending)" in shell.run("cancel", "one").stdout
    assert shell.stored("ActionProposal", "one")["spec"]["cancelled"] is True
    shell.status("ActionProposal", "one", **ended("Cancelled"))
    for verb in ("cancel", "suspend", "resume"):
        done = shell.run(verb, "one")
        assert done.returncode == 1
        assert done.stderr == f"error: ap/one is already finished (Cancelled); there is nothing to {verb}\n"


def test_undo_prints_a_manifest_that_the_api_server_takes(shell: Shell) -> None:
    shell.proposal("one", UNDOABLE, ticket="OPS-1")
    manifest = yaml.safe_load(shell.run("undo", "one", "-o", "yaml", "--name", "back", "--reason", "too much").stdout)
    assert manifest["metadata"] == {"name": "back", "namespace": shell.namespace}
    assert manifest["spec"] == {
        "action": "wait", "parameters": {"seconds": 2}, "reason": "too much", "ticket": "OPS-1",
    }  # fmt: skip
    assert shell.server.create(manifest).accepted


def test_undo_without_anything_to_undo_says_why(shell: Shell) -> None:
    shell.proposal("live")
    shell.proposal("nothing", ended("Observed"))
    shell.workflow("flow", ended("Succeeded"))
    for name, why in (
        ("live", "live is not finished (Pending)"),
        ("nothing", "nothing changed nothing (outcome Observed)"),
        ("flow", "none of the steps of flow can be undone"),
    ):
        done = shell.run("undo", name)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith(f"error: {why}")
        assert len(done.stderr.splitlines()) == 1


def test_watch_into_a_pipe_tells_changes_and_ends_with_the_outcome(shell: Shell) -> None:
    shell.proposal("one")
    watching = shell.start("watch", "one", stdout=subprocess.PIPE)
    assert watching.stdout is not None
    assert "Pending" in watching.stdout.readline()
    shell.status("ActionProposal", "one", phase="Running", message="attempt 1")
    assert watching.stdout.readline().endswith("ap/one Running: attempt 1\n")
    shell.status("ActionProposal", "one", **ended("Failed"))
    assert watching.stdout.readline().endswith("ap/one Failed: so it ended\n")
    assert watching.wait(timeout=30) == 10
    watching.stdout.close()


def test_watch_of_what_is_deleted_ends(shell: Shell) -> None:
    shell.proposal("one")
    watching = shell.start("watch", "one", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert watching.stdout is not None
    watching.stdout.readline()
    shell.server.send("DELETE", shell.server.path("ActionProposal", "one"))
    _, said = watching.communicate(timeout=30)
    assert watching.returncode == 3
    assert said == "error: ap/one was deleted while it was watched\n"


@pytest.mark.parametrize("arguments", [("watch",), ("watch", "one"), ("wait", "one")])
def test_ctrl_c_ends_quietly_with_130(shell: Shell, arguments: tuple[str, ...]) -> None:
    shell.proposal("one")
    terminal, inner = pty.openpty()
    running = shell.start(*arguments, stdout=inner, stderr=inner)
    os.close(inner)
    seen = read_until(terminal, "one", seconds=20) if arguments[0] == "watch" else settle(running)
    os.killpg(running.pid, signal.SIGINT)
    assert running.wait(timeout=20) == 130
    seen += drain(terminal)
    assert "Traceback" not in seen
    assert "Aborted" not in seen


def test_on_a_terminal_there_are_colours_and_lines_end_where_it_does(shell: Shell) -> None:
    shell.proposal("one", ended("Failed", message="word " * 60))
    terminal, inner = pty.openpty()
    subprocess.run(["stty", "cols", "80"], stdin=inner, check=True)
    running = shell.start("list", stdout=inner, stderr=inner)
    running.wait(timeout=30)
    os.close(inner)
    seen = drain(terminal)
    assert "\x1b[" in seen
    assert "…" in seen
    assert len(seen.splitlines()) == 2


def test_who_may_not_read_is_told_the_missing_right(shell: Shell) -> None:
    shell.kubeconfig = shell.cluster.kubeconfig_of("bob")
    done = shell.run("list")
    assert done.returncode == 4
    assert "resources: [actionproposals], verbs: [list]}" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_who_may_read_one_kind_alone_can_use_it(shell: Shell) -> None:
    shell.proposal("one")
    root = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{shell.namespace}"
    rule = {"apiGroups": ["actionoperator.dev"], "resources": ["actionproposals"], "verbs": ["get"]}
    assert shell.server.send("POST", f"{root}/roles", {"metadata": {"name": "reader"}, "rules": [rule]}).accepted
    group = "rbac.authorization.k8s.io"
    binding = {
        "metadata": {"name": "reader"},
        "subjects": [{"kind": "User", "name": "bob", "apiGroup": group}],
        "roleRef": {"apiGroup": group, "kind": "Role", "name": "reader"},
    }
    assert shell.server.send("POST", f"{root}/rolebindings", binding).accepted
    shell.kubeconfig = shell.cluster.kubeconfig_of("bob")
    assert shell.run("describe", "one").stdout.startswith(f"ActionProposal {shell.namespace}/one")
    assert shell.run("describe", "ap/other").returncode == 3
    assert shell.run("list", "--kind", "workflows").returncode == 4


def test_an_api_server_that_is_away_is_one_line(shell: Shell, tmp_path: Path) -> None:
    config = yaml.safe_load(shell.kubeconfig.read_text())
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:9"
    shell.kubeconfig = tmp_path / "config"
    shell.kubeconfig.write_text(yaml.safe_dump(config))
    done = shell.run("list")
    assert done.returncode == 5
    assert "no connection to the API server" in done.stderr
    assert "is the cluster up" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("wait", "x", "--timeout", "5x"), 2, "write it like 90s, 5m or 1h30m"),
        (("describe", "pod/x"), 2, "write NAME, ap/NAME"),
        (("list", "--kind", "pods"), 2, "proposals"),
        (("list", "--context", "nope"), 1, "nope"),
    ],
)
def test_wrong_usage(shell: Shell, arguments: tuple[str, ...], code: int, says: str) -> None:
    done = shell.run(*arguments)
    assert done.returncode == code
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_types_show_what_there_is(shell: Shell) -> None:
    schema = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer", "minimum": 1, "maximum": 9}}}
    name = f"type-{shell.namespace[-8:]}"
    manifest = {
        "apiVersion": API,
        "kind": "ActionType",
        "metadata": {"name": name},
        "spec": {"description": "Count.", "risk": "Low", "idempotent": True, "parameters": schema,
                 "executor": {"builtIn": {"name": "count", "version": 1}}},
    }  # fmt: skip
    assert shell.server.create(manifest, dry_run=False).accepted
    try:
        lines = shell.run("types", name, namespaced=False).stdout.splitlines()
        assert lines[0].startswith(f"{name}  risk Low, idempotent, ")
        assert lines[-2:] == ["  Count.", "    n  required  integer, 1..9"]
        assert (
            yaml.safe_load(shell.run("types", name, "-o", "yaml", namespaced=False).stdout)["metadata"]["name"] == name
        )
        assert f"actiontype.actionoperator.dev/{name}" in shell.run("types", "-o", "name", namespaced=False).stdout
        done = shell.run("types", name[:-1], namespaced=False)
        assert done.returncode == 3
        assert f"available: {name}" in done.stderr
    finally:
        shell.server.send("DELETE", shell.server.path("ActionType", name))
