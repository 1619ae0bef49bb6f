"""Every verb of `kubectl actions` as people use it, one after the other, against the running operator: bob asks, alice
approves. What the other modules of this folder type as well is not typed here again.
"""

import json
import os
import pty
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from harness.commands import actions
from harness.people import admit_people
from harness.stage import RUNNER, Stage, deployment, workflow

ROOT = Path(__file__).parents[2]
SCALE = ("scale-workload", "-p", "kind=deployment", "-p", "name=checkout", "--service-account", RUNNER)
WHY = ("--reason", "queue depth is four times normal")


@pytest.fixture(scope="module", autouse=True)
def _people(stage: Stage) -> None:
    admit_people(stage)
    stage.apply(deployment("checkout", 2))


def test_create_tries_previews_and_runs_and_diff_shows_what_would_change(stage: Stage) -> None:
    code, said, error = actions(stage, "create", *SCALE, "-p", "replicas=4", *WHY, "--dry-run", "--name", "tried")
    assert (code, error) == (0, "")
    assert said == (
        f"ap/tried would be proposed: scale-workload in namespace {stage.namespace}; "
        "the API server takes it, nothing is stored\n"
    )
    assert "ap/tried" not in actions(stage, "list")[1]

    code, said, _ = actions(stage, "create", *SCALE, "-p", "replicas=4", *WHY, "--preview", "--wait", "--name", "seen")
    assert (code, said.splitlines()[-1]) == (0, "ap/seen Observed: dry run: nothing was changed")
    code, said, note = actions(stage, "diff", "ap/seen")
    assert (code, said.splitlines()) == (
        0,
        [
            f"--- Deployment {stage.namespace}/checkout (now)",
            f"+++ Deployment {stage.namespace}/checkout (after ap/seen)",
            "@@ spec.replicas @@",
            "-2",
            "+4",
        ],
    )
    assert "it is finished (Observed)" in note

    code, said, _ = actions(stage, "create", *SCALE, "-p", "replicas=4", *WHY, "--wait", "--name", "done")
    assert code == 0
    assert said.splitlines()[-1].startswith("ap/done Succeeded: ")
    code, _, error = actions(stage, "create", *SCALE, "-p", "replicas=4", *WHY, "--name", "done")
    assert (code, error) == (1, "error: ap/done is there already: give it another name with --name, or none\n")


def test_create_prints_a_manifest_that_can_be_kept_and_applied(stage: Stage) -> None:
    code, said, _ = actions(stage, "create", "log-message", "-p", "message=42", *WHY, "--name", "kept", "-o", "yaml")
    assert code == 0
    manifest = yaml.safe_load(said)
    assert manifest == {
        "apiVersion": "actionoperator.dev/v1alpha1",
        "kind": "ActionProposal",
        "metadata": {"name": "kept", "namespace": stage.namespace},
        "spec": {"action": "log-message", "parameters": {"message": "42"}, "reason": WHY[1]},
    }
    assert "ap/kept" not in actions(stage, "list")[1]
    stage.apply(manifest)
    assert actions(stage, "wait", "kept", "--timeout", "1m")[0] == 0
    code, name, _ = actions(stage, "create", "log-message", "-p", "message=x", *WHY, "-o", "name")
    assert re.fullmatch(r"actionproposal\.actionoperator\.dev/log-message-[0-9a-f]{8}\n", name)
    assert actions(stage, "wait", name.strip(), "--timeout", "1m")[0] == 0


def test_create_without_a_terminal_names_all_that_is_missing_or_wrong(stage: Stage) -> None:
    code, said, error = actions(stage, "create", *SCALE, "-p", "replicas=60000", "-p", "sped=9", *WHY)
    assert (code, said) == (2, "")
    lines = error.splitlines()
    assert "error: spec.parameters.replicas: must be at most 5000 (got 60000)" in lines[0] + lines[1]
    assert any("spec.parameters.sped" in line for line in lines)
    assert lines[-1].endswith("see: kubectl actions types scale-workload")
    code, _, error = actions(stage, "create", "scale-workload")
    assert code == 2
    assert error.splitlines()[0] == "error: --reason is missing: say why, approvers read it"
    assert "error: spec.parameters.name: is required" in error.splitlines()
    code, _, error = actions(stage, "create", "scale-worklod", *WHY)
    assert (code, error.split(";")[0]) == (3, "error: there is no ActionType scale-worklod")


def test_create_asks_on_a_terminal_until_each_answer_fits(stage: Stage) -> None:
    """As it is typed: a kind in any case, a number that is too large, then one that fits, a reason."""
    terminal, child = pty.openpty()
    command = [sys.executable, "-m", "controller.cli.main", "create", "at/scale-workload", "--service-account", RUNNER,
               "-n", stage.namespace, "--kubeconfig", str(stage.cluster.kubeconfig), "--wait"]  # fmt: skip
    running = subprocess.Popen(command, cwd=ROOT, stdin=child, stdout=child, stderr=child, text=True,
                               env=os.environ | {"NO_COLOR": "1", "COLUMNS": "80"})  # fmt: skip
    os.close(child)
    seen = ""
    for question, typed in (
        ("kind (", "deployment"), ("name (", "checkout"), ("replicas (", "60000"), ("replicas (", "3"),
        ("reason (why; approvers read it):", "it is quiet again"),
    ):  # fmt: skip
        seen += _read(terminal, question)
        os.write(terminal, f"{typed}\n".encode())
    seen += _read(terminal, "Succeeded: ")
    assert running.wait(timeout=30) == 0
    os.close(terminal)
    assert "replicas: must be at most 5000 (got 60000)" in seen
    assert "not asked for, may be given with -p: expectedReplicas" in seen
    assert stage.kubectl("get", "deployment", "checkout", "-o", "jsonpath={.spec.replicas}") == "3"


def test_audit_tells_who_did_what_and_logs_what_an_action_without_pods_did(stage: Stage) -> None:
    stage.apply(workflow("flow", [{"name": "a", "action": "wait", "parameters": {"seconds": 1}}]))
    actions(stage, "create", "log-message", "-p", "message=hello", *WHY, "--name", "hello", "--wait", user="bob")
    code, page, error = actions(stage, "audit", "hello")
    assert (code, error) == (0, "")
    rows = [line.split()[2:5] for line in page.splitlines() if re.match(r"  \d+  \d\d:", line)]
    assert rows == [
        ["Proposed", "bob", "-"],
        ["Validated", "action-operator", "-"],
        ["Executing", "action-operator", "1"],
        ["Completed", "action-operator", "1"],
    ]
    (attempt,) = stage.status("ap", "hello")["attempts"]
    assert attempt["id"] in page
    assert attempt["operation"] in page
    told = json.loads(actions(stage, "audit", "hello", "-o", "json")[1])
    assert [one["attempt"] for one in told["transitions"]] == [None, None, attempt["id"], attempt["id"]]
    assert told["missing"] == []

    code, lines, note = actions(stage, "logs", "hello")
    assert (code, note) == (0, "log-message runs no pod; these are the transitions of ap/hello\n")
    assert [line.split()[1] for line in lines.splitlines()] == ["Proposed", "Validated", "Executing", "Completed"]
    assert actions(stage, "logs", "hello", "--tail", "1")[1].split()[1] == "Completed"
    assert actions(stage, "wait", "flow", "--timeout", "1m")[0] == 0
    code, lines, _ = actions(stage, "logs", "aw/flow")
    assert code == 0
    assert all(line.startswith("[a] ") for line in lines.splitlines())
    assert re.search(r"  a +Succeeded +kubectl actions audit ap/flow-a-", actions(stage, "audit", "flow")[1])


def test_a_vote_from_pending_to_its_end_and_what_the_policies_say(stage: Stage) -> None:
    policy = stage.policy("ask", approval={"required": 1, "groups": ["sre"]})
    for name in ("first", "second", "third"):
        actions(stage, "create", "log-message", "-p", "message=x", *WHY, "--name", name, user="bob")
        stage.phase("ap", name, "AwaitingApproval")
    code, table, note = actions(stage, "pending", user="alice")
    assert (code, note) == (0, "")
    assert [line.split()[:4] for line in table.splitlines()[1:]] == [
        [f"ap/{name}", "log-message", "Low", "bob"] for name in ("first", "second", "third")
    ]
    assert "you asked for it" in actions(stage, "pending", "--all", user="bob")[1]
    code, page, _ = actions(stage, "who-can", "first")
    assert code == 0
    assert re.search(r"alice", page)
    code, page, _ = actions(stage, "policy", "explain", "first")
    assert code == 0
    assert policy in page

    code, page, error = actions(stage, "approve", "first", "--yes", "--comment", "agreed", user="alice")
    assert code == 0, page + error
    assert "ap/first has all approvals it needs" in page
    assert stage.outcome("ap", "first")["outcome"] == "Succeeded"
    assert re.search(r"alice +Approve +\S+ +agreed", actions(stage, "audit", "first")[1])
    code, page, _ = actions(stage, "reject", "ap/second", "--yes", "--comment", "no", user="alice")
    assert code == 0
    assert actions(stage, "wait", "second", "--timeout", "30s")[0] == 11
    assert actions(stage, "digest", "third")[1].count("as stored") == 2
    assert "is asked to be cancelled (was AwaitingApproval)" in actions(stage, "cancel", "third", user="bob")[1]
    assert actions(stage, "wait", "third", "--timeout", "30s")[0] == 13
    stage.delete_policies(policy)


def test_halt_mode_suspend_and_resume(stage: Stage) -> None:
    code, said, _ = actions(stage, "halt", "--reason", "bad deploy", "-n", stage.namespace)
    assert code == 0
    (name,) = re.findall(r"until: kubectl actions resume (apol/\S+)$", said.strip())
    assert re.search(r"log-message +Execute .*kubectl-actions-halt", actions(stage, "mode")[1])
    actions(stage, "create", "log-message", "-p", "message=x", *WHY, "--name", "held")
    stage.phase("ap", "held", "Blocked")
    assert "has halted actions" in actions(stage, "describe", "held")[1]
    assert "suspended: nothing new starts" in actions(stage, "suspend", "held")[1]
    code, _, error = actions(stage, "resume", name.removeprefix("apol/"))
    assert (code, error.split("; ")[1]) == (2, f"end its halt with: kubectl actions resume {name}\n")
    code, said, _ = actions(stage, "resume", name)
    assert (code, said.split(":")[0]) == (0, f"{name} is gone")
    assert stage.status("ap", "held").get("outcome") is None
    assert actions(stage, "resume", "held")[1] == "ap/held goes on\n"
    assert actions(stage, "watch", "held")[0] == 0


def test_types_are_listed_and_one_is_shown_with_its_parameters(stage: Stage) -> None:
    code, table, _ = actions(stage, "types")
    assert code == 0
    assert table.splitlines()[0].split() == ["NAME", "RISK", "IDEMPOTENT", "READY", "DESCRIPTION"]
    (row,) = [line.split() for line in table.splitlines() if line.startswith("run-job ")]
    assert row[:4] == ["run-job", "High", "no", "yes"]
    page = actions(stage, "types", "at/scale-workload")[1]
    assert re.search(r"replicas +required +integer, 0\.\.5000", page)


def test_doctor_finds_nothing_broken_and_says_what_to_do_about_the_rest(stage: Stage) -> None:
    here = ("doctor", "--lease-name", stage.namespace, "--operator-account", "action-operator/action-operator")
    code, page, _ = actions(stage, *here)
    assert (code, page.splitlines()[-1]) == (0, "nothing is broken"), page
    assert re.search(r"✓ Admission, tried +a lie about who asks and a forged step are refused", page)
    assert re.search(rf"✓ Operator +\S+ leads \(Lease action-operator/{stage.namespace}, renewed ", page)

    code, page, _ = actions(stage, *here, user="alice")
    assert re.search(r"- Admission, tried +you may not propose", page)
    assert f"-> propose: kubectl create rolebinding action-proposer-alice -n {stage.namespace} " in page
    told = json.loads(actions(stage, *here, "-o", "json", user="alice")[1])["findings"]
    assert {one["state"] for one in told} >= {"ok", "note", "not looked at"}

    code, page, _ = actions(stage, "doctor", "--lease-name", "nobody", "--operator-namespace", "default")
    assert code == 1
    assert "✗ Operator" in page
    assert "there is no Lease default/nobody: no operator has ever led here" in page


def test_as_somebody_else_is_asked_as_them(stage: Stage) -> None:
    code, _, error = actions(stage, "list", "--as", "nobody-here", "--as-group", "idle")
    assert (code, 'User "nobody-here" cannot list' in error) == (4, True)
    assert actions(stage, "list", "--as", "nobody-here", "--as-group", "system:masters")[0] == 0
    assert actions(stage, "list", "--as-group", "idle")[0] == 2


def _read(terminal: int, text: str) -> str:
    """What comes until that text does."""
    seen, deadline = "", time.monotonic() + 40
    while text not in seen:
        assert time.monotonic() < deadline, seen
        seen += os.read(terminal, 65_536).decode(errors="replace")
    return seen
