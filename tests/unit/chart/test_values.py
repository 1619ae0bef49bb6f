"""The values of the chart: each is described, and what is described is what the chart has and uses."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import typer
import yaml

from controller.operator.main import app

CHART = Path(__file__).parents[3] / "charts" / "action-operator"
VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())
HELMS_OWN = {"global"}
FOR_COLLECTORS = {"logFormat"}
"""Settings that the chart has another default of than the program: its logs are read by machines."""


def of_values(values: Mapping[str, Any], schema: Mapping[str, Any], at: str = "") -> Iterator[str]:
    """Paths of values, down to where the schema leaves it to the user what there is."""
    for name, value in values.items():
        path = f"{at}{name}"
        inner = schema.get("properties", {}).get(name, {})
        if inner.get("properties") and isinstance(value, Mapping):
            yield from of_values(value, inner, f"{path}.")
        else:
            yield path


def of_schema(schema: Mapping[str, Any], at: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Paths that the schema knows, with what it says of them; objects come after what is in them."""
    for name, inner in schema.get("properties", {}).items():
        yield from of_schema(inner, f"{at}{name}.")
        yield f"{at}{name}", inner
    if "items" in schema and "properties" in schema["items"]:
        yield from of_schema(schema["items"], f"{at.removesuffix('.')}[].")


def test_every_value_is_described() -> None:
    undescribed = [path for path, inner in of_schema(SCHEMA) if len(inner.get("description", "")) < 10]
    assert not undescribed


def test_values_and_schema_have_the_same_paths() -> None:
    leaves = {path for path, inner in of_schema(SCHEMA) if not inner.get("properties") and "[]" not in path}
    assert set(of_values(VALUES, SCHEMA)) == leaves - HELMS_OWN


def test_the_defaults_fit_the_schema() -> None:
    jsonschema.Draft7Validator(SCHEMA).validate(VALUES)


def test_settings_that_are_options_have_the_defaults_of_the_program() -> None:
    group: Any = typer.main.get_command(app)
    options = {option.name: option.default for option in group.commands["run"].params}
    for name, value in VALUES["settings"].items():
        default = options[re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", name)]
        assert ((value or None) == (default or None)) is (name not in FOR_COLLECTORS), name


@pytest.mark.parametrize(
    "change",
    [
        {"replica": 2},
        {"replicas": "two"},
        {"image": {"digest": "latest"}},
        {"defaultPolicy": {"mode": "execute"}},
        {"runners": {"families": {"everything": True}}},
        {"runners": {"lent": [{"namespace": "shop"}]}},
        {"settings": {"leaseSeconds": 1}},
        {"metrics": {"alerts": {"enabled": "yes"}}},
    ],
    ids=json.dumps,
)
def test_what_is_not_meant_is_refused(change: dict[str, Any]) -> None:
    assert list(jsonschema.Draft7Validator(SCHEMA).iter_errors(change))


def test_templates_use_all_values_and_no_others() -> None:
    text = "".join(path.read_text() for path in sorted((CHART / "templates").rglob("*.*")))
    used = {path.rstrip(".") for path in re.findall(r"\.Values\.([A-Za-z.]+)", text)}
    known = {path for path, _ in of_schema(SCHEMA)}
    assert used <= known
    parts = {path.partition(".")[0] for path in used}
    assert parts == set(VALUES)
