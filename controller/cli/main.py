"""The commands and their options. What they do is imported when they run, so that `--help` is there at once."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from controller.cli import exits
from controller.cli.options import Connection, DataForm, KindChoice, ListForm, PageForm, namespace_name, object_name
from controller.cli.times import duration

if TYPE_CHECKING:
    from controller.cli.session import Run

T = TypeVar("T")


class _Plugin(typer.Typer):
    """Called by the name that people type, whatever the program is called on disk."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return super().__call__(*arguments, **{"prog_name": "kubectl actions", **options})


app = _Plugin(
    help="Propose, watch, cancel and undo operational actions. Proposals are ap/NAME, workflows aw/NAME.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

Namespace = Annotated[
    str | None,
    typer.Option(
        "--namespace", "-n", metavar="NS", parser=lambda text: _checked(namespace_name, text),
        help="Namespace; default: the context's.",
    ),
]  # fmt: skip
Context = Annotated[str | None, typer.Option("--context", metavar="NAME", help="Context of the kubeconfig.")]
Kubeconfig = Annotated[
    str | None, typer.Option("--kubeconfig", metavar="FILE", help="Kubeconfig; default: $KUBECONFIG, ~/.kube/config.")
]
Everywhere = Annotated[bool, typer.Option("--all-namespaces", "-A", help="All namespaces.")]
Kind = Annotated[KindChoice, typer.Option("--kind", help="Only these.")]
OnlyLive = Annotated[bool, typer.Option("--live", help="Only what is not finished.")]
Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME", parser=lambda text: _checked(object_name, text),
        help="NAME, ap/NAME (proposal) or aw/NAME (workflow).",
    ),
]  # fmt: skip


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

    _run(
        _connection(context, namespace, context_name, kubeconfig),
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

    _run(_connection(context, namespace, context_name, kubeconfig), lambda run: describe_object(run, name, form=output))


@app.command(epilog=exits.HELP)
def watch(
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", parser=lambda text: _checked(object_name, text), help="One; default: all."),
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

    _run(_connection(context, namespace, context_name, kubeconfig), work)


@app.command(epilog=exits.HELP)
def wait(
    context: typer.Context,
    name: Name,
    timeout: Annotated[
        float | None,
        typer.Option(
            "--timeout", metavar="DURATION", parser=lambda text: _checked(_seconds, text), help="Like 90s, 5m, 1h30m."
        ),
    ] = None,
    namespace: Namespace = None,
    context_name: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Wait until one is finished; the exit code is its outcome."""
    from controller.cli.watching import wait as wait_for_one

    _run(
        _connection(context, namespace, context_name, kubeconfig),
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

    _run(_connection(context, namespace, context_name, kubeconfig), lambda run: cancel_one(run, name))


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

    _run(_connection(context, namespace, context_name, kubeconfig), lambda run: suspend_one(run, name))


@app.command()
def resume(
    context: typer.Context,
    name: Name,
    namespace: Namespace = None,
    context_name: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Let a suspended one go on."""
    from controller.cli.changing import resume as resume_one

    _run(_connection(context, namespace, context_name, kubeconfig), lambda run: resume_one(run, name))


@app.command(epilog=exits.HELP)
def undo(
    context: typer.Context,
    name: Name,
    new_name: Annotated[str | None, typer.Option("--name", metavar="NEW", help="Default: NAME-undo.")] = None,
    reason: Annotated[str | None, typer.Option("--reason", metavar="TEXT", help='Default: "undo of NAME".')] = None,
    then_wait: Annotated[bool, typer.Option("--wait", help="Wait for its outcome.")] = False,
    output: Annotated[DataForm | None, typer.Option("--output", "-o", help="Only print the manifest.")] = None,
    namespace: Namespace = None,
    context_name: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Propose what puts back what a finished proposal changed."""
    from controller.cli.changing import undo as undo_one

    _run(
        _connection(context, namespace, context_name, kubeconfig),
        lambda run: undo_one(run, name, new_name=new_name, reason=reason, form=output, then_wait=then_wait),
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

    _run(_connection(context, None, context_name, kubeconfig), lambda run: list_types(run, name, form=output))


def _connection(
    context: typer.Context, namespace: str | None, context_name: str | None, kubeconfig: str | None
) -> Connection:
    before = context.obj if isinstance(context.obj, Connection) else Connection()
    return Connection(namespace or before.namespace, context_name or before.context, kubeconfig or before.kubeconfig)


def _run(connection: Connection, work: "Callable[[Run], Awaitable[exits.Exit]]") -> None:
    from controller.cli.session import carry_out

    raise typer.Exit(int(carry_out(connection, work)))


def _seconds(text: str) -> float:
    return duration(text).total_seconds()


def _checked(read: Callable[[str], T], text: str) -> T:
    """What it reads as. What it cannot read is wrong usage, told before any cluster is asked."""
    try:
        return read(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


if __name__ == "__main__":
    app()
