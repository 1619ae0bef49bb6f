"""Options and arguments that commands share, and how a command is run. Imports nothing heavy: see `options`."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Annotated, NoReturn, TypeVar

import typer

from controller.cli import exits
from controller.cli.completing import action_types, contexts, live, namespaces, objects
from controller.cli.options import (
    Connection,
    DataForm,
    PageForm,
    ReportForm,
    assignments,
    namespace_name,
    object_name,
    type_name,
)
from controller.cli.times import duration

if TYPE_CHECKING:
    from controller.cli.session import Run
    from controller.client.scope import Scope

S = TypeVar("S")
T = TypeVar("T")


def checked(read: Callable[[S], T], text: S) -> T:
    """What it reads as. What it cannot read is wrong usage, told before any cluster is asked."""
    try:
        return read(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


Namespace = Annotated[
    str | None,
    typer.Option(
        "--namespace", "-n", metavar="NS", parser=lambda text: checked(namespace_name, text),
        autocompletion=namespaces,
        help="Namespace; default: the context's.",
    ),
]  # fmt: skip
Context = Annotated[
    str | None,
    typer.Option("--context", metavar="NAME", autocompletion=contexts, help="Context of the kubeconfig."),
]
Kubeconfig = Annotated[
    str | None, typer.Option("--kubeconfig", metavar="FILE", help="Kubeconfig; default: $KUBECONFIG, ~/.kube/config.")
]
AsUser = Annotated[str | None, typer.Option("--as", metavar="USER", help="Impersonate this user.")]
AsGroup = Annotated[
    list[str] | None,
    typer.Option("--as-group", metavar="GROUP", help="Impersonate this group; needs --as; may be given again."),
]
Everywhere = Annotated[bool, typer.Option("--all-namespaces", "-A", help="All namespaces.")]
_FORMS = "NAME, ap/NAME (proposal) or aw/NAME (workflow)."
Name = Annotated[
    str,
    typer.Argument(metavar="NAME", parser=lambda text: checked(object_name, text), autocompletion=objects, help=_FORMS),
]
LiveName = Annotated[
    str,
    typer.Argument(metavar="NAME", parser=lambda text: checked(object_name, text), autocompletion=live, help=_FORMS),
]
MaybeName = Annotated[
    str | None,
    typer.Argument(
        metavar="NAME", parser=lambda text: checked(object_name, text), autocompletion=objects,
        help="One; default: all.",
    ),
]  # fmt: skip
TypeName = Annotated[
    str | None,
    typer.Argument(
        metavar="TYPE", parser=lambda text: checked(type_name, text), autocompletion=action_types,
        help="One, as NAME or at/NAME; default: all.",
    ),
]  # fmt: skip
TypeArgument = Annotated[
    str,
    typer.Argument(
        metavar="TYPE", parser=lambda text: checked(type_name, text), autocompletion=action_types,
        help="The action type; see `types`.",
    ),
]  # fmt: skip
Page = Annotated[PageForm, typer.Option("--output", "-o", help="Output format.")]
Report = Annotated[ReportForm, typer.Option("--output", "-o", help="Output format.")]
Manifest = Annotated[DataForm | None, typer.Option("--output", "-o", help="Only print the manifest.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; needed where there is no terminal.")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept in an annotation of the policy.")]

# Where a policy of a command's own applies. Here --namespace limits it, and without it is the whole cluster.
OnlyNamespaces = Annotated[
    list[str] | None,
    typer.Option(
        "--namespace", "-n", metavar="NS", parser=lambda text: checked(namespace_name, text),
        autocompletion=namespaces,
        help="Only there; may be given again.",
    ),
]  # fmt: skip
Selector = Annotated[
    str | None,
    typer.Option("--namespace-selector", metavar="K=V,...", help="Only in namespaces with these labels."),
]
Actions = Annotated[
    list[str] | None,
    typer.Option(
        "--action", metavar="TYPE", parser=lambda text: checked(type_name, text), autocompletion=action_types,
        help="Only this action type; may be given again.",
    ),
]  # fmt: skip
Risks = Annotated[
    list[str] | None,
    typer.Option("--risk", metavar="RISK", help="Only this risk, Low to Critical; may be given again."),
]


def connection(
    context: typer.Context,
    *,
    namespace: str | None = None,
    context_name: str | None = None,
    kubeconfig: str | None = None,
    as_user: str | None = None,
    as_groups: Sequence[str] | None = None,
) -> Connection:
    """Options before the command count for it, unless they are given again after it."""
    before = context.obj if isinstance(context.obj, Connection) else Connection()
    found = Connection(
        namespace or before.namespace,
        context_name or before.context,
        kubeconfig or before.kubeconfig,
        as_user or before.username,
        tuple(as_groups or ()) or before.groups,
    )
    if found.groups and not found.username:
        raise typer.BadParameter("--as-group needs --as: a group is impersonated along with a user")
    return found


def run(connection: Connection, work: "Callable[[Run], Awaitable[exits.Exit]]") -> NoReturn:
    """Run the command and end with its exit code."""
    from controller.cli.session import carry_out

    raise typer.Exit(int(carry_out(connection, work)))


def given_parameters(texts: Sequence[str] | None) -> dict[str, str]:
    """`-p replicas=6` by name."""
    return checked(assignments, tuple(texts or ()))


def seconds(text: str) -> float:
    """`90s`, `5m` in seconds."""
    return checked(duration, text).total_seconds()


def scope(
    context: typer.Context,
    namespaces: Sequence[str] | None,
    selector: str | None,
    actions: Sequence[str] | None,
    risks: Sequence[str] | None,
) -> "Scope":
    """What the options limit a policy to; a namespace before the command counts as well."""
    from controller.api.names import Risk
    from controller.client.scope import Scope

    before = context.obj.namespace if isinstance(context.obj, Connection) else None
    if "" in (namespaces or ()) or before == "":  # an empty variable must not become the whole cluster
        raise typer.BadParameter("--namespace is empty; leave it out to mean the whole cluster")
    named = {str(risk).lower(): str(risk) for risk in Risk}
    for risk in risks or ():
        if risk.lower() not in named:
            raise typer.BadParameter(f"{risk} is not a risk; there are {', '.join(named.values())}")
    return Scope(
        namespaces=tuple(namespaces or ([before] if before else ())),
        namespace_labels=labels(selector or ""),
        actions=tuple(actions or ()),
        risks=tuple(named[risk.lower()] for risk in risks or ()),
    )


def labels(text: str) -> dict[str, str]:
    """`tier=prod,team=shop` as a map."""
    found: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = part.partition("=")
        if not name or not equals:
            raise typer.BadParameter(f"{part!r}: write labels like tier=prod,team=shop")
        found[name.strip()] = value.strip()
    return found
