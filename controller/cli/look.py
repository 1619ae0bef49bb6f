"""The commands that only show: list, describe, watch, graph, diff, wait, logs, audit, types."""

from typing import Annotated

import typer

from controller.cli import exits
from controller.cli.arguments import Everywhere, MaybeName, Name, Page, Report, TypeName, seconds
from controller.cli.declaring import Work, command
from controller.cli.options import GraphForm, KindChoice, ListForm, PageForm, ReportForm

look = typer.Typer()

Kind = Annotated[KindChoice, typer.Option("--kind", help="Only these.")]
OnlyLive = Annotated[bool, typer.Option("--live", help="Only what is not finished.")]
Listing = Annotated[ListForm, typer.Option("--output", "-o", help="Output format.")]


@command(look, "list")
def list_(
    everywhere: Everywhere = False,
    output: Listing = ListForm.TABLE,
    kind: Kind = KindChoice.ALL,
    live: OnlyLive = False,
) -> Work:
    """List proposals and workflows, the newest last. PHASE is the outcome once it is finished."""
    from controller.cli.reading import list_objects

    return lambda run: list_objects(run, everywhere=everywhere, kind=kind, live=live, form=output)


@command(look)
def describe(name: Name, output: Page = PageForm.TEXT) -> Work:
    """Show one on a page.

    What it is, who asked and why, where it stands, what it changes, its history, how to undo it."""
    from controller.cli.reading import describe as describe_object

    return lambda run: describe_object(run, name, form=output)


@command(look, epilog=exits.HELP)
def watch(
    name: MaybeName = None, everywhere: Everywhere = False, kind: Kind = KindChoice.ALL, live: OnlyLive = False
) -> Work:
    """Watch all, or one until it is finished. Into a pipe: a line for each change."""
    from controller.cli.watching import watch_all, watch_one

    if name is not None:
        return lambda run: watch_one(run, name)
    return lambda run: watch_all(run, everywhere=everywhere, kind=kind, live=live)


@command(look, epilog=exits.HELP)
def graph(
    name: Name,
    output: Annotated[GraphForm, typer.Option("--output", "-o", help="Output format.")] = GraphForm.TEXT,
    follow: Annotated[bool, typer.Option("--watch", "-w", help="Draw it anew until it is finished.")] = False,
) -> Work:
    """Draw the steps of a workflow and where each stands."""
    from controller.cli.graphing import graph as graph_one

    return lambda run: graph_one(run, name, form=output, follow=follow)


@command(look, epilog=exits.HELP)
def wait(
    name: Name,
    timeout: Annotated[
        float | None,
        typer.Option("--timeout", metavar="DURATION", parser=seconds, help="Like 90s, 5m, 1h30m."),
    ] = None,
) -> Work:
    """Wait until one is finished; the exit code is its outcome."""
    from controller.cli.watching import wait as wait_for_one

    return lambda run: wait_for_one(run, name, timeout_seconds=timeout)


@command(look)
def diff(name: Name, output: Report = ReportForm.TEXT) -> Work:
    """Show what one would change, as a diff.

    It is the preview, which the API server's own dry run computed: what is in the cluster now, and what would be.
    """
    from controller.cli.diffing import diff as diff_one

    return lambda run: diff_one(run, name, form=output)


@command(look)
def logs(
    name: Name,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until it is finished.")] = False,
    tail: Annotated[
        int | None, typer.Option("--tail", metavar="LINES", min=0, help="Only the last lines of each container.")
    ] = None,
    timestamps: Annotated[bool, typer.Option("--timestamps", help="With the time before each line.")] = False,
) -> Work:
    """Print what the pods of one have written.

    That is of the Jobs that its action runs (run-job and the like). Of an action that runs no pod, it is its
    transitions, one a line. Of a workflow, it is each step's.
    """
    from controller.cli.logs import Wanted
    from controller.cli.logs import logs as print_logs

    wanted = Wanted(follow, tail, timestamps)
    return lambda run: print_logs(run, name, wanted)


@command(look)
def audit(name: Name, output: Report = ReportForm.TEXT) -> Work:
    """Show who did what to one, and when.

    Every transition, vote and attempt with its identifiers, from its status and, as long as they last, from Events.
    """
    from controller.cli.auditing import audit as audit_one

    return lambda run: audit_one(run, name, form=output)


@command(look, namespaced=False)
def types(name: TypeName = None, output: Listing = ListForm.TABLE) -> Work:
    """List which actions there are; one of them with its parameters."""
    from controller.cli.reading import list_types

    return lambda run: list_types(run, name, form=output)
