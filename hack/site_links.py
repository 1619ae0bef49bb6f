"""Where a link of the documentation leads on its site. Knows nothing of mkdocs.

In the repository a page may link to anything, to a test as well as to another page. The site has the pages of docs/ as
they are, and of what lies outside a page of its own below `source/`: Markdown as it is, other files as text, folders as
lists. So every link works in both places, and the site needs no address of a repository.
"""

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"(?<=\]\()(?!https?:|#)([^)#\s]+)(#[^)\s]*)?(?=\))")
SOURCE = PurePosixPath("source")
LANGUAGES = {".yaml": "yaml", ".yml": "yaml", ".py": "python", ".toml": "toml", ".json": "json"}
LEFT_OUT = {"__pycache__"}


class BrokenLink(ValueError):
    """A link that leads nowhere; the text says where it is."""


@dataclass(frozen=True)
class Tree:
    """A checkout; its documentation is in `docs/`."""

    root: Path = ROOT

    @property
    def docs(self) -> Path:
        return self.root / "docs"

    def site_path(self, target: Path) -> PurePosixPath:
        """Of a file or folder of the checkout: the Markdown file that is its page, relative to docs/."""
        if target.is_relative_to(self.docs):
            return PurePosixPath(target.relative_to(self.docs).as_posix())
        place = SOURCE / target.relative_to(self.root).as_posix()
        if target.is_dir():
            return place / "README.md"
        return place if target.suffix == ".md" else place.with_name(f"{place.name}.md")

    def targets(self, page: Path) -> set[Path]:
        """The files and folders outside docs/ that a page links to. Raises BrokenLink."""
        if page.is_dir():
            return set(_inside(page))
        if page.suffix != ".md":
            return set()
        found = {self._resolved(page, link[1]) for link in LINK.finditer(page.read_text())}
        return {target for target in found if not target.is_relative_to(self.docs)}

    def outside(self) -> set[Path]:
        """All that needs a page below source/: what docs/ links to, and what that links to. Raises BrokenLink."""
        wanted: set[Path] = set()
        new = {target for page in self.docs.rglob("*.md") for target in self.targets(page)}
        while new:
            wanted |= new
            new = {target for page in new for target in self.targets(page)} - wanted
        return wanted

    def page(self, source: Path) -> str:
        """The Markdown of the page for something outside docs/, its links as in the checkout."""
        name = source.relative_to(self.root).as_posix()
        if source.is_dir():
            if (source / "README.md").is_file():
                return (source / "README.md").read_text()
            return f"# {name}\n\n" + "".join(f"- [{path.name}]({path.name})\n" for path in _inside(source))
        text = source.read_text()
        if source.suffix == ".md":
            return text
        fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
        return f"# {name}\n\n{fence}{LANGUAGES.get(source.suffix, 'text')}\n{text.rstrip()}\n{fence}\n"

    def on_site(self, markdown: str, source: Path) -> str:
        """The text of a page with its links as the site needs them. `source`: what it is the page of."""
        here = self.site_path(source).parent

        def link(found: re.Match[str]) -> str:
            place = self.site_path(self._resolved(source, found[1]))
            return _relative(place, here) + (found[2] or "")

        return LINK.sub(link, markdown) if source.suffix == ".md" or source.is_dir() else markdown

    def _resolved(self, page: Path, link: str) -> Path:
        folder = page if page.is_dir() else page.parent
        target = (folder / link).resolve()
        if not target.exists() or not target.is_relative_to(self.root):
            raise BrokenLink(f"{page.relative_to(self.root)}: {link} leads nowhere")
        return target


def _inside(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.iterdir()) if path.name not in LEFT_OUT and path.is_file()]


def _relative(place: PurePosixPath, here: PurePosixPath) -> str:
    common = 0
    for one, other in zip(place.parent.parts, here.parts, strict=False):
        if one != other:
            break
        common += 1
    return "/".join([".."] * (len(here.parts) - common) + list(place.parts[common:]))
