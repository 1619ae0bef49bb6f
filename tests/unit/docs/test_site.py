"""The site of the documentation: its pages, where their links lead, and that every guide is typed or generated."""

import re
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import typer
import yaml

from controller.api import names
from controller.cli.main import app
from hack.reference_pages import WORDS, reference_parts
from hack.site_links import BrokenLink, Tree

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
LEFT_OUT = {"actions", "adr"}
"""Folders whose single pages are reached from their index."""


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A small checkout: a page that links to a page, a file, a folder and Markdown outside docs/."""
    files = {
        "docs/spec/a.md": "[b](../b.md#x) [file](../../code/one.py) [all](../../code) [read](../../README.md#y) [up](https://a)",
        "docs/b.md": "## x\n",
        "code/one.py": "print('```')\n",
        "README.md": "[a](docs/spec/a.md) [more](more/text.md)",
        "more/text.md": "[file](../code/one.py) [home](../README.md)",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return Tree(tmp_path)


def test_what_is_linked_to_outside_of_docs_gets_a_page_and_what_that_links_to(tree: Tree) -> None:
    found = {str(tree.site_path(target)) for target in tree.outside()}
    assert found == {"source/code/one.py.md", "source/code/README.md", "source/README.md", "source/more/text.md"}


def test_links_lead_to_the_pages_of_the_site(tree: Tree) -> None:
    page = tree.docs / "spec" / "a.md"
    links = re.findall(r"\]\((\S+)\)", tree.on_site(page.read_text(), page))
    assert links == [
        "../b.md#x", "../source/code/one.py.md", "../source/code/README.md", "../source/README.md#y", "https://a",
    ]  # fmt: skip
    readme = tree.root / "README.md"
    assert re.findall(r"\]\((\S+)\)", tree.on_site(readme.read_text(), readme)) == ["../spec/a.md", "more/text.md"]
    folder = tree.root / "code"
    assert "[one.py](one.py.md)" in tree.on_site(tree.page(folder), folder)


def test_a_file_is_shown_as_it_is_whatever_fences_are_in_it(tree: Tree) -> None:
    assert "\n````python\nprint('```')\n````\n" in tree.page(tree.root / "code" / "one.py")


def test_a_link_that_leads_nowhere_or_out_of_the_checkout_is_told(tree: Tree) -> None:
    for link in ("../gone.py", "../../outside"):
        (tree.docs / "b.md").write_text(f"[x]({link})")
        with pytest.raises(BrokenLink, match=re.escape(f"docs/b.md: {link} leads nowhere")):
            tree.outside()


def test_every_link_of_ours_has_a_page() -> None:
    assert PurePosixPath("source/README.md") in map(Tree().site_path, Tree().outside())


def pages(part: Any) -> list[str]:
    """All pages of a part of the navigation."""
    if isinstance(part, str):
        return [part]
    inner = part.values() if isinstance(part, dict) else part
    return [page for one in inner for page in pages(one)]


def test_every_page_is_in_the_navigation_once() -> None:
    named = pages(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"])
    there = {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")}
    single = {page for page in there if page.partition("/")[0] in LEFT_OUT and not page.endswith("/README.md")}
    assert sorted(named) == sorted(there - single)


def test_every_decision_is_in_their_index() -> None:
    linked = set(re.findall(r"\]\((\d\S+)\)", (DOCS / "adr" / "README.md").read_text()))
    assert linked == {page.name for page in (DOCS / "adr").glob("0*.md")}


def test_every_word_has_a_meaning_in_the_reference() -> None:
    parts = reference_parts()
    for words in WORDS:
        rows = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", parts[f"{words.__name__}.words"], re.MULTILINE))
        assert list(rows) == [word.value for word in words]
    assert "its proposal has outcome" not in parts["Reason.words"]
    assert names.Reason.HALTED.value in parts["Reason.words"]


def test_every_command_and_option_is_in_the_reference() -> None:
    parts = reference_parts()
    group: Any = typer.main.get_command(app)
    for name, command in group.commands.items():
        for typed, one in getattr(command, "commands", {"": command}).items():
            heading = f"### {name} {typed}".rstrip()
            section = parts["commands"].partition(f"{heading}\n")[2].partition("\n### ")[0]
            assert section, heading
            options = [form for option in one.params if option.param_type_name == "option" for form in option.opts]
            assert not [form for form in options if f"`{form}`" not in section]
    assert (
        "| `--lease-seconds` | How long others wait for a leader that went silent. Default: `15.0`. |"
        in parts["settings"]
    )
