"""From what people type to the object that they mean: `scale-checkout`, `ap/scale-checkout`, `aw/node-3`."""

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, TypeVar

from controller.api.base import GROUP
from controller.api.proposal import ActionProposal
from controller.api.workflow import ActionWorkflow
from controller.cli.exits import Exit
from controller.cli.items import Item, Kind, newest_last
from controller.cli.options import FORMS, object_name
from controller.cli.refusals import NOT_INSTALLED, Refused
from controller.core.errors import NotFound, RightMissing
from controller.kube.api import Api
from controller.kube.resources import LIVE, resource

T = TypeVar("T")

BOTH: tuple[Kind, ...] = (ActionProposal, ActionWorkflow)
_NEAR = 3
_ALIKE = 0.75


_PLAIN: dict[Kind, str] = {ActionProposal: "proposal", ActionWorkflow: "workflow"}


def _words(kind: Kind) -> tuple[str, ...]:
    info, plain = kind.INFO, _PLAIN[kind]
    return (info.short_name, info.singular, info.plural, plain, f"{plain}s")


_KINDS: dict[str, Kind] = {word: kind for kind in BOTH for word in _words(kind)}


@dataclass(frozen=True)
class Ref:
    """A name, and the kinds that it may be of."""

    name: str
    kinds: tuple[Kind, ...] = BOTH

    @classmethod
    def parse(cls, text: str) -> "Ref":
        """Raises Refused for what is no name, and for a kind that we do not have."""
        try:
            kind, slash, name = object_name(text).partition("/")
        except ValueError as error:
            raise Refused(str(error), Exit.USAGE) from None
        if not slash:
            return cls(text)
        found = _KINDS.get(kind.lower().removesuffix(f".{GROUP}"))
        if found is None:
            raise Refused(f"{text}: {FORMS}", Exit.USAGE)
        return cls(name, (found,))


async def find(api: Api, namespace: str, text: str) -> Item:
    """The object. Raises Refused if there is none (with near names), or one of each kind."""
    ref = Ref.parse(text)
    looked = await asyncio.gather(*(_get(api, namespace, kind, ref.name) for kind in ref.kinds), return_exceptions=True)
    found = [item for item in looked if isinstance(item, Item)]
    if len(found) > 1:
        forms = " or ".join(item.short for item in found)
        raise Refused(f"{ref.name} is both a proposal and a workflow in namespace {namespace}; say {forms}", Exit.USAGE)
    for error in looked:
        # Who may not read the other kind can still name this one; who got no answer does not know which is meant.
        if isinstance(error, BaseException) and not (found and isinstance(error, RightMissing)):
            raise error
    if found:
        return found[0]
    raise Refused(missing(ref, namespace, await _names_there(api, namespace)), Exit.NOT_FOUND)


async def _names_there(api: Api, namespace: str) -> Sequence[Item]:
    try:
        return await fetch(api, namespace)
    except RightMissing:
        return ()


def missing(ref: Ref, namespace: str, there: Sequence[Item]) -> str:
    """The line for an object that is not there, with the names that it may have been meant to be."""
    what = " or ".join(_PLAIN[kind] for kind in ref.kinds)
    line = f"there is no {what} {ref.name} in namespace {namespace}"
    same = [item.short for item in there if item.name == ref.name]
    by_name = {item.name: item.short for item in there}
    near = same or [by_name[name] for name in get_close_matches(ref.name, by_name, _NEAR, cutoff=_ALIKE)]
    return f"{line}; did you mean {', '.join(near)}?" if near else f"{line}; see kubectl actions list -A"


async def fetch(api: Api, namespace: str | None, kinds: Sequence[Kind] = BOTH, *, live: bool = False) -> list[Item]:
    """All objects, newest last. `namespace` None: of the whole cluster. Raises Refused without our CRDs."""
    found = await _together([_list(api, namespace, kind, LIVE if live else "") for kind in kinds])
    return newest_last(item for items in found for item in items)


async def _together(calls: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """All results. If several fail, always the error of the first: who tries again sees the same."""
    results = await asyncio.gather(*calls, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return [result for result in results if not isinstance(result, BaseException)]


async def _get(api: Api, namespace: str, kind: Kind, name: str) -> Item | None:
    try:
        return Item(kind, await api.get(resource(kind.INFO), name, namespace=namespace))
    except NotFound:
        return None


async def _list(api: Api, namespace: str | None, kind: Kind, fields: str) -> list[Item]:
    try:
        listed = await api.list(resource(kind.INFO), namespace=namespace, field_selector=fields)
    except NotFound:
        # A list of nothing is empty; only a kind that the server does not know is not found.
        raise Refused(NOT_INSTALLED, Exit.NOT_FOUND) from None
    return [Item(kind, raw) for raw in listed.items]
