"""The commands that give, refuse and ask about leave: approve, reject, answer, pending, who-can, digest."""

from typing import Annotated

import typer

from controller.cli import exits
from controller.cli.arguments import (
    Context,
    Everywhere,
    Kubeconfig,
    Manifest,
    Name,
    Namespace,
    Report,
    Yes,
    checked,
    connection,
    run,
)
from controller.cli.options import PendingForm, ReportForm, object_name

leave = typer.Typer()

Comment = Annotated[str, typer.Option("--comment", metavar="TEXT", help="Why; everybody who reads the vote sees it.")]
Digest = Annotated[
    str | None,
    typer.Option("--digest", metavar="sha256:...", help="Only if this is still what would run (status.digest)."),
]


@leave.command(epilog=exits.VOTE_HELP)
def approve(
    context: typer.Context,
    name: Name,
    comment: Comment = "",
    yes: Yes = False,
    digest: Digest = None,
    output: Manifest = None,
    namespace: Namespace = None,
    context_name: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Show what would run and change, ask, and approve exactly that as the current user."""
    from controller.api.approval import Vote
    from controller.cli.approving import vote

    run(
        connection(context, namespace, context_name, kubeconfig),
        lambda run: vote(run, name, Vote.APPROVE, comment=comment, digest=digest, yes=yes, form=output),
    )


@leave.command(epilog=exits.VOTE_HELP)
def reject(
    context: typer.Context,
    name: Name,
    comment: Comment = "",
    yes: Yes = False,
    digest: Digest = None,
    output: Manifest = None,
    namespace: Namespace = None,
    context_name: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Show it, ask, and reject it: one rejection ends it, and stops what has started."""
    from controller.api.approval import Vote
    from controller.cli.approving import vote

    run(
        connection(context, namespace, context_name, kubeconfig),
        lambda run: vote(run, name, Vote.REJECT, comment=comment, digest=digest, yes=yes, form=output),
    )


@leave.command(epilog=exits.VOTE_HELP)
def answer(
    context: typer.Context,
    name: Name,
    value: Annotated[str | None, typer.Argument(metavar="VALUE", help="The answer: a text, or JSON.")] = None,
    fields: Annotated[
        list[str] | None,
        typer.Option("--parameter", "-p", metavar="KEY=VALUE", help="A field of the answer; may be given again."),
    ] = None,
    comment: Comment = "",
    yes: Yes = False,
    digest: Digest = None,
    output: Manifest = None,
    namespace: Namespace = None,
    context_name: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Show what is asked (action type ask), ask for a yes, and answer it as the current user."""
    from controller.cli.answering import answer as answer_one

    if (value is None) is (not fields):
        raise typer.BadParameter("give the answer either as VALUE or as -p KEY=VALUE")
    run(
        connection(context, namespace, context_name, kubeconfig),
        lambda run: answer_one(run, name, value, fields or (), comment=comment, digest=digest, yes=yes, form=output),
    )


@leave.command()
def pending(
    context: typer.Context,
    everywhere: Everywhere = False,
    every: Annotated[bool, typer.Option("--all", help="Also what does not wait for me, with why not.")] = False,
    output: Annotated[PendingForm, typer.Option("--output", "-o", help="Output format.")] = PendingForm.TABLE,
    namespace: Namespace = None,
    context_name: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """List what waits for my approval."""
    from controller.cli.pending import pending as list_pending

    run(
        connection(context, namespace, context_name, kubeconfig),
        lambda run: list_pending(run, everywhere=everywhere, every=every, form=output),
    )


@leave.command("who-can")
def who_can(
    context: typer.Context,
    name: Name,
    output: Report = ReportForm.TEXT,
    namespace: Namespace = None,
    context_name: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Show who may approve one, through which bindings, and how many it takes."""
    from controller.cli.who_can import who_can as tell_who

    run(connection(context, namespace, context_name, kubeconfig), lambda run: tell_who(run, name, form=output))


@leave.command(epilog=exits.DIGEST_HELP)
def digest(
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME", parser=lambda text: checked(object_name, text), help="One that is stored, to compare with."
        ),
    ] = None,
    file: Annotated[
        str | None, typer.Option("--filename", "-f", metavar="FILE", help="A manifest; - for standard input.")
    ] = None,
    output: Report = ReportForm.TEXT,
    namespace: Namespace = None,
    context_name: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Recompute the request digest of a manifest, or of a stored object and compare the two."""
    from controller.cli.digesting import digest_file, digest_stored

    where = connection(context, namespace, context_name, kubeconfig)
    if file is not None and name is None:
        run(where, lambda run: digest_file(run, file, form=output))
    if name is not None and file is None:
        run(where, lambda run: digest_stored(run, name, form=output))
    raise typer.BadParameter("give either the NAME of a stored object or -f FILE")
