"""The tour of README.md, "A first proposal by hand", typed as it stands there into a playground of its own."""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from localcluster.locks import locked

ROOT = Path(__file__).parents[2]


def commands() -> list[str]:
    """The commands of the section, in order, without those that start and stop the playground."""
    section = re.search(r"\n## A first proposal by hand\n(.*?)\n## ", (ROOT / "README.md").read_text(), re.DOTALL)
    assert section
    lines = "".join(re.findall(r"```console\n(.*?)```", section[1], re.DOTALL)).splitlines()
    typed = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    return [command for command in typed if not command.startswith(("make ", "export "))]


def playground(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, ROOT / "hack" / "playground.py", *arguments],
        capture_output=True, text=True, check=False, timeout=120, env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment that `make up` tells the user to set. Demo and playground would meet at the port of the hook."""
    with locked(Path(tempfile.gettempdir()) / "action-operator-hook.lock"):
        yield from running(tmp_path / "playground")


def running(folder: Path) -> Iterator[dict[str, str]]:
    """A playground from `up` to `down`, each done twice."""
    told = playground("up", "--dir", str(folder))
    try:
        exports = dict(re.findall(r"^  export (\w+)=(.+)$", told, re.MULTILINE))
        assert exports == {"PATH": f"{folder}/bin:$PATH", "KUBECONFIG": f"{folder}/kubeconfig"}
        again = playground("up", "--dir", str(folder))
        assert again == f"already running\n{told}"
        yield os.environ | {"PATH": f"{folder}/bin:{os.environ['PATH']}", "KUBECONFIG": exports["KUBECONFIG"]}
    finally:
        stopped = playground("down", "--dir", str(folder))
    assert "operator" in stopped
    assert "control plane" in stopped
    assert playground("down", "--dir", str(folder)) == "nothing is running\n"


def test_every_command_of_the_tour_works(shell: dict[str, str]) -> None:
    typed = commands()
    assert len(typed) >= 15
    said: dict[str, str] = {}
    for command in typed:
        done = subprocess.run(
            ["bash", "-c", command], cwd=ROOT, env=shell, capture_output=True, text=True, check=False, timeout=150
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        said[command] = done.stdout
    assert "exit code 10" in said['kubectl actions wait scale-everything --timeout 30s || echo "exit code $?"']
    assert "Succeeded" in said["kubectl actions watch drain-checkout"]
    assert "spec.replicas  2 -> 6" in said["kubectl actions describe scale-checkout"]
    assert "Cancelled" in said["kubectl actions list"]
