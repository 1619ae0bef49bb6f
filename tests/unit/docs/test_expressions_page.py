"""The page on expressions: every example gives what it says."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from controller.core.expression_cost import MAX_BYTES, MAX_ITERATIONS, MAX_VALUES, MAX_WORK
from controller.core.expression_names import FUNCTIONS, MACROS, STEP_FIELDS
from controller.core.expressions import (
    MAX_LENGTH,
    MAX_OUTPUT_BYTES,
    OBJECT,
    STEPS,
    ExpressionFault,
    Gives,
    compile_expression,
)  # fmt: skip

PAGE = (Path(__file__).parents[3] / "docs" / "spec" / "expressions.md").read_text()
NAMES = frozenset({"drain", "roll-out"})
STEP = {"outcome": "Succeeded", "retryCount": 0, "outputs": {"replicas": 3}}
VALUES: dict[str, Any] = {
    "steps": dict.fromkeys(NAMES, STEP),
    "workflow": {
        "name": "nightly",
        "namespace": "shop",
        "parameters": {"env": "prod", "zones": ["eu-1", "eu-2"], "most": 3},
    },
}
DEPLOYMENT = {
    "metadata": {"labels": {"app.kubernetes.io/name": "web"}},
    "spec": {"replicas": 3},
    "status": {"readyReplicas": 3, "conditions": [{"type": "Available", "status": "True"}]},
}


def lines(language: str) -> list[str]:
    return [line for block in re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]


def rows(heading: str, pattern: str) -> list[Any]:
    section = PAGE.partition(f"{heading}\n")[2].partition("\n## ")[0]
    return re.findall(pattern, section, re.MULTILINE)


@pytest.mark.parametrize("text", lines("cel"))
def test_what_the_page_says_is_true(text: str) -> None:
    assert compile_expression(text, STEPS, NAMES).truth(VALUES) is True


@pytest.mark.parametrize("text", lines("cel-object"))
def test_what_the_page_says_is_true_of_a_deployment(text: str) -> None:
    assert compile_expression(text, OBJECT).truth({"object": DEPLOYMENT}) is True


@pytest.mark.parametrize(("text", "expected"), rows("Values, for `computed`:", r"^\| `(.+?)` \| `(.+)` \|$"))
def test_the_values_on_the_page(text: str, expected: str) -> None:
    assert compile_expression(text, STEPS, NAMES, gives=Gives.VALUE).value(VALUES) == json.loads(expected)


@pytest.mark.parametrize("text", rows("## What is refused before anything runs", r"\| `([^`]+)` \|$"))
def test_what_the_page_says_is_refused(text: str) -> None:
    with pytest.raises(ExpressionFault):
        compile_expression(text, STEPS, NAMES)


def test_the_examples_were_found() -> None:
    assert (len(lines("cel")), len(lines("cel-object"))) == (7, 4)
    assert len(rows("Values, for `computed`:", r"^\| `(.+?)` \| `(.+)` \|$")) == 4
    assert len(rows("## What is refused before anything runs", r"\| `([^`]+)` \|$")) == 9


def test_the_page_names_every_function_variable_and_limit() -> None:
    for name in (*FUNCTIONS, *MACROS):
        assert f"`{name}`" in PAGE
    for name in (*(f"steps.NAME.{part}" for part in STEP_FIELDS), *STEPS.variables):
        assert f"`{name}`" in PAGE
    assert (MAX_LENGTH, MAX_BYTES, MAX_OUTPUT_BYTES) == (2048, 1024 * 1024, 64 * 1024)
    for limit in (MAX_VALUES, MAX_ITERATIONS, MAX_WORK):
        assert f"{limit:,}" in PAGE
