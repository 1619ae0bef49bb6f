"""The commands of README.md, typed as they stand there into a playground of its own: the tour, then who may do what."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.guides import ROOT, commands, run, running, section, typed

README = (ROOT / "README.md").read_text()
TOUR, LEAVE = section(README, "A first proposal by hand"), section(README, "Who may do what")
PROPOSAL = """\
apiVersion: actionoperator.dev/v1alpha1
kind: ActionProposal
metadata: {name: NAME}
spec:
  action: ACTION
  parameters: {kind: Deployment, name: checkout, PARAMETERS}
  reason: try who may do what
  serviceAccountName: RUNNER
"""


@pytest.fixture
def shell(tmp_path: Path, hook_port: int) -> Iterator[dict[str, str]]:
    """The environment that `make up` tells the user to set."""
    yield from running(tmp_path / "playground")


def test_every_command_of_the_readme_works(shell: dict[str, str]) -> None:
    typed(shell, LEAVE)
    bob_may_scale_and_no_more(shell)
    tour(shell)


def tour(shell: dict[str, str]) -> None:
    said = typed(shell, TOUR)
    assert len(said) >= 20
    assert "exit code 10" in said['kubectl actions wait scale-everything --timeout 30s || echo "exit code $?"']
    assert "Succeeded" in said["kubectl actions watch drain-checkout"]
    assert "spec.replicas  2 -> 6" in said["kubectl actions describe scale-checkout"]
    own = said['kubectl actions approve sale-checkout --yes --context alice || echo "exit code $?"']
    assert own.endswith("exit code 16\n")
    assert "ap/sale-checkout" in said["kubectl actions pending --context carol"]
    assert "has all approvals it needs" in said["kubectl actions approve sale-checkout --yes --context carol"]
    assert "Cancelled" in said["kubectl actions list"]


def bob_may_scale_and_no_more(shell: dict[str, str]) -> None:
    """The commands grant what the text says, to the group of bob, and no more."""

    def propose(name: str, action: str, parameters: str, runner: str) -> "subprocess.CompletedProcess[str]":
        words = {"NAME": name, "ACTION": action, "PARAMETERS": parameters, "RUNNER": runner}
        text = PROPOSAL
        for word, value in words.items():
            text = text.replace(word, value)
        return run(shell, "kubectl --context bob create -f -", text)

    asked = [command for command in commands(LEAVE) if "auth can-i" in command]
    answers = [run(shell, command).stdout.strip() for command in asked]
    assert answers == ["yes"] * 4 + ["no"] * 2
    assert propose("by-bob", "scale-workload", "replicas: 3", "scaler").returncode == 0
    done = run(shell, "kubectl --context bob wait --for=condition=Succeeded ap/by-bob --timeout=60s")
    assert done.returncode == 0, run(shell, "kubectl actions describe by-bob").stdout
    assert run(shell, "kubectl actions undo by-bob --wait").returncode == 0
    restart = propose("restarts", "restart-rollout", "", "scaler")
    assert "may not propose" in restart.stderr, restart.stderr
    other = propose("as-another", "scale-workload", "replicas: 4", "action-runner")
    assert "may not use" in other.stderr, other.stderr
    assert run(shell, "kubectl --context bob create -f examples/policies/halt.yaml").returncode != 0
    assert run(shell, "kubectl actions approve by-bob --yes --context bob").returncode != 0
