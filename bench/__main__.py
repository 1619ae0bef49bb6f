"""`python -m bench`: measures, prints a table, and writes it into docs/benchmarks.md."""

import asyncio
from typing import Annotated

import typer
from rich.console import Console

from bench.plan import FIGURES, Plan, run
from bench.report import show, write

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    quick: Annotated[bool, typer.Option(help="Fewer objects: about a quarter of an hour.")] = False,
    only: Annotated[str, typer.Option(help=f"Figures, separated by commas. There are {', '.join(FIGURES)}.")] = "",
    save: Annotated[bool, typer.Option(help="Write the table into docs/benchmarks.md; only with all figures.")] = True,
) -> None:
    """Measure the operator against what bounds it, in one run. Best on an idle machine; trust the ratios."""
    console = Console()
    wanted = tuple(name.strip().upper() for name in only.split(",") if name.strip()) or FIGURES
    unknown = set(wanted) - set(FIGURES)
    if unknown:
        raise typer.BadParameter(f"no such figure: {', '.join(sorted(unknown))}; there are {', '.join(FIGURES)}")
    try:
        results = asyncio.run(run(Plan.of(quick=quick), wanted, lambda text: console.print(text, highlight=False)))
    except KeyboardInterrupt:
        console.print("stopped; everything that was started is gone")
        raise typer.Exit(130) from None
    show(results, console, quick=quick)
    if save and set(wanted) == set(FIGURES):
        write(results, quick=quick)
        console.print("written to docs/benchmarks.md")


if __name__ == "__main__":
    app()
