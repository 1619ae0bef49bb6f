"""The commands that change what is under way: cancel, suspend, resume."""

from typing import Annotated

import typer

from controller.cli.arguments import LiveName, Yes, checked
from controller.cli.completing import resumable
from controller.cli.declaring import Work, command
from controller.cli.options import object_name

steer = typer.Typer()


@command(steer)
def cancel(name: LiveName) -> Work:
    """Ask for one to be cancelled. What is under way is stopped; what is done stays done."""
    from controller.cli.changing import cancel as cancel_one

    return lambda run: cancel_one(run, name)


@command(steer)
def suspend(name: LiveName) -> Work:
    """Let nothing new start of one.

    No first attempt, no retry, no further step; `resume` lets it go on."""
    from controller.cli.changing import suspend as suspend_one

    return lambda run: suspend_one(run, name)


@command(steer)
def resume(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            parser=lambda text: checked(object_name, text),
            autocompletion=resumable,
            help="What was suspended, or a halt: apol/NAME.",
        ),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Take back every halt of `halt`.")] = False,
    yes: Yes = False,
) -> Work:
    """Let a suspended one go on, or take back a halt.

    Without NAME: take back a halt (asks), and tell what still halts."""
    from controller.cli.changing import resume as resume_one
    from controller.cli.halting import halt_named, resume_halt

    policy = halt_named(name) if name is not None else None
    if name is None:
        return lambda run: resume_halt(run, None, every=every, yes=yes)
    if every:
        raise typer.BadParameter("give either a NAME or --all")
    if policy is not None:
        return lambda run: resume_halt(run, policy, every=False, yes=yes)
    return lambda run: resume_one(run, name)
