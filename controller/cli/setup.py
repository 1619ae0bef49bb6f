"""The commands about the installation: doctor, completion."""

from enum import StrEnum
from typing import Annotated

import typer

from controller.cli import exits
from controller.cli.arguments import Report
from controller.cli.declaring import Work, command
from controller.cli.options import Operator, ReportForm
from controller.cli.shells import script

setup = typer.Typer()


class Shell(StrEnum):
    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"
    KUBECTL = "kubectl"


@command(setup, epilog=exits.DOCTOR_HELP)
def doctor(
    operator_namespace: Annotated[
        str | None,
        typer.Option("--operator-namespace", metavar="NS", help="Where the operator is; default: looked for."),
    ] = None,
    lease_name: Annotated[
        str | None,
        typer.Option("--lease-name", metavar="NAME", help="The operator's Lease; default: those of all shards."),
    ] = None,
    service_account: Annotated[
        str | None,
        typer.Option("--operator-account", metavar="[NS/]NAME", help="Its ServiceAccount; default: looked for."),
    ] = None,
    output: Report = ReportForm.TEXT,
) -> Work:
    """Look at the whole installation, and say how to mend it."""
    from controller.cli.doctor import examine

    where = Operator(operator_namespace, lease_name, service_account)
    return lambda run: examine(run, where, form=output)


@setup.command()
def completion(
    shell: Annotated[Shell, typer.Argument(metavar="SHELL", help="Which shell.")],
) -> None:
    """Print what completes commands and names of the cluster.

    \b
    bash     source <(kubectl actions completion bash)
    zsh      source <(kubectl actions completion zsh)
    fish     kubectl actions completion fish | source
    kubectl  for `kubectl actions` itself, in any shell where kubectl completes:
             save it on the PATH as kubectl_complete-actions, executable
             (pip did that already)
    """
    typer.echo(script(shell), nl=False)
