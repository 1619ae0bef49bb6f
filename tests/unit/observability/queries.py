"""The shipped alerts and the dashboard, and what their queries ask for."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import promql_parser as promql
import yaml

ROOT = Path(__file__).parents[3]
FILES = ROOT / "charts" / "action-operator" / "files"
ALERTS = FILES / "alerts.yaml"
DASHBOARD = FILES / "dashboard.json"
_VARIABLES = {"$__rate_interval": "5m", "$namespace": ".*", "$job": ".*"}


@dataclass
class Asked:
    """What a query asks for: selectors as (metric, {label: (how, value)}), and the labels that it groups by."""

    selectors: list[tuple[str, dict[str, tuple[str, str]]]] = field(default_factory=list)
    grouped: set[str] = field(default_factory=set)

    @property
    def metrics(self) -> set[str]:
        return {name for name, _ in self.selectors}


def asked(query: str) -> Asked:
    """Raises ValueError where the query is not PromQL."""
    for name, value in _VARIABLES.items():
        query = query.replace(name, value)
    found = Asked()

    def note(node: Any) -> None:
        if isinstance(node, promql.VectorSelector):
            found.selectors.append((node.name, {m.name: (m.op, m.value) for m in node.matchers.matchers}))
        if isinstance(node, promql.AggregateExpr) and node.modifier:
            found.grouped.update(node.modifier.labels)

    promql.walk(promql.parse(query), note)
    return found


def alerts() -> dict[str, dict[str, Any]]:
    """The rules by name of the alert."""
    groups = yaml.safe_load(ALERTS.read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def panels() -> Iterator[tuple[str, str, str]]:
    """Title, query and legend of every line of the dashboard."""
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"], target["legendFormat"]


def variables() -> Iterator[str]:
    """The queries by which the dashboard fills its variables: the selectors in them."""
    for variable in json.loads(DASHBOARD.read_text())["templating"]["list"]:
        if variable["type"] == "query":
            (selector,) = re.findall(r"^label_values\((.+), \w+\)$", variable["query"]["query"])
            yield selector
