"""What a program asks for becomes an object, or all of its faults."""

from datetime import datetime
from typing import Any

import pytest

from controller.api.common import RetryConfig, RetrySpec
from controller.api.proposal import ActionProposal, ProposalSpec
from controller.api.workflow import WorkflowSpec
from controller.client.errors import ValidationError
from controller.client.requests import (
    ActionRecommendation,
    generated_name,
    manifest,
    order_faults,
    parsed,
    step_mappings,
)


@pytest.mark.parametrize("action", ["wait", "a" * 63, "a" * 53 + "-" + "b" * 9])
def test_generated_names_can_be_names_and_differ(action: str) -> None:
    names = {generated_name(action) for _ in range(20)}
    assert len(names) == 20
    assert all(len(name) <= 63 and name.startswith(action[:50]) and "--" not in name for name in names)


def test_steps_without_names_are_numbered_around_those_that_have_one() -> None:
    actions = [
        ActionRecommendation("wait", {"seconds": 1}),
        {"action": "wait", "parameters": {"seconds": 2}},
        {"action": "log-message", "name": "wait-2"},
        ActionRecommendation("wait", {"seconds": 3}, name="last"),
    ]
    assert [step["name"] for step in step_mappings(actions)] == ["wait", "wait-3", "wait-2", "last"]


def test_both_spellings_of_fields_are_taken() -> None:
    ours = ActionRecommendation("wait", name="b", depends_on=["a"], timeout_seconds=5, retry=RetrySpec(max_attempts=2))
    wire = {"action": "wait", "name": "b", "dependsOn": ["a"], "timeoutSeconds": 5, "retry": {"maxAttempts": 2}}
    python = {"action": "wait", "name": "b", "depends_on": ["a"], "timeout_seconds": 5, "retry": {"max_attempts": 2}}
    steps = [parsed(WorkflowSpec, workflow(step_mappings([one]))).steps[0] for one in (ours, wire, python)]
    assert steps[0] == steps[1] == steps[2]


def workflow(steps: list[dict[str, Any]], **spec: Any) -> dict[str, Any]:
    return {"description": "d", "reason": "r", "steps": steps, **spec}


def test_an_object_has_only_what_was_said() -> None:
    spec = parsed(ProposalSpec, {"action": "wait", "reason": "r", "ticket": None, "retry": RetryConfig(max_attempts=2)})
    body = manifest(ActionProposal.INFO, "n", "shop", spec)
    assert body["spec"].pop("retry")["maxAttempts"] == 2
    assert body["spec"] == {"action": "wait", "reason": "r"}
    assert body["metadata"] == {"name": "n", "namespace": "shop"}


def test_all_faults_of_fields_are_named() -> None:
    values = {"action": "Not A Name", "reason": "", "timeoutSeconds": 0, "notBefore": datetime(2026, 1, 1)}  # noqa: DTZ001
    with pytest.raises(ValidationError) as error:
        parsed(ProposalSpec, values)
    assert [fault.partition(":")[0] for fault in error.value.faults] == [
        "spec.reason",
        "spec.notBefore",
        "spec.action",
        "spec.timeoutSeconds",
    ]
    assert str(error.value) == "\n".join(error.value.faults)


def test_a_field_that_does_not_exist_is_a_fault() -> None:
    with pytest.raises(ValidationError, match=r"spec\.steps\[0\]\.timeout: is not a field"):
        parsed(WorkflowSpec, workflow([{"name": "a", "action": "wait", "timeout": 3}]))


@pytest.mark.parametrize(
    ("order", "depends_on", "faults"),
    [
        ("Graph", {"b": ["a"]}, []),
        ("Sequence", {"b": ["a"]}, ["spec.steps[b].dependsOn: needs order Graph"]),
        ("Graph", {"b": ["nope"]}, ["spec.steps[b].dependsOn: there is no step nope"]),
        ("Graph", {"a": ["b"], "b": ["a"]}, ["spec.steps: "]),
    ],
)
def test_faults_of_the_order(order: str, depends_on: dict[str, list[str]], faults: list[str]) -> None:
    steps = [{"name": name, "action": "wait", "dependsOn": depends_on.get(name, [])} for name in "ab"]
    found = list(order_faults(parsed(WorkflowSpec, workflow(steps, order=order))))
    assert len(found) == len(faults)
    assert all(line.startswith(begin) for line, begin in zip(found, faults, strict=True))
