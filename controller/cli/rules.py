"""The commands about policies: halt, mode, policy explain. (`resume` is in `main`: it also ends a suspension.)"""

from enum import StrEnum
from typing import Annotated

import typer

from controller.cli.arguments import (
    Actions,
    Context,
    Kubeconfig,
    Manifest,
    Name,
    Namespace,
    OnlyNamespaces,
    Reason,
    Report,
    Risks,
    Selector,
    Yes,
    connection,
    run,
    scope,
)
from controller.cli.options import ReportForm

rules = typer.Typer()
policy = typer.Typer(help="Ask about policies.", no_args_is_help=True)
rules.add_typer(policy, name="policy")


class ModeChoice(StrEnum):
    OBSERVE = "Observe"
    EXECUTE = "Execute"


@rules.command()
def halt(
    context: typer.Context,
    reason: Reason = "",
    namespaces: OnlyNamespaces = None,
    selector: Selector = None,
    actions: Actions = None,
    risks: Risks = None,
    output: Manifest = None,
    context_name: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Let nothing new start, everywhere unless limited, until `resume`. Asks nothing."""
    from controller.cli.halting import halt as halt_scope

    limits = scope(context, namespaces, selector, actions, risks)
    run(
        connection(context, None, context_name, kubeconfig),
        lambda run: halt_scope(run, limits, reason=reason, form=output),
    )


@rules.command()
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
    context_name: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Show the mode that policies say and that is in force, or say one by a policy of its own."""
    from controller.api.names import Mode
    from controller.cli.modes import change_mode, clear_mode, show_mode

    limits = scope(context, namespaces, selector, actions, risks)
    if mode is not None and clear:
        raise typer.BadParameter("give either a mode or --clear")
    if mode is not None:
        where = connection(context, None, context_name, kubeconfig)
        run(where, lambda run: change_mode(run, Mode(mode.value), limits, reason=reason, yes=yes))
    if clear:
        run(connection(context, None, context_name, kubeconfig), lambda run: clear_mode(run, limits))
    if len(limits.namespaces) > 1 or limits.namespace_labels or limits.actions or limits.risks:
        raise typer.BadParameter("to show the mode, give at most one --namespace")
    shown = connection(context, next(iter(limits.namespaces), None), context_name, kubeconfig)
    run(shown, lambda run: show_mode(run, form=output))


@policy.command()
def explain(
    context: typer.Context,
    name: Name,
    output: Report = ReportForm.TEXT,
    namespace: Namespace = None,
    context_name: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Show every policy: whether it is about one proposal or workflow, why not, what it contributes, what holds."""
    from controller.cli.explaining import explain_policies

    run(connection(context, namespace, context_name, kubeconfig), lambda run: explain_policies(run, name, form=output))
