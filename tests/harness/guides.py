"""Types the commands of a page as they stand there, in a playground of its own. For README.md and the guides.

A command begins with `$ ` in a block of ```console; what follows it up to the next one is its output, unless it is the
text that the command itself announces: `<<'EOF'`, up to a line `EOF`.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)
HERE_TEXT = re.compile(r"<<'(\w+)'")
PLAYGROUND = ".local/playground"
"""Where `make up` puts it; a test has one of its own elsewhere."""
SET_UP = ("make ", "export ")
"""What starts and stops the playground, and what it tells to set."""


def commands(text: str) -> list[str]:
    """The commands of a page or a part of it, in order, without those that start and stop the playground."""
    return [command for command in shown(text) if not command.startswith(SET_UP)]


def shown(text: str) -> list[str]:
    """All commands of a page or a part of it, in order, each with the text that it announces."""
    found: list[str] = []
    for block in BLOCK.findall(text):
        lines = iter(block.splitlines())
        starts = (line for line in lines if line.startswith("$ "))
        found.extend("\n".join([start.removeprefix("$ "), *_announced(start, lines)]) for start in starts)
    return found


def section(text: str, heading: str) -> str:
    """What stands below a heading of the second level."""
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    assert found, f"there is no section {heading}"
    return found[1]


def playground(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, ROOT / "hack" / "playground.py", *arguments],
        capture_output=True, text=True, check=False, timeout=120, env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def running(folder: Path) -> Iterator[dict[str, str]]:
    """A playground from `up` to `down`, each done twice: the environment that `make up` tells the user to set."""
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


def run(shell: dict[str, str], command: str, text: str = "") -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["bash", "-c", command], cwd=ROOT, env=shell, input=text,
        capture_output=True, text=True, check=False, timeout=150,
    )  # fmt: skip


def typed(shell: dict[str, str], text: str) -> dict[str, str]:
    """What each command of a page or a part of it says, by its first line. Every one must end well."""
    said: dict[str, str] = {}
    here = str(Path(shell["KUBECONFIG"]).parent)
    for command in commands(text):
        done = run(shell, command.replace(PLAYGROUND, here))
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        said[command.partition("\n")[0]] = done.stdout
    return said


def _announced(command: str, lines: Iterator[str]) -> Iterator[str]:
    """The lines of the text that a command announces, with the one that ends it."""
    here = HERE_TEXT.search(command)
    if here:
        for line in lines:
            yield line
            if line == here[1]:
                return
        raise AssertionError(f"nothing ends the text of: {command}")
