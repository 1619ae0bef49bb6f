"""What a scrape says, read by Prometheus' own parser for Python."""

import urllib.request

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}


def families(text: str) -> dict[str, Metric]:
    """By name without suffix."""
    return {family.name: family for family in text_string_to_metric_families(text)}


def names(text: str) -> set[str]:
    """The names by which queries can ask for what was scraped, also of what has no values yet."""
    return {family.name + suffix for family in families(text).values() for suffix in SUFFIXES.get(family.type, ("",))}


def values(text: str, name: str, **labels: str) -> dict[tuple[str, ...], float]:
    """The samples of that name and those labels, by the values of their other labels."""
    return {
        tuple(value for label, value in sample.labels.items() if label not in labels): sample.value
        for family in families(text).values()
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    }


def value(text: str, name: str, **labels: str) -> float:
    """The sum of those samples."""
    return sum(values(text, name, **labels).values())


def get(url: str) -> str:
    """The text of a page. Raises HTTPError for anything but success."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        text: str = answer.read().decode()
        return text
