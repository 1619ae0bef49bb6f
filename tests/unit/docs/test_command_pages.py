"""The page on `kubectl actions` and the recipe for digests, compared with the code."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer

from controller.cli.exits import DIGEST_HELP, HELP, VOTE_HELP, Exit
from controller.cli.main import app
from controller.client import ActionClient

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "kubectl-actions.md").read_text()
DIGESTS = (DOCS / "spec" / "digest.md").read_text()
HASH = r"sha256:[0-9a-f]{64}"


def commands() -> set[str]:
    """Every command as it is typed."""
    group: Any = typer.main.get_command(app)
    names = set()
    for name, command in group.commands.items():
        inner = getattr(command, "commands", None)
        names |= {f"{name} {one}" for one in inner} if inner else {name}
    return names


def test_every_command_is_on_the_page() -> None:
    rows = re.findall(r"^\| (`.+`) \|", PAGE.partition("\n## ")[0], re.MULTILINE)
    typed = " ".join(rows)
    words = {command: rf"`{command}\b" for command in commands()}
    assert not [command for command, pattern in words.items() if not re.search(pattern, typed)]
    told = {text.split()[0] for row in rows for text in re.findall(r"`([^`]+)`", row)}
    assert told <= {command.split()[0] for command in commands()}


def test_every_exit_code_is_on_the_page_and_in_help() -> None:
    table = set(map(int, re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)))
    assert table == {int(code) for code in Exit}
    helped = {
        int(code)
        for text in (HELP, VOTE_HELP, DIGEST_HELP)
        for code in re.findall(r"(?:^|  )(\d+)  ", text, re.MULTILINE)
    }
    assert helped == table


def test_every_method_that_the_page_names_is_there() -> None:
    (said,) = re.findall(r"`ActionClient` has (.*?);", PAGE, re.DOTALL)
    assert all(callable(getattr(ActionClient, name)) for name in re.findall(r"`(\w+)`", said))


def recipe() -> str:
    """The jq commands of docs/spec/digest.md, without the kubectl commands that fetch the objects."""
    (block,) = re.findall(r"```console\n(.*?)```", DIGESTS, re.DOTALL)
    typed = re.split(r"^\$ ", block, flags=re.MULTILINE)
    return "\n".join(command for command in typed if command.startswith("jq"))


@pytest.mark.skipif(not shutil.which("jq"), reason="jq is not installed")
def test_the_recipe_with_jq_gives_the_digests_of_the_example(tmp_path: Path) -> None:
    document, with_changes = map(json.loads, re.findall(r"```json\n(.*?)```", DIGESTS, re.DOTALL))
    told = re.findall(rf"gives `({HASH})`", DIGESTS)
    managed = {"target": "Deployment shop/a", "path": "spec.replicas", "before": 1, "after": 2, "managedBy": "an HPA"}
    changes = [managed, *({**change, "after": 6} for change in with_changes["changes"])]
    proposal = {
        "kind": document["kind"],
        "metadata": {"name": "settle", "namespace": document["namespace"]},
        "spec": document["spec"] | {"suspend": False, "cancelled": False, "requestedBy": {"username": "alice"}},
        "status": {"requestDigest": with_changes["requestDigest"], "preview": {"changes": changes}},
    }
    (tmp_path / "proposal.json").write_text(json.dumps(proposal))
    (tmp_path / "type.json").write_text(json.dumps({"spec": document["types"]["wait"]}))
    done = subprocess.run(["bash", "-ec", recipe()], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert [f"sha256:{line.split()[0]}" for line in done.stdout.splitlines()] == told
