"""What the client refuses by the cluster's rules, and what it leaves to the operator."""

from typing import Any

import pytest

from controller.api.actiontype import ActionType
from controller.api.names import Mode
from controller.api.policy import ActionPolicy
from controller.client.errors import ObserveOnlyError, ValidationError
from controller.client.rules import Asked, Rules

SECONDS = {"type": "object", "required": ["seconds"], "properties": {"seconds": {"type": "integer", "minimum": 1}}}


def action_type(name: str, risk: str = "Low", **status: Any) -> ActionType:
    spec = {
        "description": "d", "risk": risk, "idempotent": True, "parameters": SECONDS,
        "executor": {"builtIn": {"name": name, "version": 1}},
    }  # fmt: skip
    return ActionType.model_validate({"metadata": {"name": name}, "spec": spec, "status": status})


def policy(name: str, **spec: Any) -> ActionPolicy:
    return ActionPolicy.model_validate({"metadata": {"name": name}, "spec": spec})


TYPES = {name: action_type(name, risk) for name, risk in (("wait", "Low"), ("drain-node", "High"))}
EXECUTE = policy("run", mode="Execute")


def rules(*policies: ActionPolicy, **read: Any) -> Rules:
    return Rules(**{"namespace": "shop", "types": TYPES, "policies": policies, "namespace_labels": {}, **read})


def asked(action: str = "wait", path: str = "spec", **parameters: Any) -> Asked:
    return Asked(path, action, parameters or {"seconds": 1})


def test_what_is_in_order_passes() -> None:
    rules(EXECUTE).check([asked(), asked("drain-node")], Mode.EXECUTE)


def test_every_unknown_action_is_named_with_the_closest_first() -> None:
    with pytest.raises(ValueError, match="available: wait, drain-node") as error:
        rules(EXECUTE).check([asked("wiat", "spec.steps[a]"), asked("darin", "spec.steps[b]")], Mode.EXECUTE)
    assert [line.partition(":")[0] for line in str(error.value).splitlines()] == [
        "spec.steps[a].action",
        "spec.steps[b].action",
    ]
    assert not isinstance(error.value, ValidationError)


@pytest.mark.parametrize(
    ("policies", "says"),
    [
        pytest.param([], "no policy says mode: Execute for wait in namespace shop", id="none"),
        pytest.param([policy("halt", halt=True)], "no policy says", id="none with an opinion"),
        pytest.param(
            [EXECUTE, policy("look", mode="Observe")], "policy look lets wait only be observed", id="stricter"
        ),
        pytest.param(
            [policy("run", mode="Execute", match={"namespaces": ["other"]})], "no policy says", id="elsewhere"
        ),
    ],
)
def test_what_may_only_be_observed_is_refused_unless_that_is_asked_for(policies: list[ActionPolicy], says: str) -> None:
    with pytest.raises(ObserveOnlyError, match=says):
        rules(*policies).check([asked()], Mode.EXECUTE)
    rules(*policies).check([asked()], Mode.DRY_RUN)


def test_the_risk_of_a_type_decides_which_policies_match() -> None:
    high = policy("high", mode="Observe", match={"risks": ["High"]})
    rules(EXECUTE, high).check([asked()], Mode.EXECUTE)
    with pytest.raises(ObserveOnlyError, match="policy high lets drain-node only be observed"):
        rules(EXECUTE, high).check([asked(), asked("drain-node")], Mode.EXECUTE)


def test_labels_of_the_namespace_decide_too() -> None:
    production = policy("prod", mode="Execute", match={"namespaceLabels": {"stage": "prod"}})
    rules(production, namespace_labels={"stage": "prod"}).check([asked()], Mode.EXECUTE)
    with pytest.raises(ObserveOnlyError):
        rules(production).check([asked()], Mode.EXECUTE)


@pytest.mark.parametrize("unreadable", [{"policies": None}, {"namespace_labels": None}])
def test_what_may_not_be_read_is_left_to_the_operator(unreadable: dict[str, None]) -> None:
    rules(**unreadable).check([asked()], Mode.EXECUTE)


def test_without_types_only_policy_is_asked() -> None:
    rules(EXECUTE, types=None).check([asked("whatever", seconds=-1)], Mode.EXECUTE)


def test_all_bad_parameters_of_all_steps_are_named() -> None:
    with pytest.raises(ValidationError) as error:
        rules(EXECUTE).check(
            [asked("wait", "spec.steps[a]", seconds=0), asked("drain-node", "spec.steps[b]", minutes=1)], Mode.EXECUTE
        )
    assert error.value.faults == (
        "spec.steps[a].parameters.seconds: must be at least 1 (got 0)",
        "spec.steps[b].parameters.seconds: is required",
    )


def test_a_type_that_the_operator_cannot_run_is_a_fault() -> None:
    ready = {"type": "Ready", "status": "False", "reason": "NotSupported", "message": "too new",
             "lastTransitionTime": "2026-11-22T15:00:00Z", "observedGeneration": 1}  # fmt: skip
    with pytest.raises(ValidationError, match="ActionType wait cannot run here: too new"):
        rules(EXECUTE, types={"wait": action_type("wait", conditions=[ready])}).check([asked()], Mode.EXECUTE)
