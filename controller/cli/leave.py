"""The commands that give, refuse and ask about leave: approve, reject, answer, pending, who-can, digest."""

from typing import Annotated

import typer

from controller.cli import exits
from controller.cli.arguments import Everywhere, Manifest, Name, Report, Yes, checked
from controller.cli.completing import objects
from controller.cli.declaring import Work, command
from controller.cli.options import PendingForm, ReportForm, object_name

leave = typer.Typer()

Comment = Annotated[str, typer.Option("--comment", metavar="TEXT", help="Why; everybody who reads the vote sees it.")]
Digest = Annotated[
    str | None,
    typer.Option("--digest", metavar="sha256:...", help="Only if this is still what would run (status.digest)."),
]


@command(leave, epilog=exits.VOTE_HELP)
def approve(
    name: Name,
    comment: Comment = "",
    yes: Yes = False,
    digest: Digest = None,
    output: Manifest = None,
) -> Work:
    """Show what would run and change, ask, and approve that.

    What is approved is exactly what was shown, as the current user."""
    from controller.api.approval import Vote
    from controller.cli.approving import vote

    return lambda run: vote(run, name, Vote.APPROVE, comment=comment, digest=digest, yes=yes, form=output)


@command(leave, epilog=exits.VOTE_HELP)
def reject(
    name: Name,
    comment: Comment = "",
    yes: Yes = False,
    digest: Digest = None,
    output: Manifest = None,
) -> Work:
    """Show it, ask, and reject it.

    One rejection ends it, and stops what has started."""
    from controller.api.approval import Vote
    from controller.cli.approving import vote

    return lambda run: vote(run, name, Vote.REJECT, comment=comment, digest=digest, yes=yes, form=output)


@command(leave, epilog=exits.VOTE_HELP)
def answer(
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
) -> Work:
    """Show what a proposal of type ask asks, and answer it.

    It asks for a yes before; the answer is given as the current user."""
    from controller.cli.answering import answer as answer_one

    if (value is None) is (not fields):
        raise typer.BadParameter("give the answer either as VALUE or as -p KEY=VALUE")
    return lambda run: answer_one(run, name, value, fields or (), comment=comment, digest=digest, yes=yes, form=output)


@command(leave)
def pending(
    everywhere: Everywhere = False,
    every: Annotated[bool, typer.Option("--all", help="Also what does not wait for me, with why not.")] = False,
    output: Annotated[PendingForm, typer.Option("--output", "-o", help="Output format.")] = PendingForm.TABLE,
) -> Work:
    """List what waits for my approval."""
    from controller.cli.pending import pending as list_pending

    return lambda run: list_pending(run, everywhere=everywhere, every=every, form=output)


@command(leave, "who-can")
def who_can(
    name: Name,
    output: Report = ReportForm.TEXT,
) -> Work:
    """Show who may approve one.

    Through which bindings, and how many it takes."""
    from controller.cli.who_can import who_can as tell_who

    return lambda run: tell_who(run, name, form=output)


@command(leave, epilog=exits.DIGEST_HELP)
def digest(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            parser=lambda text: checked(object_name, text),
            autocompletion=objects,
            help="One that is stored, to compare with.",
        ),
    ] = None,
    file: Annotated[
        str | None, typer.Option("--filename", "-f", metavar="FILE", help="A manifest; - for standard input.")
    ] = None,
    output: Report = ReportForm.TEXT,
) -> Work:
    """Recompute the digest of a manifest or a stored object.

    Of a stored object, it is compared with the one that is stored."""
    from controller.cli.digesting import digest_file, digest_stored

    if file is not None and name is None:
        return lambda run: digest_file(run, file, form=output)
    if name is not None and file is None:
        return lambda run: digest_stored(run, name, form=output)
    raise typer.BadParameter("give either the NAME of a stored object or -f FILE")
