"""What mkdocs does to the pages of docs/ on their way to the site (mkdocs.yml): links, see `hack.site_links`."""

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from hack.site_links import Tree

TREE = Tree()
_SOURCES: dict[str, Path] = {}
"""Of each page that is no file of docs/: what it is the page of."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds a page for everything outside docs/ that is linked to."""
    _SOURCES.clear()
    for target in sorted(TREE.outside()):
        place = str(TREE.site_path(target))
        if place not in _SOURCES:
            _SOURCES[place] = target
            files.append(File.generated(config, place, content=TREE.page(target)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turns the links of a page into those of the site."""
    place = page.file.src_uri
    return TREE.on_site(markdown, _SOURCES.get(place, TREE.docs / place))
