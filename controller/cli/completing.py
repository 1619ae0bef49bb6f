"""Names from the cluster for shells to complete: what is there now, or nothing at all. Imports nothing heavy itself.

A shell waits for this at each press of Tab, so it is bounded in time, asks for metadata only, and never says an error.
"""

import asyncio
import os
import shlex
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from io import StringIO
from typing import TYPE_CHECKING, Any

import typer
from typer.completion import get_completion_script  # type: ignore[attr-defined]

from controller.cli.options import Connection

if TYPE_CHECKING:
    from controller.core.ports import Json, Resource
    from controller.kube.api import Api

PROGRAM = "kubectl-actions"
VARIABLE = "_KUBECTL_ACTIONS_COMPLETE"
"""Set by the scripts of the shells when they ask."""
ANSWER_SECONDS = 3.0
NO_FILES = ":4"
"""kubectl's word for: complete no file names where there is nothing else."""
PLUGIN_SCRIPT = f"""#!/bin/sh
# kubectl asks this program what may follow `kubectl actions`; its name must be kubectl_complete-actions, on the PATH.
exec {PROGRAM} __complete "$@"
"""

Pairs = list[tuple[str, str]]
"""What may be typed, and a word on it."""
Look = Callable[["Api", str], Awaitable[Pairs]]


def script(shell: str) -> str:
    """What a shell has to read to complete `kubectl-actions`; of `kubectl` the program that it asks."""
    if shell == "kubectl":
        return PLUGIN_SCRIPT
    return get_completion_script(prog_name=PROGRAM, complete_var=VARIABLE, shell=shell) + "\n"


def answer_kubectl(words: Sequence[str], complete: Callable[[], Any]) -> str:
    """The answer to kubectl, a line for each, for the words after `kubectl actions`. `complete`: the whole program.

    The last word is the one that is being typed. Typer is asked by its form for fish, whose lines are kubectl's.
    """
    *before, last = words or [""]
    line = shlex.join([PROGRAM, *before]) + " " + (shlex.quote(last) if last else "")
    asked = {VARIABLE: "complete_fish", "_TYPER_COMPLETE_FISH_ACTION": "get-args", "_TYPER_COMPLETE_ARGS": line}
    out = StringIO()
    with _environment(asked), redirect_stdout(out), redirect_stderr(StringIO()), suppress(SystemExit):
        complete()
    return out.getvalue().rstrip("\n") + f"\n{NO_FILES}\n"


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def objects(ctx: typer.Context, incomplete: str) -> Pairs:
    """Proposals and workflows: plain names, and with their kind once that is begun."""
    return _told(ctx, incomplete, _objects)


def live(ctx: typer.Context, incomplete: str) -> Pairs:
    """Those that are not finished."""
    return _told(ctx, incomplete, _live)


def resumable(ctx: typer.Context, incomplete: str) -> Pairs:
    """Those that are not finished, and policies, one of which may be a halt."""
    return _told(ctx, incomplete, _resumable)


def workflows(ctx: typer.Context, incomplete: str) -> Pairs:
    """Workflows."""
    return _told(ctx, incomplete, _workflows)


def action_types(ctx: typer.Context, incomplete: str) -> Pairs:
    """Action types."""
    return _told(ctx, incomplete, _types)


def runbooks(ctx: typer.Context, incomplete: str) -> Pairs:
    """Runbooks."""
    return _told(ctx, incomplete, _runbooks)


def namespaces(ctx: typer.Context, incomplete: str) -> Pairs:
    """Namespaces."""
    return _told(ctx, incomplete, _namespaces)


def service_accounts(ctx: typer.Context, incomplete: str) -> Pairs:
    """ServiceAccounts."""
    return _told(ctx, incomplete, _service_accounts)


def contexts(incomplete: str) -> Pairs:
    """Contexts of the kubeconfig."""
    from kubernetes import config

    try:
        found, _ = config.list_kube_config_contexts()  # type: ignore[no-untyped-call]
    except Exception:  # noqa: BLE001  a shell is no place for what is wrong with a file
        return []
    return [(entry["name"], "") for entry in found or () if entry["name"].startswith(incomplete)]


def parameter_names(ctx: typer.Context, incomplete: str) -> Pairs:
    """`replicas=` of the action type or runbook that stands before."""

    async def look(api: "Api", namespace: str) -> Pairs:
        from controller.cli.catalogue import bounds, parameters
        from controller.core.runbook import entry_of, schema_of
        from controller.kube.resources import RUNBOOKS, TYPES

        # While an option is being typed, typer has not read the arguments before it yet.
        named = ctx.params.get("action") or ctx.params.get("runbook") or next(iter(ctx.args), "")
        if ctx.info_name == "create":
            schema = (await api.get(TYPES, named.removeprefix("at/")))["spec"]["parameters"]
        else:
            raw = await api.get(RUNBOOKS, named.removeprefix("arb/"), namespace=namespace)
            schema = schema_of(entry_of(raw).runbook.spec)
        return [(f"{name}=", bounds(field)) for name, _, field in parameters(schema)]

    return _told(ctx, incomplete, look)


async def _objects(api: "Api", namespace: str) -> Pairs:
    return [*await _proposals(api, namespace), *await _workflows(api, namespace)]


async def _live(api: "Api", namespace: str) -> Pairs:
    from controller.kube.resources import LIVE

    return [*await _proposals(api, namespace, LIVE), *await _workflows(api, namespace, LIVE)]


async def _resumable(api: "Api", namespace: str) -> Pairs:
    from controller.kube.resources import POLICIES

    policies = await _names(api, POLICIES, None)
    return [*await _live(api, namespace), *((f"apol/{name}", word) for name, word in policies)]


async def _proposals(api: "Api", namespace: str, fields: str = "") -> Pairs:
    from controller.kube.resources import PROPOSALS

    return _either_way("ap", await _names(api, PROPOSALS, namespace, fields))


async def _workflows(api: "Api", namespace: str, fields: str = "") -> Pairs:
    from controller.kube.resources import WORKFLOWS

    return _either_way("aw", await _names(api, WORKFLOWS, namespace, fields))


async def _types(api: "Api", namespace: str) -> Pairs:
    from controller.kube.resources import TYPES

    listed = (await api.list(TYPES)).items
    return [(raw["metadata"]["name"], " ".join(str(raw["spec"].get("description", "")).split())) for raw in listed]


async def _runbooks(api: "Api", namespace: str) -> Pairs:
    from controller.kube.resources import RUNBOOKS

    return await _names(api, RUNBOOKS, namespace)


async def _namespaces(api: "Api", namespace: str) -> Pairs:
    from controller.kube.resources import NAMESPACES

    return await _names(api, NAMESPACES, None)


async def _service_accounts(api: "Api", namespace: str) -> Pairs:
    from controller.kube.resources import SERVICE_ACCOUNTS

    return await _names(api, SERVICE_ACCOUNTS, namespace)


async def _names(api: "Api", resource: "Resource", namespace: str | None, fields: str = "") -> Pairs:
    listed = await api.list(resource, namespace=namespace, field_selector=fields, metadata_only=True)
    found: Sequence[Json] = listed.items
    return [(str(raw["metadata"]["name"]), "") for raw in found]


def _either_way(short: str, pairs: Pairs) -> Pairs:
    return [*pairs, *((f"{short}/{name}", word) for name, word in pairs)]


def _told(ctx: typer.Context, incomplete: str, look: Look) -> Pairs:
    """What is there and begins so; a form with a kind only once its `/` is typed, so that nothing comes twice."""
    try:
        found = asyncio.run(_asked(_where(ctx), look))
    except Exception:  # noqa: BLE001  a shell is no place for what is wrong with a cluster
        return []
    wanted = [(name, word) for name, word in found if name.startswith(incomplete)]
    return sorted({pair for pair in wanted if "/" in incomplete or "/" not in pair[0] or incomplete.startswith("apol")})


async def _asked(where: Connection, look: Look) -> Pairs:
    from controller.cli.session import client_of

    async with asyncio.timeout(ANSWER_SECONDS), client_of(where) as client:
        return await look(client.api.once(), client.namespace)


def _where(ctx: typer.Context) -> Connection:
    """The options given so far, those before the command too."""
    given: dict[str, Any] = {}
    level: Any = ctx
    while level is not None:
        given = {name: value for name, value in level.params.items() if value} | given
        level = level.parent
    namespace = given.get("namespace") or next(iter(given.get("namespaces") or ()), None)
    return Connection(
        namespace,
        given.get("context_name"),
        given.get("kubeconfig"),
        given.get("as_user"),
        tuple(given.get("as_groups") or ()),
    )


def plugin() -> None:
    """The program `kubectl_complete-actions`."""
    from controller.cli.main import app

    sys.stdout.write(answer_kubectl(sys.argv[1:], app))
