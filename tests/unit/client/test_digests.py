"""Request digests recomputed: as the operator comes by them, and what is told where they differ."""

from typing import Any

import pytest
from unit.core.making import CHANCE, LOG, NOW, SCALE, after, attempt, attempts, type_entry, view, workflow_view, world

from controller.api.crd import crd
from controller.api.proposal import ActionProposal
from controller.api.workflow import ActionWorkflow
from controller.client.digests import as_stored, compare, policy_needed, recompute, with_defaults
from controller.client.errors import ValidationError
from controller.core import proposal as proposals
from controller.core import workflow as workflows

RUN_AS = {"mode": "Execute", "serviceAccountName": "ops"}
API = "actionoperator.dev/v1alpha1"


def stored(spec: dict[str, Any] | None = None, **circumstances: Any) -> tuple[ActionProposal, dict[str, Any]]:
    """A proposal with the status that the operator writes when it first sees it, and its spec."""
    seen = view({"notBefore": "2030-01-01T00:00:00Z", **(spec or {})}, **circumstances)
    status = proposals.decide(seen, NOW, CHANCE).status
    assert status is not None
    return seen.proposal.model_copy(update={"status": status}), seen.raw_spec


@pytest.mark.parametrize(
    ("spec", "circumstances"),
    [
        pytest.param({}, {}, id="as its author says"),
        pytest.param({"serviceAccountName": None}, {"policies": [RUN_AS]}, id="runner by policy"),
        pytest.param({**LOG, "serviceAccountName": None}, {"policies": [RUN_AS]}, id="no runner needed"),
        pytest.param({"timeoutSeconds": 9, "retry": {"maxAttempts": 7}}, {}, id="times of its own"),
        pytest.param({"requestedBy": {"username": "alice"}, "suspend": True}, {}, id="what is not digested"),
    ],
)
def test_a_proposal_has_the_digest_that_the_operator_writes(spec: dict[str, Any], circumstances: Any) -> None:
    subject, raw_spec = stored(spec, **circumstances)
    same_world = world(**circumstances)
    found = compare(subject, recompute(subject, raw_spec, same_world), same_world, {})
    assert found.computed.digest == subject.status.request_digest is not None
    assert found.digest == subject.status.digest is not None
    assert found.same
    assert found.why == ()


def test_a_workflow_has_the_digest_that_the_operator_writes() -> None:
    steps = ({"name": "one", **SCALE, "retry": {"maxAttempts": 2}}, {"name": "two", "timeoutSeconds": 5})
    spec = {"notBefore": "2030-01-01T00:00:00Z", "retry": {"maxWaitSeconds": 9}}
    seen = workflow_view(spec, steps=steps, policies=[RUN_AS])
    status = workflows.decide(seen, NOW).status
    assert status is not None
    subject = seen.workflow.model_copy(update={"status": status})
    found = compare(subject, recompute(subject, seen.raw_spec, seen.world), seen.world, {})
    assert found.same
    assert found.computed.digest == status.request_digest is not None
    assert found.computed.document["runner"] == {"one": "ops", "two": "ops"}


def difference(subject: ActionProposal, raw_spec: dict[str, Any], changed: Any = (), **now: Any) -> tuple[str, ...]:
    later = world(**now)
    found = compare(subject, recompute(subject, raw_spec, later), later, dict(changed))
    assert not found.same
    return found.why


def test_another_runner_is_told_by_name() -> None:
    subject, raw_spec = stored({"serviceAccountName": None}, policies=[RUN_AS])
    other = [{**RUN_AS, "serviceAccountName": "root"}]
    assert difference(subject, raw_spec, policies=other) == ("runner: root by today's policies, ops in status",)
    assert difference(subject, raw_spec, policies=[{"mode": "Execute"}]) == (
        "runner: none by today's policies, ops in status",
    )


def test_another_type_is_told_by_when_it_changed() -> None:
    subject, raw_spec = stored()
    types = [type_entry("scale-workload", description="another")]
    assert difference(subject, raw_spec, {"scale-workload": after(1)}, types=types) == (
        "types.scale-workload: was changed after the digest was written",
    )
    assert difference(subject, raw_spec, {"scale-workload": after(-1)}, types=types) == (
        "types or timings: an action type, or the operator's own defaults, differ from what they were",
    )


def test_after_an_attempt_the_type_that_it_ran_is_known() -> None:
    subject, raw_spec = stored()
    ran = attempts(attempt(typeDigest="sha256:" + "1" * 64))
    status = subject.status.model_copy(update={"attempts": ran})
    subject = subject.model_copy(update={"status": status})
    (told,) = difference(subject, raw_spec, types=[type_entry("scale-workload", description="another")])
    assert told.startswith("types.scale-workload: is sha256:")
    assert told.endswith(f"the attempts ran sha256:{'1' * 64}")


def test_both_may_differ() -> None:
    subject, raw_spec = stored({"serviceAccountName": None}, policies=[RUN_AS])
    types = [type_entry("scale-workload", description="another")]
    other = [{**RUN_AS, "serviceAccountName": "root"}]
    told = difference(subject, raw_spec, {"scale-workload": after(1)}, types=types, policies=other)
    assert [line.partition(":")[0] for line in told] == ["runner", "types.scale-workload"]


def test_a_preview_that_was_changed_since_shows() -> None:
    subject, raw_spec = stored()
    preview = subject.status.preview
    assert preview is not None
    tampered = preview.model_copy(update={"changes": (preview.changes[0].model_copy(update={"before": 4}),)})
    subject = subject.model_copy(update={"status": subject.status.model_copy(update={"preview": tampered})})
    found = compare(subject, recompute(subject, raw_spec, world()), world(), {})
    assert (found.request_differs, found.digest_differs, found.same) == (False, True, False)


def test_what_nobody_has_looked_at_has_nothing_to_compare_with() -> None:
    seen = view()
    found = compare(seen.proposal, recompute(seen.proposal, seen.raw_spec, world()), world(), {})
    assert (found.request_digest, found.digest, found.same) == (None, None, True)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({"action": "scale-workloda"}, "spec.action: there is no ActionType scale-workloda; available: scale-workload"),
        ({"parameters": {"kind": "Pod", "name": "a", "replicas": 1}}, "spec.parameters.kind: must be one of"),
    ],
)
def test_what_the_operator_refuses_has_no_digest(spec: dict[str, Any], says: str) -> None:
    seen = view(spec)
    with pytest.raises(ValidationError, match=says):
        recompute(seen.proposal, seen.raw_spec, world())


def test_every_step_must_be_in_order() -> None:
    seen = workflow_view(steps=({"name": "one", "action": "nope"}, {"name": "two", "parameters": {}}))
    with pytest.raises(ValidationError) as error:
        recompute(seen.workflow, seen.raw_spec, world())
    assert [fault.partition(":")[0] for fault in error.value.faults] == [
        "spec.steps[one].action", "spec.steps[two].parameters.message",
    ]  # fmt: skip


def test_policies_bear_on_the_digest_only_by_the_runner() -> None:
    assert policy_needed(view({"serviceAccountName": None}).proposal, world())
    assert not policy_needed(view().proposal, world())
    assert not policy_needed(view({**LOG, "serviceAccountName": None}).proposal, world())
    assert policy_needed(workflow_view().workflow, world())
    assert not policy_needed(workflow_view({"serviceAccountName": "ops"}).workflow, world())


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param({}, {"a": 1, "b": {"c": 2}}, id="absent, and what a default brings"),
        pytest.param({"a": None}, {"a": 1, "b": {"c": 2}}, id="null counts as absent"),
        pytest.param({"a": 5, "b": {}}, {"a": 5, "b": {"c": 2}}, id="inside what is given"),
        pytest.param({"d": None}, {"a": 1, "b": {"c": 2}}, id="null without a default is dropped"),
        pytest.param({"e": None}, {"a": 1, "b": {"c": 2}, "e": None}, id="null is a value where it may be"),
        pytest.param({"f": [{}, {"g": 0}]}, {"a": 1, "b": {"c": 2}, "f": [{"g": 3}, {"g": 0}]}, id="in lists"),
        pytest.param({"h": {"x": {}}}, {"a": 1, "b": {"c": 2}, "h": {"x": {"i": 4}}}, id="in maps"),
        pytest.param({"free": {"x": None}}, {"a": 1, "b": {"c": 2}, "free": {"x": None}}, id="free form is kept"),
    ],
)
def test_defaults_as_the_api_server_fills_them_in(value: dict[str, Any], expected: dict[str, Any]) -> None:
    schema = {
        "type": "object",
        "properties": {
            "a": {"type": "integer", "default": 1},
            "b": {"type": "object", "default": {}, "properties": {"c": {"type": "integer", "default": 2}}},
            "d": {"type": "string"},
            "e": {"type": "string", "nullable": True},
            "f": {"type": "array", "items": {"type": "object", "properties": {"g": {"default": 3}}}},
            "h": {"type": "object", "additionalProperties": {"type": "object", "properties": {"i": {"default": 4}}}},
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        },
    }
    assert with_defaults(value, schema) == expected


def manifest(**spec: Any) -> dict[str, Any]:
    return {"apiVersion": API, "kind": "ActionProposal", "metadata": {"name": "a"}, "spec": spec}


def test_a_manifest_gets_the_defaults_of_its_kind() -> None:
    made = as_stored(ActionProposal, manifest(action="wait", reason="r", ticket=None), "shop")
    assert made["metadata"] == {"name": "a", "namespace": "shop"}
    assert made["spec"] == {
        "action": "wait", "reason": "r", "mode": "Execute", "activeDeadlineSeconds": 86400, "suspend": False,
        "cancelled": False,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        pytest.param({**manifest(action="wait", reason="r"), "metadata": {}}, "metadata.name: is required", id="name"),
        pytest.param(manifest(action="wait"), "spec.reason: ", id="field missing"),
        pytest.param(manifest(action="wait", reason="r", nmae=1), "spec.nmae: is not a field", id="field unknown"),
        pytest.param(manifest(action="wait", reason="r", timeoutSeconds="x"), "spec.timeoutSeconds: ", id="wrong type"),
    ],
)
def test_a_manifest_that_the_api_server_refuses_is_refused(broken: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError) as error:
        as_stored(ActionProposal, broken, "shop")
    assert error.value.faults[0].startswith(says)


def test_schemas_have_only_the_forms_of_defaults_that_are_handled() -> None:
    """Defaults inside `oneOf` and the like would be passed over."""
    for kind in (ActionProposal, ActionWorkflow):
        text = str(crd(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"])
        assert not any(word in text for word in ("oneOf", "anyOf", "allOf", "'$ref'"))
