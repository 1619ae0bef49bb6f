"""The commands about policies: halt, mode, policy explain. (`resume` is in `steer`: it also ends a suspension.)"""

from enum import StrEnum
from typing import Annotated

import typer

from controller.cli.arguments import (
    Actions,
    Manifest,
    Name,
    OnlyNamespaces,
    Reason,
    Report,
    Risks,
    Selector,
    Yes,
    scope,
)
from controller.cli.declaring import Work, command
from controller.cli.options import ReportForm

rules = typer.Typer()
policy = typer.Typer(help="Ask about policies.", no_args_is_help=True)
rules.add_typer(policy, name="policy")


class ModeChoice(StrEnum):
    OBSERVE = "Observe"
    EXECUTE = "Execute"


@command(rules, namespaced=False)
def halt(
    context: typer.Context,
    reason: Reason = "",
    namespaces: OnlyNamespaces = None,
    selector: Selector = None,
    actions: Actions = None,
    risks: Risks = None,
    output: Manifest = None,
) -> Work:
    """The kill switch: let nothing new start until `resume`.

    Everywhere, or in what the options name. Asks nothing."""
    from controller.cli.halting import halt as halt_scope

    limits = scope(context, namespaces, selector, actions, risks)
    return lambda run: halt_scope(run, limits, reason=reason, form=output)


@command(rules, namespaced=False)
def mode(
    context: typer.Context,
    mode: Annotated[
        ModeChoice | None, typer.Argument(metavar="Observe|Execute", help="Without: show it.", case_sensitive=False)
    ] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Take back what this command said.")] = False,
    reason: Reason = "",
    yes: Yes = False,
    namespaces: OnlyNamespaces = None,
    selector: Selector = None,
    actions: Actions = None,
    risks: Risks = None,
    output: Report = ReportForm.TEXT,
) -> Work:
    """Show which mode is in force, or say one.

    Says it by a policy of its own."""
    from controller.api.names import Mode
    from controller.cli.modes import change_mode, clear_mode, show_mode

    limits = scope(context, namespaces, selector, actions, risks)
    if mode is not None and clear:
        raise typer.BadParameter("give either a mode or --clear")
    if mode is not None:
        said = Mode(mode.value)
        return lambda run: change_mode(run, said, limits, reason=reason, yes=yes)
    if clear:
        return lambda run: clear_mode(run, limits)
    if len(limits.namespaces) > 1 or limits.namespace_labels or limits.actions or limits.risks:
        raise typer.BadParameter("to show the mode, give at most one --namespace")
    namespace = next(iter(limits.namespaces), None)
    return lambda run: show_mode(run, namespace or run.namespace, form=output)


@command(policy)
def explain(
    name: Name,
    output: Report = ReportForm.TEXT,
) -> Work:
    """Show what the policies say about one.

    Every policy: whether it is about it, why not, what it contributes; and what is in force."""
    from controller.cli.explaining import explain_policies

    return lambda run: explain_policies(run, name, form=output)
