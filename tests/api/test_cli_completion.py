"""Completion of `kubectl actions`: in a real shell, and as kubectl asks for it; names are those of the cluster."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from api_server import ApiServer
from cli_shell import ENVIRONMENT, ROOT, Shell

from controller.cli.completing import answer_kubectl
from controller.cli.main import app
from localcluster.controlplane import ControlPlane


@pytest.fixture
def shell(cluster: ControlPlane, operator_kubeconfig: Path, namespace: str) -> Iterator[Shell]:
    server = ApiServer(cluster, namespace)
    yield Shell(cluster, server, cluster.kubeconfig)
    server.close()


def completed(shell: Shell, *words: str) -> list[str]:
    """What kubectl is told for these words; without the descriptions."""
    *lines, directive = answer_kubectl(
        ["--kubeconfig", str(shell.kubeconfig), "-n", shell.namespace, *words], app
    ).splitlines()
    assert directive == ":4"
    return [line.partition("\t")[0] for line in lines if line]


def test_names_come_from_the_cluster(shell: Shell) -> None:
    shell.proposal("scale-checkout")
    shell.proposal("over", {"phase": "Failed", "outcome": "Failed", "message": "m"})
    shell.workflow("scale-out")
    assert completed(shell, "describe", "") == ["over", "scale-checkout", "scale-out"]
    assert completed(shell, "describe", "scale-o") == ["scale-out"]
    assert completed(shell, "wait", "aw/") == ["aw/scale-out"]
    assert completed(shell, "retry", "") == ["scale-out"]
    assert completed(shell, "cancel", "") == ["scale-checkout", "scale-out"]
    assert completed(shell, "resume", "") == ["scale-checkout", "scale-out"]
    assert "scale-workload" in completed(shell, "create", "scale")
    assert completed(shell, "create", "scale-workload", "-p", "repl") == ["replicas="]
    assert shell.namespace in completed(shell, "list", "-n", shell.namespace[:5])


def test_commands_options_and_choices_are_completed(shell: Shell) -> None:
    assert completed(shell, "di") == ["diff", "digest"]
    assert completed(shell, "policy", "") == ["explain"]
    assert "--dry-run" in completed(shell, "create", "wait", "--d")
    assert completed(shell, "list", "-o", "w") == ["wide"]


def test_what_cannot_be_asked_completes_nothing_and_says_nothing(tmp_path: Path) -> None:
    words = ["--kubeconfig", str(tmp_path / "absent"), "describe", ""]
    assert answer_kubectl(words, app) == "\n:4\n"


def test_kubectl_asks_the_program_beside_it(shell: Shell) -> None:
    """As kubectl does it: `kubectl __complete actions describe ''` runs kubectl_complete-actions from the PATH."""
    shell.proposal("scale-checkout")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [shell.cluster.kubectl, "__complete", "actions", "-n", shell.namespace, "describe", "sc"],
        env=ENVIRONMENT | {"PATH": path, "KUBECONFIG": str(shell.kubeconfig)},
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines()[0] == "scale-checkout"


def test_bash_completes_what_the_script_says(shell: Shell) -> None:
    shell.proposal("scale-checkout")
    typed = f"kubectl-actions -n {shell.namespace} describe sca"
    words = typed.split()
    script = "\n".join(
        [
            "source <(kubectl-actions completion bash)",
            f"COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}",
            "$(complete -p kubectl-actions | sed 's/.*-F \\([^ ]*\\) .*/\\1/') kubectl-actions",
            'printf "%s\\n" "${COMPREPLY[@]}"',
        ]
    )
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "--norc", "-c", script], cwd=ROOT,
        env=ENVIRONMENT | {"PATH": path, "KUBECONFIG": str(shell.kubeconfig)},
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout == "scale-checkout\n", done.stderr


@pytest.mark.parametrize(
    ("shell_name", "says"),
    [("zsh", "#compdef kubectl-actions"), ("fish", "complete --command kubectl-actions"), ("kubectl", "__complete")],
)
def test_every_shell_has_its_script(shell_name: str, says: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "controller.cli.main", "completion", shell_name],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert says in done.stdout
    assert "_KUBECTL_ACTIONS_COMPLETE" in done.stdout or shell_name == "kubectl"
