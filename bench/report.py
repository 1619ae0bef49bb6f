"""What was measured against what was wanted, as a table for the terminal and for docs/benchmarks.md."""

import os
import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.process import ROOT

DOCUMENT = ROOT / "docs" / "benchmarks.md"
BEGIN, END = "<!-- measured: begin (written by `make bench`) -->", "<!-- measured: end -->"


@dataclass(frozen=True)
class Result:
    """One row. `met` None: there is no target, or it was not measured fully."""

    figure: str
    what: str
    target: str
    measured: str
    met: bool | None = None
    note: str = ""

    def verdict(self, *, quick: bool) -> str:
        """In a word. A quick run has fewer objects than the targets ask for, so it cannot say that one is met."""
        return {True: "met (quick)" if quick else "met", False: "missed", None: "no verdict"}[self.met]


def show(results: list[Result], console: Console, *, quick: bool) -> None:
    """Prints the table."""
    table = Table(title=f"Action Operator: {conditions()}", title_justify="left")
    for heading in ("", "figure", "target", "measured", "", "how"):
        table.add_column(heading, overflow="fold")
    colours = {True: "green", False: "red", None: ""}
    for row in results:
        style = colours[row.met]
        verdict = row.verdict(quick=quick)
        verdict = f"[{style}]{verdict}[/]" if style else verdict
        table.add_row(row.figure, row.what, row.target, row.measured, verdict, row.note)
    console.print(table)


def write(results: list[Result], *, quick: bool, path: Path = DOCUMENT) -> None:
    """Puts the table between the marks of the document. Raises ValueError if they are not there."""
    text = path.read_text()
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{path}: the marks for the table are missing")
    kind = "quick run: fewer objects than the targets ask for" if quick else "full run"
    lines = [
        f"{conditions()}; {kind}.",
        "",
        "| # | figure | target | measured | | how |",
        "| --- | --- | --- | --- | --- | --- |",
        *(
            f"| {row.figure} | {row.what} | {row.target} | {row.measured} | {row.verdict(quick=quick)} | {row.note} |"
            for row in results
        ),
    ]
    path.write_text(f"{head}{BEGIN}\n" + "\n".join(lines) + f"\n{END}{tail}")


def conditions() -> str:
    """Date, processors and versions; nothing that names the machine."""
    names = ("kopf", "aiohttp", "pydantic")
    return ", ".join(
        (
            f"{datetime.now(UTC):%Y-%m-%d}",
            f"{os.cpu_count()} CPUs",
            f"Kubernetes {_kubernetes()}",
            f"Python {platform.python_version()}",
            *(f"{name} {version(name)}" for name in names),
        )
    )


def _kubernetes() -> str:
    for line in (ROOT / "localcluster" / "kubernetes" / "go.mod").read_text().splitlines():
        match line.split():
            case ["k8s.io/kubernetes", found, *_]:
                return found.removeprefix("v")
    return "?"
