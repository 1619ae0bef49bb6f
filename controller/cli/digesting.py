"""digest: recompute a request digest by the cluster's action types and policies, and compare it with what is stored."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from rich.text import Text

from controller.actions.registry import built_ins
from controller.api.actiontype import ActionType
from controller.api.base import API_VERSION
from controller.api.policy import ActionPolicy
from controller.api.workflow import ActionWorkflow
from controller.cli.data import write
from controller.cli.exits import Exit
from controller.cli.find import BOTH, find
from controller.cli.items import Item, Kind
from controller.cli.options import ReportForm
from controller.cli.refusals import NOT_INSTALLED, Refused
from controller.cli.screen import Grid, draw, one_line
from controller.cli.session import Run
from controller.cli.table import UNREADABLE
from controller.client.digests import Comparison, as_stored, compare, policy_needed, recompute
from controller.client.standing import standing_still
from controller.core.digest import type_digest
from controller.core.enforcement import Enforcement
from controller.core.errors import NotFound, RightMissing
from controller.core.ports import Json
from controller.core.runbook import RunbookEntry, entry_of
from controller.core.settings import Settings
from controller.core.world import Catalogue, TypeEntry, World
from controller.kube.resources import NAMESPACES, POLICIES, RUNBOOKS, TYPES

_KINDS: dict[str, Kind] = {kind.INFO.kind: kind for kind in BOTH}


@dataclass(frozen=True)
class Rules:
    """The cluster's rules for one namespace, as far as digests depend on them."""

    world: World
    types_changed: dict[str, datetime]
    unread: RightMissing | None
    """Why policies, or the labels that they match by, could not be read."""


async def digest_file(run: Run, path: str, *, form: ReportForm) -> Exit:
    """For each proposal and workflow of a file, or of standard input for `-`."""
    found = []
    rules: dict[str, Rules] = {}
    for kind, manifest in _manifests(path):
        stored = as_stored(kind, manifest, run.namespace)
        item = Item(kind, stored)
        if item.namespace not in rules:
            rules[item.namespace] = await _read_rules(run, item.namespace)
        found.append((item, _compared(item, rules[item.namespace], await _runbook(run, item))))
    if form is not ReportForm.TEXT:
        data = [_as_data(item, comparison) for item, comparison in found]
        write(run.out, data[0] if len(data) == 1 else {"items": data}, form)
        return Exit.OK
    for item, comparison in found:
        run.out.print(one_line(f"{comparison.computed.digest}  {item.short}"), soft_wrap=True)
    return Exit.OK


async def digest_stored(run: Run, name: str, *, form: ReportForm) -> Exit:
    """For a stored object, compared with its status. Exit code 1 when they differ."""
    item = await find(run.api, run.namespace, name)
    comparison = _compared(item, await _read_rules(run, item.namespace), await _runbook(run, item))
    if form is not ReportForm.TEXT:
        write(run.out, _as_data(item, comparison), form)
    else:
        draw(run.out, Grid(list(_rows(comparison))))
        if comparison.request_digest is None and item.model is not None:
            run.note(f"nothing is stored to compare with: {item.short} is {standing_still(item.model)}")
    for line in comparison.why:
        run.note(f"differs: {line}")
    return Exit.OK if comparison.same else Exit.ERROR


async def _runbook(run: Run, item: Item) -> RunbookEntry | None:
    """What it names, if it has not pinned it yet."""
    model = item.model
    if not isinstance(model, ActionWorkflow) or model.spec.runbook_ref is None or model.status.runbook is not None:
        return None
    return entry_of(await run.api.get(RUNBOOKS, model.spec.runbook_ref.name, namespace=item.namespace))


def _compared(item: Item, rules: Rules, runbook: RunbookEntry | None) -> Comparison:
    if item.model is None:
        raise Refused(f"{item.short}: {UNREADABLE}")
    computed = recompute(item.model, item.raw["spec"], rules.world, runbook)
    if rules.unread is not None and policy_needed(item.model, rules.world):
        raise RightMissing(f"{item.short} names no runner, so the digest depends on policies: {rules.unread}")
    return compare(item.model, computed, rules.world, rules.types_changed)


async def _read_rules(run: Run, namespace: str) -> Rules:
    try:
        raw_types = (await run.api.list(TYPES)).items
    except NotFound:
        raise Refused(NOT_INSTALLED, Exit.NOT_FOUND) from None
    types = dict(_entries(raw_types))
    policies: tuple[ActionPolicy, ...] = ()
    labels: dict[str, str] = {}
    unread = None
    try:
        policies = tuple(ActionPolicy.model_validate(raw) for raw in (await run.api.list(POLICIES)).items)
        if any(policy.spec.match.namespace_labels for policy in policies):
            labels = dict((await run.api.get(NAMESPACES, namespace))["metadata"].get("labels") or {})
    except RightMissing as error:
        unread = error
    # Who asked is taken as proven; where it is not, policies that name requesters lend no runner.
    proven = Enforcement(since=datetime.fromtimestamp(0, UTC), fault=None)
    world = World(Catalogue(types, built_ins(lambda: datetime.now(UTC))), policies, labels, Settings(), proven)
    changed = {raw["metadata"]["name"]: when for raw in raw_types if (when := _changed(raw))}
    return Rules(world, changed, unread)


def _entries(raw_types: Sequence[Json]) -> Iterator[tuple[str, TypeEntry]]:
    """The types that can be read; others count as absent, as they do for the operator."""
    for raw in raw_types:
        try:
            made = ActionType.model_validate(raw)
        except ValueError:
            continue
        yield made.metadata.name, TypeEntry(made, raw["spec"], type_digest(raw["spec"]))


def _changed(raw: Json) -> datetime | None:
    """When the spec of an object was last written, as the API server's field managers tell."""
    times = [
        datetime.fromisoformat(entry["time"])
        for entry in raw["metadata"].get("managedFields") or ()
        if entry.get("time") and not entry.get("subresource")
    ]
    return max(times, default=None)


class _Yaml(yaml.SafeLoader):
    """YAML as Kubernetes reads it: what looks like a time is text."""


_Yaml.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _manifests(path: str) -> Iterator[tuple[Kind, Json]]:
    """The proposals and workflows of a file. Raises Refused where it cannot be read or has none."""
    count = 0
    for document in _documents(path):
        if not isinstance(document, dict):
            continue
        items = document.get("items") if document.get("kind") == "List" else [document]
        for manifest in items or ():
            kind = _KINDS.get(str(manifest.get("kind"))) if isinstance(manifest, dict) else None
            if kind is None or manifest.get("apiVersion") != API_VERSION:
                continue
            count += 1
            yield kind, manifest
    if not count:
        raise Refused(f"{path}: has no ActionProposal or ActionWorkflow of {API_VERSION}")


def _documents(path: str) -> list[Any]:
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text()
        return list(yaml.load_all(text, Loader=_Yaml))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise Refused(f"{path}: cannot be read: {error}") from None


def _rows(found: Comparison) -> Iterator[Sequence[Text]]:
    yield Text("request digest"), Text(found.computed.digest), _verdict(found.request_digest, found.request_differs)
    if found.digest is not None:
        yield Text("digest"), Text(found.digest), _verdict(found.stored_digest, found.digest_differs)


def _verdict(stored: str | None, differs: bool) -> Text:
    if stored is None:
        return Text("not stored", "dim")
    return Text(f"but stored is {stored}", "red") if differs else Text("as stored", "green")


def _as_data(item: Item, found: Comparison) -> Json:
    return {
        "subject": {"kind": item.kind.INFO.kind, "namespace": item.namespace, "name": item.name},
        "requestDigest": found.computed.digest,
        "document": found.computed.document,
        "stored": {"requestDigest": found.request_digest, "digest": found.stored_digest},
        "same": found.same if found.request_digest is not None else None,
        "differs": list(found.why),
    }
