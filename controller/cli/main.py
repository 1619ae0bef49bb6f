"""The commands in the order of the help, and the options before them.

What commands do is imported when they run, so that `--help` is there at once.
"""

import os
import sys
from typing import Any

import typer
from typer.completion import completion_init  # type: ignore[attr-defined]

from controller.cli.arguments import AsGroup, AsUser, Context, Kubeconfig, Namespace
from controller.cli.begin import begin
from controller.cli.leave import leave
from controller.cli.look import look
from controller.cli.options import Connection
from controller.cli.rules import rules
from controller.cli.setup import setup
from controller.cli.shells import ASKED_BY_KUBECTL, VARIABLE, WITHOUT_WRAPPING, answer_kubectl, environment
from controller.cli.steer import steer


class _Plugin(typer.Typer):
    """Called by the name that people type, whatever the program is called on disk."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        named = {"prog_name": "kubectl actions", "complete_var": VARIABLE}
        if VARIABLE in os.environ:
            completion_init()
            with environment(WITHOUT_WRAPPING):
                return super().__call__(*arguments, **{**named, **options})
        if not arguments and sys.argv[1:2] == [ASKED_BY_KUBECTL]:
            sys.stdout.write(answer_kubectl(sys.argv[2:], self))
            return None
        return super().__call__(*arguments, **{**named, **options})


app = _Plugin(
    help="Propose, watch, approve, cancel, undo and halt operational actions.\n\n"
    "Proposals are ap/NAME, workflows aw/NAME; a plain NAME does where there is only one. "
    "If something does not work, `kubectl actions doctor` says why and what to do.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


@app.callback()
def common(
    context: typer.Context,
    namespace: Namespace = None,
    context_name: Context = None,
    kubeconfig: Kubeconfig = None,
    as_user: AsUser = None,
    as_groups: AsGroup = None,
) -> None:
    """Options before the command count for it, unless they are given again after it."""
    context.obj = Connection(namespace, context_name, kubeconfig, as_user, tuple(as_groups or ()))


for commands in (begin, look, leave, steer, rules, setup):
    app.add_typer(commands)

if __name__ == "__main__":
    app()
