"""Names from the cluster for shells to complete: what is there now, or nothing at all. Imports nothing heavy itself.

A shell waits for this at each press of Tab, so it is bounded in time, asks for metadata only, and never says an error.
What others wrote into the cluster comes to a command line here: words that a shell would read as more are left out.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

import typer

from controller.cli.options import Connection

if TYPE_CHECKING:
    from controller.core.ports import Json, Resource
    from controller.kube.api import Api

ANSWER_SECONDS = 3.0

Pairs = list[tuple[str, str]]
"""What may be typed, and a word on it."""
Look = Callable[["Api", str], Awaitable[Pairs]]
_PLAIN = re.compile(r"[A-Za-z0-9@%+:,./_-]+=?")
"""Words that every shell takes as they stand, wherever they are put."""


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
    return _offered([(entry["name"], "") for entry in found or ()], incomplete)


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
    return [(raw["metadata"]["name"], str(raw["spec"].get("description", ""))) for raw in listed]


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
    pairs = [pair for pair in found if "/" in incomplete or "/" not in pair[0] or incomplete.startswith("apol")]
    return _offered(pairs, incomplete)


def _offered(pairs: Pairs, incomplete: str) -> Pairs:
    """What begins so and can stand on a command line as it is; a word on it is one line without markup."""
    from rich.markup import escape

    from controller.cli.screen import one_line

    wanted = {(name, word) for name, word in pairs if name.startswith(incomplete) and _PLAIN.fullmatch(name)}
    return [(name, escape(one_line(word).plain)) for name, word in sorted(wanted)]


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
