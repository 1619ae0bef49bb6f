"""What the documentation says, compared with the code."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from controller.actions.registry import built_ins
from controller.api import names
from controller.api.common import Change, RetryConfig
from controller.api.policy import ActionPolicy
from controller.core.digest import digest, request_document, sha256
from controller.core.policy import unsupported_fields
from controller.runtime.clock import utc_now
from hack.action_pages import example
from hack.doc_tables import NOT_YET, outdated

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
SPEC = DOCS / "spec"
PAGES = sorted([*DOCS.rglob("*.md"), *(ROOT / name for name in ("README.md", "SECURITY.md", "CONTRIBUTING.md"))])


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a page."""
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)


def test_tables_are_those_that_the_code_makes() -> None:
    assert not outdated(), "run `python hack/doc_tables.py`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), f"{page}: {target}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", found.read_text(), re.MULTILINE)
            slugs = [re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings]
            assert anchor in slugs, f"{page}: {target}"


def test_every_attack_names_tests_that_there_are() -> None:
    page = DOCS / "security.md"
    tables = re.findall(r"^## Attacks.*?\n\| --- .*?\n(.*?)\n\n", page.read_text(), re.MULTILINE | re.DOTALL)
    rows = [line for table in tables for line in table.splitlines()]
    assert len(tables) == 2
    assert len(rows) > 50
    for row in rows:
        attack, _, cell = row.strip("| ").split(" | ")
        links = re.findall(r"\[([^]]+)\]\((\.\./tests/[^)]+\.py)\)", cell)
        assert links, f"{attack}: no test"
        for told, path in links:
            file = (page.parent / path).resolve()
            there = set(re.findall(r"^(?:async )?def (test_\w+)", file.read_text(), re.MULTILINE)) | {file.name}
            assert set(told.split(", ")) <= there, f"{attack}: {told} is not in {path}"


@pytest.mark.parametrize(
    ("words", "pages"),
    [
        (names.Phase, ["actionproposal"]),
        (names.Outcome, ["actionproposal"]),
        (names.Reason, ["actionproposal"]),
        (names.ConditionType, ["actionproposal"]),
        (names.AttemptResult, ["attempts"]),
        (names.Transition, ["events-and-audit"]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_every_word_of_the_api_is_explained(words: Any, pages: list[str]) -> None:
    text = "".join((SPEC / f"{page}.md").read_text() for page in pages)
    missing = [word.value for word in words if not re.search(rf"\b{word.value}\b", text)]
    assert not missing


def test_fields_that_are_marked_as_not_carried_out_are_refused_by_the_code() -> None:
    policy = ActionPolicy.model_validate(
        {
            "metadata": {"name": "a"},
            "spec": {
                "match": {"requesters": ["a"]}, "mode": "Execute", "halt": False, "serviceAccountName": "a",
                "http": {"allowedHosts": ["a"]}, "approval": {"required": 1}, "kinds": {"allowed": ["apps/Deployment"]},
                "dynamicTargets": "Allow", "limits": {"maxConcurrent": 1}, "protect": {"namespaces": ["a"]},
                "windows": [{"start": "01:00", "end": "02:00", "timeZone": "UTC"}],
                "freezes": [{"start": "2030-01-01T00:00:00Z", "end": "2030-01-02T00:00:00Z", "reason": "x"}],
            },
        }
    )  # fmt: skip
    found = {path.removeprefix("spec.") for path in unsupported_fields(policy.spec)}
    assert found == NOT_YET["ActionPolicy.spec"]


@pytest.mark.parametrize("name", [action.name for action in built_ins(utc_now)])
def test_every_action_type_has_a_page_with_all_its_parts_and_an_example(name: str) -> None:
    page = (DOCS / "actions" / f"{name}.md").read_text()
    assert page.startswith(f"# {name}\n")
    for part in (f"{name}.facts", f"{name}.example", name, f"{name}.rights"):
        assert f"<!-- table: {part} -->" in page
    manifest = yaml.safe_load(example(name))
    assert manifest["spec"]["action"] == name
    assert manifest["metadata"]["name"] == name


def independent_sha256(document: Any) -> str:
    """Without our code or library: for whole numbers and plain text, RFC 8785 is this."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def test_the_digests_of_the_example_can_be_recomputed() -> None:
    page = SPEC / "digest.md"
    document, with_changes = map(json.loads, blocks(page, "json"))
    told = re.findall(r"gives `(sha256:[0-9a-f]{64})`", page.read_text())
    assert told == [independent_sha256(document), independent_sha256(with_changes)]
    timing = document["timings"][""]
    recomputed = request_document(
        kind=document["kind"],
        namespace=document["namespace"],
        spec=document["spec"] | {"suspend": False, "cancelled": False, "ttlSecondsAfterFinished": 60},
        types=document["types"],
        runner=document["runner"],
        timings={"": (timing["timeoutSeconds"], RetryConfig.model_validate(timing["retry"]))},
    )
    assert sha256(recomputed) == told[0]
    change = with_changes["changes"][0]
    scaled = Change(target=change["target"], path=change["path"], before=change["before"], after=6)
    also_scaled = scaled.model_copy(update={"path": "spec.other", "managed_by": "HorizontalPodAutoscaler a"})
    assert digest(told[0], [scaled, also_scaled]) == told[1]


def test_an_absent_value_counts_as_null_in_a_digest() -> None:
    request = sha256({})
    computed = digest(request, [Change(target="Node a", path="spec.unschedulable", after=True)])
    change = {"target": "Node a", "path": "spec.unschedulable", "before": None}
    assert computed == independent_sha256({"requestDigest": request, "changes": [change]})
