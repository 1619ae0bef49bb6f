"""How a command is declared: a function from its own parameters to its work. Which cluster, as whom and in which
namespace is asked of every command in the same way, so it is added here. Imports nothing heavy: see `options`.
"""

import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, ParamSpec

import typer

from controller.cli import exits
from controller.cli.arguments import AsGroup, AsUser, Context, Kubeconfig, Namespace, connection, run

if TYPE_CHECKING:
    from controller.cli.session import Run

P = ParamSpec("P")
Work = Callable[["Run"], Awaitable[exits.Exit]]

_SHARED = {"context_name": Context, "kubeconfig": Kubeconfig, "as_user": AsUser, "as_groups": AsGroup}
_CONTEXT = "context"


def command(
    app: typer.Typer, name: str | None = None, *, namespaced: bool = True, epilog: str | None = None
) -> Callable[[Callable[P, Work]], Callable[P, Work]]:
    """Adds the function as a command. `namespaced`: with -n; without, its objects belong to the whole cluster."""

    def register(declared: Callable[P, Work]) -> Callable[P, Work]:
        own = inspect.signature(declared).parameters
        shared = {"namespace": Namespace, **_SHARED} if namespaced else dict(_SHARED)

        def invoked(**given: Any) -> None:
            where = connection(given[_CONTEXT], **{name: given.pop(name) for name in shared})
            if _CONTEXT not in own:
                given.pop(_CONTEXT)
            work: Callable[..., Work] = declared
            run(where, work(**given))

        _look_like(declared, invoked, shared)
        app.command(name or declared.__name__.rstrip("_").replace("_", "-"), epilog=epilog)(invoked)
        return declared

    return register


def _look_like(declared: Callable[..., Work], invoked: Callable[..., None], shared: dict[str, Any]) -> None:
    """Gives `invoked` the parameters of `declared` and the shared ones, as typer reads them."""
    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = {_CONTEXT: inspect.Parameter(_CONTEXT, keyword, annotation=typer.Context)}
    parameters |= {
        name: parameter.replace(kind=keyword)
        for name, parameter in inspect.signature(declared, eval_str=True).parameters.items()
    }
    parameters |= {
        name: inspect.Parameter(name, keyword, default=None, annotation=kind) for name, kind in shared.items()
    }
    invoked.__doc__ = declared.__doc__
    invoked.__name__ = declared.__name__
    invoked.__annotations__ = {name: parameter.annotation for name, parameter in parameters.items()}
    invoked.__signature__ = inspect.Signature(list(parameters.values()))  # type: ignore[attr-defined]
