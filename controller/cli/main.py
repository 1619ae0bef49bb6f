"""The commands and their options. What they do is imported when they run, so that `--help` is there at once."""

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from controller.cli import exits
from controller.cli.arguments import (
    Context,
    Everywhere,
    Kubeconfig,
    Manifest,
    Name,
    Namespace,
    Yes,
    checked,
    connection,
    run,
    seconds,
)
from controller.cli.leave import leave
from controller.cli.options import Connection, GraphForm, KindChoice, ListForm, PageForm, object_name
from controller.cli.rules import rules

if TYPE_CHECKING:
    from controller.cli.session import Run


class _Plugin(typer.Typer):
    """Called by the name that people type, whatever the program is called on disk."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return super().__call__(*arguments, **{"prog_name": "kubectl actions", **options})


app = _Plugin(
    help="Watch, approve, cancel, undo and halt operational actions. Proposals are ap/NAME, workflows aw/NAME.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

Kind = Annotated[KindChoice, typer.Option("--kind", help="Only these.")]
OnlyLive = Annotated[bool, typer.Option("--live", help="Only what is not finished.")]


@app.callback()
def common(
    context: typer.Context, namespace: Namespace = None, context_name: Context = None, kubeconfig: Kubeconfig = None
) -> None:
    """Options before the command count for it, unless they are given again after it."""
    context.obj = Connection(namespace, context_name, kubeconfig)


@app.command("list")
def list_(
    context: typer.Context,
    everywhere: Everywhere = False,
    output: Annotated[ListForm, typer.Option("--output", "-o", help="Output format.")] = ListForm.TABLE,
    kind: Kind = KindChoice.ALL,
    live: OnlyLive = False,
    namespace: Namespace = None,
    context_name: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """List proposals and workflows, the newest last. PHASE is the outcome once it is finished."""
    from controller.cli.reading import list_objects

    run(
        connection(context, namespace, context_name, kubeconfig),
        lambda run: list_objects(run, everywhere=everywhere, kind=kind, live=live, form=output),
    )


@app.command()
def describe(
    context: typer.Context,
    name: Name,
    output: Annotated[PageForm, typer.Option("--output", "-o", help="Output format.")] = PageForm.TEXT,
    namespace: Namespace = None,
    context_name: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Show one on a page: what, who, why, where it stands, history, how to undo it."""
    from controller.cli.reading import describe as describe_object

    run(connection(context, namespace, context_name, kubeconfig), lambda run: describe_object(run, name, form=output))


@app.command(epilog=exits.HELP)
def graph(
    context: typer.Context,
    name: Name,
    output: Annotated[GraphForm, typer.Option("--output", "-o", help="Output format.")] = GraphForm.TEXT,
    follow: Annotated[bool, typer.Option("--watch", "-w", help="Draw it anew until it is finished.")] = False,
    namespace: Namespace = None,
    context_name: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Draw the steps of a workflow and where each stands."""
    from controller.cli.graphing import graph as graph_one

    run(
        connection(context, namespace, context_name, kubeconfig),
        lambda run: graph_one(run, name, form=output, follow=follow),
    )


@app.command(epilog=exits.HELP)
def watch(
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", parser=lambda text: checked(object_name, text), help="One; default: all."),
    ] = None,
    everywhere: Everywhere = False,
    kind: Kind = KindChoice.ALL,
    live: OnlyLive = False,
    namespace: Namespace = None,
    context_name: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Watch all, or one until it is finished. Into a pipe: a line for each change."""
    from controller.cli.watching import watch_all, watch_one

    def work(run: "Run") -> Awaitable[exits.Exit]:
        if name is not None:
            return watch_one(run, name)
        return watch_all(run, everywhere=everywhere, kind=kind, live=live)

    run(connection(context, namespace, context_name, kubeconfig), work)


@app.command(epilog=exits.HELP)
def wait(
    context: typer.Context,
    name: Name,
    timeout: Annotated[
        float | None,
        typer.Option("--timeout", metavar="DURATION", parser=seconds, help="Like 90s, 5m, 1h30m."),
    ] = None,
    namespace: Namespace = None,
    context_name: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Wait until one is finished; the exit code is its outcome."""
    from controller.cli.watching import wait as wait_for_one

    run(
        connection(context, namespace, context_name, kubeconfig),
        lambda run: wait_for_one(run, name, timeout_seconds=timeout),
    )


@app.command()
def cancel(
    context: typer.Context,
    name: Name,
    namespace: Namespace = None,
    context_name: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Ask for one to be cancelled. What is under way is stopped; what is done stays done."""
    from controller.cli.changing import cancel as cancel_one

    run(connection(context, namespace, context_name, kubeconfig), lambda run: cancel_one(run, name))


@app.command()
def suspend(
    context: typer.Context,
    name: Name,
    namespace: Namespace = None,
    context_name: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Let nothing new start of one: no first attempt, no retry, no further step."""
    from controller.cli.changing import suspend as suspend_one

    run(connection(context, namespace, context_name, kubeconfig), lambda run: suspend_one(run, name))


@app.command()
def resume(
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            parser=lambda text: checked(object_name, text),
            help="What was suspended, or a halt: apol/NAME.",
        ),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Take back every halt of `halt`.")] = False,
    yes: Yes = False,
    namespace: Namespace = None,
    context_name: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Let a suspended one go on. Without NAME: take back a halt (asks), and tell what still halts."""
    from controller.cli.changing import resume as resume_one
    from controller.cli.halting import halt_named, resume_halt

    where = connection(context, namespace, context_name, kubeconfig)
    policy = halt_named(name) if name is not None else None
    if name is None or policy is not None:
        run(where, lambda run: resume_halt(run, policy, every=every, yes=yes))
    if every:
        raise typer.BadParameter("give either a NAME or --all")
    run(where, lambda run: resume_one(run, name))


@app.command(epilog=exits.HELP)
def undo(
    context: typer.Context,
    name: Name,
    new_name: Annotated[str | None, typer.Option("--name", metavar="NEW", help="Default: NAME-undo.")] = None,
    reason: Annotated[str | None, typer.Option("--reason", metavar="TEXT", help='Default: "undo of NAME".')] = None,
    then_wait: Annotated[bool, typer.Option("--wait", help="Wait for its outcome.")] = False,
    output: Manifest = None,
    namespace: Namespace = None,
    context_name: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Propose what puts back what a finished proposal or workflow changed."""
    from controller.cli.again import undo as undo_one

    run(
        connection(context, namespace, context_name, kubeconfig),
        lambda run: undo_one(run, name, new_name=new_name, reason=reason, form=output, then_wait=then_wait),
    )


@app.command(epilog=exits.HELP)
def retry(
    context: typer.Context,
    name: Name,
    new_name: Annotated[str | None, typer.Option("--name", metavar="NEW", help="Default: NAME-retry.")] = None,
    reason: Annotated[str | None, typer.Option("--reason", metavar="TEXT", help='Default: "retry of NAME".')] = None,
    unknown_too: Annotated[
        bool, typer.Option("--unknown-too", help="Also steps whose result is not known: they may take effect twice.")
    ] = False,
    then_wait: Annotated[bool, typer.Option("--wait", help="Wait for its outcome.")] = False,
    output: Manifest = None,
    namespace: Namespace = None,
    context_name: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Propose a workflow that runs what did not succeed in a finished one, and keeps what did."""
    from controller.cli.again import retry as retry_one

    run(
        connection(context, namespace, context_name, kubeconfig),
        lambda run: retry_one(
            run, name, new_name=new_name, reason=reason, unknown_too=unknown_too, form=output, then_wait=then_wait
        ),
    )


@app.command()
def types(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="TYPE", help="One; default: all.")] = None,
    output: Annotated[PageForm, typer.Option("--output", "-o", help="Output format.")] = PageForm.TEXT,
    context_name: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Show which actions there are, with their parameters."""
    from controller.cli.reading import list_types

    run(connection(context, None, context_name, kubeconfig), lambda run: list_types(run, name, form=output))


app.add_typer(leave)
app.add_typer(rules)

if __name__ == "__main__":
    app()
