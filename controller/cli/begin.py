"""The commands that propose something: create, run, undo, retry."""

from typing import Annotated

import typer

from controller.cli import exits
from controller.cli.arguments import Manifest, Name, TypeArgument, checked, given_parameters, seconds
from controller.cli.completing import parameter_names, runbooks, service_accounts, workflows
from controller.cli.declaring import Work, command
from controller.cli.options import CreatedForm, Following, Starting, object_name, runbook_name

begin = typer.Typer()

Parameters = Annotated[
    list[str] | None,
    typer.Option(
        "--parameter", "-p", metavar="KEY=VALUE", autocompletion=parameter_names,
        help="A parameter; may be given again.",
    ),
]  # fmt: skip
NewName = Annotated[
    str | None, typer.Option("--name", metavar="NAME", help="Default: what it runs, and a random part.")
]
Runner = Annotated[
    str | None,
    typer.Option(
        "--service-account", metavar="NAME", autocompletion=service_accounts,
        help="The runner; default: from policy.",
    ),
]  # fmt: skip
Ticket = Annotated[str | None, typer.Option("--ticket", metavar="ID", help="Reference to a ticket.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Have the API server check it all, and store nothing.")]
Preview = Annotated[
    bool, typer.Option("--preview", help="Stop after the preview (mode DryRun): nothing is changed, see `diff`.")
]
Wait = Annotated[bool, typer.Option("--wait", help="Wait for its outcome.")]
Timeout = Annotated[
    float | None,
    typer.Option("--timeout", metavar="DURATION", parser=seconds, help="With --wait: how long, like 90s, 5m, 1h30m."),
]
Created = Annotated[
    CreatedForm | None,
    typer.Option("--output", "-o", help="name: print only its name. json, yaml: only print the manifest."),
]
Follower = Annotated[str | None, typer.Option("--name", metavar="NEW", help="Default: NAME and what is done to it.")]
Why = Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Default: what is done to what.")]


@command(begin, epilog=exits.HELP)
def create(
    action: TypeArgument,
    parameters: Parameters = None,
    reason: Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why; approvers read it.")] = None,
    name: NewName = None,
    ticket: Ticket = None,
    runner: Runner = None,
    dry_run: DryRun = False,
    preview: Preview = False,
    then_wait: Wait = False,
    timeout: Timeout = None,
    output: Created = None,
) -> Work:
    """Propose one action. On a terminal it asks for what is missing; elsewhere it names all of it."""
    from controller.cli.creating import create_proposal

    how = Starting(name, reason, ticket, runner, dry_run, preview, then_wait, timeout, output)
    given = given_parameters(parameters)
    return lambda run: create_proposal(run, action, given, how)


@command(begin, "run", epilog=exits.HELP)
def run_(
    runbook: Annotated[
        str,
        typer.Argument(metavar="RUNBOOK", parser=lambda text: checked(runbook_name, text), autocompletion=runbooks),
    ],
    parameters: Parameters = None,
    reason: Annotated[
        str | None, typer.Option("--reason", metavar="TEXT", help="Default: the runbook's description.")
    ] = None,
    name: NewName = None,
    ticket: Ticket = None,
    runner: Runner = None,
    dry_run: DryRun = False,
    preview: Preview = False,
    then_wait: Wait = False,
    timeout: Timeout = None,
    output: Created = None,
) -> Work:
    """Run a runbook: propose a workflow of it. On a terminal it asks for parameters that are missing."""
    from controller.cli.running import run_runbook

    how = Starting(name, reason, ticket, runner, dry_run, preview, then_wait, timeout, output)
    given = given_parameters(parameters)
    return lambda run: run_runbook(run, runbook, given, how)


@command(begin, epilog=exits.HELP)
def undo(
    name: Name, new_name: Follower = None, reason: Why = None, then_wait: Wait = False, output: Manifest = None
) -> Work:
    """Propose what takes a finished one back.

    Of a workflow, it is another workflow that takes its steps back, the newest first."""
    from controller.cli.again import undo as undo_one

    how = Following(new_name, reason, then_wait, output)
    return lambda run: undo_one(run, name, how)


@command(begin, epilog=exits.HELP)
def retry(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            parser=lambda text: checked(object_name, text),
            autocompletion=workflows,
            help="NAME or aw/NAME of a workflow.",
        ),
    ],
    new_name: Follower = None,
    reason: Why = None,
    unknown_too: Annotated[
        bool, typer.Option("--unknown-too", help="Also steps whose result is not known: they may take effect twice.")
    ] = False,
    then_wait: Wait = False,
    output: Manifest = None,
) -> Work:
    """Propose a workflow that runs what failed in a finished one.

    What succeeded there is taken over as it is."""
    from controller.cli.again import retry as retry_one

    how = Following(new_name, reason, then_wait, output)
    return lambda run: retry_one(run, name, how, unknown_too=unknown_too)
