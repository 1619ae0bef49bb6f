"""What is wrong with an action as written: names of types, types that cannot run here, fields nobody knows."""

from typing import Any

import pytest
from unit.core.making import LOG, REGISTRY, SHIPPED, SHIPPED_TYPES, proposal, type_entry, workflow, world

from controller.core.validation import action_faults, field_faults, type_fault, unknown_action


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_type_is_ready(name: str) -> None:
    assert type_fault(type_entry(name), REGISTRY) is None


@pytest.mark.parametrize(
    ("asked", "first"),
    [
        ("scale", "scale-workload"),
        ("scale-deployment", "scale-workload"),
        ("restart", "restart-rollout"),
        ("uncordon", "uncordon-node"),
        ("http", "http-request"),
        ("run-jobs", "run-job"),
        ("wiat", "wait"),
    ],
)
def test_an_unknown_action_lists_the_closest_first(asked: str, first: str) -> None:
    message = unknown_action(world().catalogue.types, asked)
    assert message.startswith(f"there is no ActionType {asked}; available: {first}, ")
    assert message.endswith(f" and {len(SHIPPED) - 12} more (`kubectl actions types` lists all)")


def test_a_long_catalogue_is_not_listed_whole() -> None:
    message = unknown_action({f"type-{number}": None for number in range(40)}, "type-7")
    assert message.startswith("there is no ActionType type-7; available: type-7, ")
    assert message.endswith(" and 28 more (`kubectl actions types` lists all)")


def test_without_any_type_it_says_what_to_install() -> None:
    assert "kubectl apply -f catalog/" in unknown_action({}, "wait")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({"colour": "red"}, "spec.colour", id="unknown field"),
        pytest.param(
            {"executor": {"builtIn": {"name": "x", "version": 1}}}, "spec.executor.builtIn.name", id="no executor"
        ),
        pytest.param(
            {"executor": {"builtIn": {"name": "wait", "version": 2}}}, "spec.executor.builtIn.version", id="version"
        ),
        pytest.param({"executor": {"job": {"template": {}}}}, "spec.executor.job", id="custom job"),
        pytest.param({"executor": {"http": {"method": "GET", "url": "ftp://x"}}}, "spec.executor.http", id="http"),
        pytest.param({"parameters": {"type": "array"}}, "spec.parameters.type", id="schema"),
        pytest.param({"defaults": {"colour": "red"}}, "spec.defaults.colour", id="unknown field inside"),
    ],
)
def test_a_type_that_cannot_run_here_says_why(changes: Any, words: str) -> None:
    found = type_fault(type_entry("wait", **changes), REGISTRY)
    assert found is not None
    assert found.message.startswith(words)


def test_what_the_executor_cannot_read_is_a_fault_where_the_schema_is_looser() -> None:
    loose = type_entry("scale-workload", parameters={"type": "object"})
    faults = action_faults(world(types=[loose]).catalogue, "scale-workload", {"kind": "Pod"}, "spec.steps[one]")
    assert {fault.message.split(":")[0] for fault in faults} >= {
        "spec.steps[one].parameters.kind", "spec.steps[one].parameters.name", "spec.steps[one].parameters.replicas",
    }  # fmt: skip
    assert not any(fault.missing for fault in faults)


@pytest.mark.parametrize(
    ("spec", "paths"),
    [
        ({}, []),
        ({"colour": "red", "size": 1}, ["spec.colour", "spec.size"]),
        ({"retry": {"tries": 3}}, ["spec.retry.tries"]),
        ({"requestedBy": {"username": "me", "extra": {}}}, ["spec.requestedBy.extra"]),
        ({"parameters": {"whatever": 1}}, []),
    ],
)
def test_fields_nobody_knows_are_named(spec: Any, paths: list[str]) -> None:
    assert [fault.message.split(":")[0] for fault in field_faults(proposal(spec)[0].spec)] == paths


def test_so_are_those_inside_steps() -> None:
    made, _ = workflow(steps=[{"name": "one"}, {"name": "two", "colour": "red", **LOG}])
    assert [fault.message.split(":")[0] for fault in field_faults(made.spec)] == ["spec.steps[1].colour"]


def test_schemas_refuse_what_they_do_not_list() -> None:
    for entry in SHIPPED_TYPES:
        faults = action_faults(world().catalogue, entry.type.metadata.name, {"notThere": 1}, "spec")
        assert any(fault.message.startswith("spec.parameters.notThere: ") for fault in faults)
