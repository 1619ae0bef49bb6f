"""Completion of `kubectl actions`: in a real shell, and as kubectl asks for it; names are those of the cluster."""

import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from api_server import ApiServer
from cli_shell import API, ENVIRONMENT, ROOT, Shell, drain, read_until

from controller.cli.main import app
from controller.cli.shells import answer_kubectl
from localcluster.controlplane import ControlPlane


@pytest.fixture
def shell(cluster: ControlPlane, operator_kubeconfig: Path, namespace: str) -> Iterator[Shell]:
    server = ApiServer(cluster, namespace)
    yield Shell(cluster, server, cluster.kubeconfig)
    server.close()


def completed(shell: Shell, *words: str, directive: str = ":4") -> list[str]:
    """What kubectl is told for these words; without the descriptions."""
    *lines, said = answer_kubectl(
        ["--kubeconfig", str(shell.kubeconfig), "-n", shell.namespace, *words], app
    ).splitlines()
    assert said == directive
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
    assert completed(shell, "create", "scale-workload", "-p", "repl", directive=":6") == ["replicas="]
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
    done = subprocess.run(
        [shell.cluster.kubectl, "__complete", "actions", "-n", shell.namespace, "describe", "sc"],
        env=typed_in(shell),
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
    done = subprocess.run(
        ["bash", "--norc", "-c", script], cwd=ROOT,
        env=typed_in(shell),
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout == "scale-checkout\n", done.stderr


def test_zsh_completes_what_the_script_says(shell: Shell, tmp_path: Path) -> None:
    shell.proposal("scale-checkout")
    with zsh(shell, tmp_path) as terminal:
        os.write(terminal, f"kubectl-actions -n {shell.namespace} describe sca\t".encode())
        read_until(terminal, "scale-checkout ", seconds=30)
        os.write(terminal, b"\x15kubectl-actions create scale-workload -p repl\t3\n")
        read_until(terminal, "replicas=3", seconds=30)


def test_fish_completes_what_the_script_says(shell: Shell) -> None:
    shell.proposal("scale-checkout")
    if shutil.which("fish") is None:
        pytest.skip("there is no fish here (apt-get install fish)")
    asked = f"complete --do-complete 'kubectl-actions -n {shell.namespace} describe sca'"
    done = subprocess.run(
        ["fish", "--no-config", "--command", f"kubectl-actions completion fish | source; {asked}"],
        env=typed_in(shell), capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout == "scale-checkout\n", done.stderr


HOSTILE = r"""\$(touch took) `touch took` \`touch took` "; touch took; " '; touch took; ' [/bold] """ + "\x1b[31m"


@pytest.fixture
def hostile(shell: Shell) -> Iterator[str]:
    """How the names of two action types begin whose author means harm to who looks at them."""
    begin = f"zz-{shell.namespace[-8:]}-"
    schema = {"type": "object", "properties": {"size": {"type": "integer"}, "s;touch took": {"type": "string"}}}
    spec = {
        "description": HOSTILE,
        "idempotent": True,
        "risk": "Low",
        "parameters": {**schema, "additionalProperties": False},
        "executor": {"builtIn": {"name": "wait", "version": 1}},
    }
    for last in "ab":
        manifest = {"apiVersion": API, "kind": "ActionType", "metadata": {"name": begin + last}, "spec": spec}
        answer = shell.server.create(manifest, dry_run=False)
        assert answer.accepted, answer.says
    yield begin
    for last in "ab":
        shell.server.send("DELETE", shell.server.path("ActionType", begin + last))


def test_what_others_wrote_into_the_cluster_is_only_text(shell: Shell, hostile: str, tmp_path: Path) -> None:
    asked = ["--kubeconfig", str(shell.kubeconfig), "create", "zz-"]
    first, second, directive = answer_kubectl(asked, app).splitlines()
    text = HOSTILE.replace("\x1b", r"\x1b")
    assert [first, second, directive] == [f"{hostile}a\t{text}", f"{hostile}b\t{text}", ":4"]
    assert completed(shell, "create", f"{hostile}a", "-p", "s", directive=":6") == ["size="]
    with zsh(shell, tmp_path) as terminal:
        # Twice: what is common, then the list with descriptions.
        os.write(terminal, b"kubectl-actions create zz-\t\t")
        read_until(terminal, r"\$(touch took)", seconds=30)
    assert not list(tmp_path.rglob("took"))


@contextmanager
def zsh(shell: Shell, folder: Path) -> Iterator[int]:
    """The terminal of a zsh in this folder that has read the script."""
    if shutil.which("zsh") is None:
        pytest.skip("there is no zsh here (apt-get install zsh)")
    ours, theirs = pty.openpty()
    running = subprocess.Popen(
        ["zsh", "--no-rcs", "--interactive"], stdin=theirs, stdout=theirs, stderr=theirs, cwd=folder,
        env=typed_in(shell) | {"TERM": "dumb", "HOME": str(folder)}, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    try:
        os.write(
            ours, b"autoload -U compinit; compinit -D; source <(kubectl-actions completion zsh); echo is-''ready\n"
        )
        read_until(ours, "is-ready", seconds=60)
        yield ours
    finally:
        running.kill()
        running.wait()
        drain(ours)


def typed_in(shell: Shell) -> dict[str, str]:
    """The environment of a shell with the programs on its PATH."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return ENVIRONMENT | {"PATH": path, "KUBECONFIG": str(shell.kubeconfig)}


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
