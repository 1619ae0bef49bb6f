"""Rights as RBAC rules grant them and as the API server's audit log shows them used."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from localcluster.controlplane import ControlPlane

Json = dict[str, Any]


class Right(NamedTuple):
    """`resource` with its subresource, as rules name it: `deployments/scale`."""

    group: str
    resource: str
    verb: str


def granted(file: Path) -> set[Right]:
    """By all rules of all roles in a file but those of impersonation, which no request shows as a verb of its own."""
    documents = yaml.safe_load_all(file.read_text())
    rules = [rule for document in documents for rule in document.get("rules", ())]
    return {
        Right(group, resource, verb)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        if verb != "impersonate"
    }


def requests(cluster: ControlPlane, username: str) -> list[Json]:
    """What the API server was asked by a user, also as somebody else. Watches are told when they end."""
    lines = cluster.audit_log.read_text().splitlines()
    return [entry for entry in map(json.loads, lines) if entry["user"]["username"] == username]


def acting_as(entry: Json) -> str | None:
    """Whom the user acted as."""
    name: str | None = (entry.get("impersonatedUser") or {}).get("username")
    return name


def used(entries: Iterable[Json]) -> set[Right]:
    """The rights that it took."""
    return {_right(entry["objectRef"], entry["verb"]) for entry in entries}


def refused(entries: Iterable[Json]) -> Iterator[str]:
    """Requests that were forbidden, by RBAC or by admission, with what was said."""
    for entry in entries:
        status = entry.get("responseStatus") or {}
        if status.get("code") == 403:
            yield f"{entry['verb']} {entry['requestURI']}: {status.get('message')}"


def _right(target: Json, verb: str) -> Right:
    names = (target["resource"], target.get("subresource"))
    return Right(target.get("apiGroup", ""), "/".join(filter(None, names)), verb)
