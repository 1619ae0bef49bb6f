"""Which kinds generic actions may touch: what all policies allow, never what no policy can."""

from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest
from unit.core.making import CREATED, EXECUTE, NOW, named, policy, view, workflow_view

from controller.api.names import Outcome, Reason
from controller.core.kinds import kind_name, never
from controller.core.leave_gates import leave_lost
from controller.core.matching import PolicySubject
from controller.core.policy import effective, spec_faults
from controller.core.validation_gates import invalid
from controller.core.verdicts import Block, Finish, Postpone
from controller.core.workflow_validation import workflow_faults

VALIDATED = {"digest": "sha256:" + "d" * 64}
FORBIDDEN = [
    ("v1", "Secret"), ("v1", "ServiceAccount"), ("v1", "Namespace"), ("v1", "Node"), ("v1", "PersistentVolume"),
    ("rbac.authorization.k8s.io/v1", "Role"), ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"),
    ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy"),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition"), ("apiregistration.k8s.io/v1", "APIService"),
    ("certificates.k8s.io/v1", "CertificateSigningRequest"), ("authentication.k8s.io/v1", "TokenReview"),
    ("actionoperator.dev/v1alpha1", "ActionApproval"), ("sub.actionoperator.dev/v1", "Anything"),
]  # fmt: skip


def allowing(*kinds: str, **spec: Any) -> Any:
    return {**EXECUTE, "kinds": {"allowed": list(kinds)}, **spec}


def labelling(api_version: str = "apps/v1", kind: str = "Deployment") -> Any:
    parameters = {"apiVersion": api_version, "kind": kind, "name": "checkout", "set": {"a": "b"}}
    return {"action": "label-resource", "parameters": parameters}


GENERIC: list[Any] = [
    labelling(),
    {**labelling(), "action": "annotate-resource"},
    {"action": "patch-resource", "parameters": {
        "apiVersion": "apps/v1", "kind": "Deployment", "name": "a", "type": "merge", "patch": {"spec": {}}}},
    {"action": "apply-manifest", "parameters": {
        "manifest": {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}}}},
    {"action": "delete-resource", "parameters": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "a"}},
]  # fmt: skip


@pytest.mark.parametrize(
    ("specs", "kinds"),
    [
        pytest.param([EXECUTE], None, id="none named"),
        pytest.param([{**EXECUTE, "kinds": {}}], None, id="no list"),
        pytest.param([allowing()], set(), id="an empty list allows nothing"),
        pytest.param([allowing("A", "B")], {"A", "B"}, id="one"),
        pytest.param([allowing("A", "B"), allowing("x/B", "B")], {"B"}, id="only what both name"),
        pytest.param([allowing("A"), allowing("B")], set(), id="nothing in common"),
        pytest.param([allowing("A"), EXECUTE], {"A"}, id="one without an opinion"),
        pytest.param([allowing("A", match={"namespaces": ["other"]})], None, id="named elsewhere"),
        pytest.param(
            [allowing("A", match={"requesters": ["alice"]}), EXECUTE], None, id="no leave by a name not proven"
        ),
        pytest.param([allowing("A", match={"requesters": ["alice"]}), allowing("A", "B")], {"A"}, id="but restricted"),
    ],
)
def test_policies_allow_what_all_of_them_name(specs: Any, kinds: set[str] | None) -> None:
    subject = PolicySubject("shop", {}, "label-resource", None)
    for row in permutations(specs):
        assert effective(named(row), subject).kinds == kinds


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("apps/Deployment", None),
        ("ConfigMap", None),
        ("apps/v1/Deployment", "must be group/Kind"),
        ("deployments", "must be group/Kind"),
        ("apps/*", "must be group/Kind"),
        *((kind_name(*kind), "out of reach of the generic actions") for kind in FORBIDDEN),
    ],
)
def test_no_policy_can_allow_it(name: str, words: str | None) -> None:
    found = [*spec_faults(policy(allowing("ConfigMap", name)).spec)]
    assert [fault.path for fault in found] == (["spec.kinds.allowed[1]"] if words else [])
    assert all(words is not None and words in fault.message for fault in found)


@pytest.mark.parametrize("spec", GENERIC, ids=lambda spec: spec["action"])
class TestEveryGenericAction:
    def test_it_is_refused_where_no_policy_allows_its_kind(self, spec: Any) -> None:
        for policies in ([EXECUTE], [allowing("Deployment", "ConfigMap")], [allowing("apps/Deployment"), allowing()]):
            found = invalid(view(spec, policies=policies), NOW)
            assert isinstance(found, Finish)
            assert (found.outcome, found.reason) == (Outcome.FAILED, Reason.KIND_NOT_ALLOWED)
            assert "apps/Deployment" in found.message
            assert "spec.kinds.allowed" in found.message

    def test_the_policy_may_still_arrive(self, spec: Any) -> None:
        assert isinstance(invalid(view(spec), CREATED + timedelta(seconds=1)), Postpone)

    def test_it_may_go_on_where_all_policies_allow_it(self, spec: Any) -> None:
        seen = view(spec, policies=[allowing("apps/Deployment", "ConfigMap"), EXECUTE])
        assert invalid(seen, NOW) is None
        assert leave_lost(seen, NOW) is None

    def test_it_is_held_where_the_leave_is_gone_since(self, spec: Any) -> None:
        found = leave_lost(view(spec, VALIDATED, policies=[allowing("ConfigMap")]), NOW)
        assert isinstance(found, Block)
        assert (found.reason, found.rule) == (Reason.KIND_NOT_ALLOWED, "kinds.allowed")

    def test_a_workflow_with_it_is_refused_before_its_first_step(self, spec: Any) -> None:
        steps = [{"name": "first"}, {"name": "second", **spec}]
        runner = {"serviceAccountName": "runner"}
        (found,) = workflow_faults(workflow_view(runner, steps=steps, policies=[EXECUTE]))
        assert found.reason is Reason.KIND_NOT_ALLOWED
        assert found.message.startswith("spec.steps[second].parameters: ")
        assert not [*workflow_faults(workflow_view(runner, steps=steps, policies=[allowing("apps/Deployment")]))]


@pytest.mark.parametrize(("api_version", "kind"), FORBIDDEN)
def test_what_no_policy_can_allow_is_refused_at_once(api_version: str, kind: str) -> None:
    assert never(kind_name(api_version, kind))
    seen = view(labelling(api_version, kind), policies=[allowing(kind_name(api_version, kind))])
    found = invalid(seen, CREATED + timedelta(seconds=1))
    assert isinstance(found, Finish)
    assert (found.outcome, found.reason) == (Outcome.FAILED, Reason.KIND_NOT_ALLOWED)


def test_types_for_certain_kinds_need_no_such_leave() -> None:
    assert invalid(view(policies=[allowing()]), NOW) is None
