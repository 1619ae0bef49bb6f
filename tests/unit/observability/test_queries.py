"""Alerts and dashboard ask for what the operator shows, and each alert has its place in the runbook."""

import re
from pathlib import Path
from typing import Any

import pytest
import typer
from harness import scrape
from unit.observability.queries import ALERTS, DASHBOARD, ROOT, Asked, alerts, asked, panels, variables
from unit.runtime.scraped import Scraped

from controller.api.names import Outcome, Phase
from controller.cli.main import app
from controller.kube.resources import APPROVALS, DECLARED, WORKED
from controller.runtime.metrics import PREFIX, Metrics
from controller.runtime.standing import FAMILIES

RUNBOOK = ROOT / "docs" / "alerts.md"
GIVEN_BY_PROMETHEUS = {"namespace", "job", "pod", "le"}
"""Labels that its discovery adds, and that of histograms."""
WORDS = {
    "phase": {phase.value for phase in Phase},
    "outcome": {outcome.value for outcome in Outcome},
    "kind": {resource.kind for resource in (*WORKED, *DECLARED, APPROVALS)},
    "action": {"unknown"},
    "verb": {"watch"},
}
"""What queries may ask of labels that have words of ours."""
QUERIES = [
    *(pytest.param(rule["expr"], id=name) for name, rule in alerts().items()),
    *(pytest.param(query, id=f"{title}-{number}") for number, (title, query, _) in enumerate(panels())),
    *(pytest.param(query, id=f"variable-{number}") for number, query in enumerate(variables())),
]


@pytest.fixture(scope="module")
def scraped() -> set[str]:
    """Names of all that is in a scrape."""
    return scrape.names(Scraped().scrape())


def labels_of(metric: str) -> set[str]:
    """The labels that the code gives it."""
    found = {PREFIX + family.name: family.labels for family in (*Metrics().families, *FAMILIES)}
    return set(found.get(metric, found.get(re.sub(r"_(bucket|count|sum)$", "", metric), ())))


@pytest.mark.parametrize("query", QUERIES)
def test_every_query_asks_for_what_is_scraped(query: str, scraped: set[str]) -> None:
    found = asked(query)
    assert found.metrics
    assert found.metrics <= scraped


@pytest.mark.parametrize("query", QUERIES)
def test_every_query_names_labels_and_words_that_there_are(query: str) -> None:
    found = asked(query)
    known = GIVEN_BY_PROMETHEUS.union(*map(labels_of, found.metrics))
    assert found.grouped <= known
    for metric, matchers in found.selectors:
        assert set(matchers) <= labels_of(metric) | GIVEN_BY_PROMETHEUS
        for label, (_, value) in matchers.items():
            if label in WORDS:
                assert set(value.split("|")) <= WORDS[label]


@pytest.mark.parametrize(("title", "query", "legend"), list(panels()))
def test_every_legend_names_labels_that_the_query_leaves(title: str, query: str, legend: str) -> None:
    found = asked(query)
    left = found.grouped or GIVEN_BY_PROMETHEUS.union(*map(labels_of, found.metrics))
    assert set(re.findall(r"{{(\w+)}}", legend)) <= left, title


def test_the_parser_refuses_what_is_not_promql_and_sees_all_that_is_asked() -> None:
    with pytest.raises(ValueError, match="unclosed left parenthesis"):
        asked("sum by (le (x)")
    found = asked('sum by (a) (rate(x{l="v"}[5m])) / y > 1 or absent(z unless z offset 5m)')
    assert (found.metrics, found.grouped) == ({"x", "y", "z"}, {"a"})
    assert isinstance(found, Asked)


@pytest.mark.parametrize("name", alerts())
def test_every_alert_says_how_bad_it_is_and_where_to_read_on(name: str) -> None:
    rule = alerts()[name]
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert {"summary", "description", "runbook"} == set(rule["annotations"])
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    assert ROOT / page == RUNBOOK
    assert anchor == name.lower()


def test_the_runbook_has_every_alert_in_their_order_and_no_other() -> None:
    assert re.findall(r"^## (\w+)$", RUNBOOK.read_text(), re.MULTILINE) == list(alerts())


def test_the_runbook_names_commands_that_there_are() -> None:
    group: Any = typer.main.get_command(app)
    typed = set(re.findall(r"kubectl actions ([a-z-]+)", RUNBOOK.read_text()))
    assert typed
    assert typed <= set(group.commands)


@pytest.mark.parametrize("name", alerts())
def test_what_an_alert_says_names_labels_that_its_query_leaves(name: str) -> None:
    rule = alerts()[name]
    said = set(re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values())))
    assert said <= asked(rule["expr"]).grouped


def test_nothing_in_the_files_would_be_taken_for_a_template_of_helm() -> None:
    """They are taken as they are; but a chart's own braces would show that somebody meant otherwise."""
    for path in (ALERTS, DASHBOARD):
        for inside in re.findall(r"{{(.*?)}}", path.read_text()):
            assert re.fullmatch(r"\w+| ?\$(labels\.\w+|value( \| humanize\w*)?) ?", inside), (Path(path).name, inside)
