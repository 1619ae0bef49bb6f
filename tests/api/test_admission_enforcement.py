"""What the operator sees of the admission policies: all of them as shipped, or which one is not and what to do.

On an API server of its own: here policies are deleted and changed.
"""

import asyncio
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from api_server import ApiServer, Manifest
from guarded import approval, proposal, workflow

from controller.core.admission import SHIPPED
from controller.core.enforcement import Enforcement
from controller.kube.admission import ADMISSION, AdmissionPolicies
from controller.kube.api import Api
from controller.kube.login import Login
from controller.kube.session import Session
from hack.installation import ROOT, enforce, kubectl_of
from localcluster.controlplane import ControlPlane

ROOT_PATH = "/apis/admissionregistration.k8s.io/v1"
PATHS = {resource.kind: f"{ROOT_PATH}/{resource.plural}" for resource in ADMISSION}
OBJECTS = [(kind, name) for kind, names in SHIPPED.items() for name in names]
APPLY = "apply config/admission of this version"
CHANGES: dict[str, Manifest] = {
    "ValidatingAdmissionPolicy": {"failurePolicy": "Ignore"},
    "ValidatingAdmissionPolicyBinding": {"validationActions": ["Audit"]},
    "MutatingAdmissionPolicy": {"failurePolicy": "Ignore"},
    "MutatingAdmissionPolicyBinding": {"matchResources": {"namespaceSelector": {"matchLabels": {"a": "b"}}}},
}

each_object = pytest.mark.parametrize(("kind", "name"), OBJECTS, ids=[f"{kind} {name}" for kind, name in OBJECTS])


def seen(kubeconfig: Path) -> Enforcement:
    """What a user sees."""

    async def read() -> Enforcement:
        async with Session(Login(str(kubeconfig))) as session:
            return await AdmissionPolicies(Api(session)).read()

    return asyncio.run(read())


@pytest.fixture(scope="module")
def admin(alone: ControlPlane) -> Iterator[ApiServer]:
    client = ApiServer(alone, "default")
    yield client
    client.close()


@contextmanager
def put_back(admin: ApiServer, kind: str, name: str) -> Iterator[Manifest]:
    """The stored object; afterwards it is as shipped again."""
    path = f"{PATHS[kind]}/{name}"
    stored = admin.send("GET", path).body
    yield stored
    now = admin.send("GET", path)
    metadata = {"name": name, "labels": stored["metadata"]["labels"]}
    shipped = {field: stored[field] for field in ("apiVersion", "kind", "spec")} | {"metadata": metadata}
    if now.accepted:
        shipped["metadata"] = metadata | {"resourceVersion": now.body["metadata"]["resourceVersion"]}
        assert admin.send("PUT", path, shipped).accepted
    else:
        assert admin.send("POST", PATHS[kind], shipped).accepted


def test_without_them_nothing_is_proven(schema_only: ControlPlane) -> None:
    found = seen(schema_only.kubeconfig)
    assert found.since is None
    told = re.findall(r"(\w+) ([a-z-]+) is missing", str(found.fault))
    assert set(told) <= set(OBJECTS)
    assert f"{len(OBJECTS) - len(told)} more like these" in str(found.fault)


def test_what_is_shipped_is_what_is_in_the_files() -> None:
    files = sorted((ROOT / "config" / "admission").glob("*.yaml"))
    documents = [document for file in files for document in yaml.safe_load_all(file.read_text())]
    assert sorted((document["kind"], document["metadata"]["name"]) for document in documents) == sorted(OBJECTS)
    assert all(
        document["metadata"]["labels"] == {"app.kubernetes.io/part-of": "action-operator"} for document in documents
    )
    for kind in ("ValidatingAdmissionPolicy", "MutatingAdmissionPolicy"):
        bound = [d["spec"]["policyName"] for d in documents if d["kind"] == f"{kind}Binding"]
        assert sorted(bound) == sorted(SHIPPED[kind])


def test_what_is_stored_is_what_is_shipped(alone: ControlPlane) -> None:
    found = seen(alone.kubeconfig)
    assert found.fault is None
    assert found.since is not None
    assert timedelta(0) <= datetime.now(UTC) - found.since < timedelta(minutes=5)


def test_who_looks_again_sees_what_was_changed_since(alone: ControlPlane, admin: ApiServer) -> None:
    """Digests are remembered, but only of the version that they are of."""
    kind, name = "ValidatingAdmissionPolicy", "action-operator-status"

    async def look() -> list[Enforcement]:
        async with Session(Login(str(alone.kubeconfig))) as session:
            policies = AdmissionPolicies(Api(session))
            found = [await policies.read(), await policies.read()]
            with put_back(admin, kind, name) as stored:
                changed = {"apiVersion": stored["apiVersion"], "kind": kind, "spec": CHANGES[kind]}
                assert admin.send("PATCH", f"{PATHS[kind]}/{name}", changed).accepted
                found.append(await policies.read())
            return [*found, await policies.read()]

    first, second, changed, restored = asyncio.run(look())
    assert first == second
    assert first.fault is None
    assert changed.fault == f"{kind} {name} is not the shipped one; {APPLY}"
    assert restored.fault is None


@pytest.mark.usefixtures("crds")
@pytest.mark.parametrize("name", SHIPPED["ValidatingAdmissionPolicy"])
def test_kubernetes_finds_no_fault_in_a_policy(cluster: ControlPlane, name: str) -> None:
    """Its controller checks the expressions against the schemas of what they are about."""
    deadline = time.monotonic() + 60
    while True:
        found: Any = cluster.api().get(f"{PATHS['ValidatingAdmissionPolicy']}/{name}")
        status = found.get("status", {})
        if status.get("observedGeneration") == found["metadata"]["generation"]:
            break
        assert time.monotonic() < deadline, "nobody has checked it"
        time.sleep(0.05)
    assert status.get("typeChecking", {}).get("expressionWarnings", []) == []


@each_object
def test_each_that_is_missing_is_named(alone: ControlPlane, admin: ApiServer, kind: str, name: str) -> None:
    with put_back(admin, kind, name):
        assert admin.send("DELETE", f"{PATHS[kind]}/{name}").accepted
        found = seen(alone.kubeconfig)
    assert found.since is None
    told = f"{kind} {name} is missing (or has lost its label app.kubernetes.io/part-of=action-operator); {APPLY}"
    assert found.fault == told
    assert seen(alone.kubeconfig).fault is None


@each_object
def test_each_that_is_changed_is_named(alone: ControlPlane, admin: ApiServer, kind: str, name: str) -> None:
    with put_back(admin, kind, name):
        assert admin.send("PATCH", f"{PATHS[kind]}/{name}", {"spec": CHANGES[kind]}).accepted
        found = seen(alone.kubeconfig)
    assert found == Enforcement(None, f"{kind} {name} is not the shipped one; {APPLY}")
    assert seen(alone.kubeconfig).fault is None


def test_several_are_named_together(alone: ControlPlane, admin: ApiServer) -> None:
    kind, (one, two, *_) = "ValidatingAdmissionPolicy", SHIPPED["ValidatingAdmissionPolicy"]
    with put_back(admin, kind, one), put_back(admin, kind, two):
        admin.send("PATCH", f"{PATHS[kind]}/{one}", {"spec": {"validations": [{"expression": "true"}]}})
        admin.send("PATCH", f"{PATHS[kind]}/{two}", {"metadata": {"labels": {"app.kubernetes.io/part-of": None}}})
        fault = str(seen(alone.kubeconfig).fault)
    assert f"{kind} {one} is not the shipped one; {kind} {two} is missing" in fault


def _next_second() -> None:
    """The API server tells times in whole seconds."""
    begun = int(time.time())
    while int(time.time()) == begun:
        time.sleep(0.02)


@pytest.mark.parametrize("change", ["deleted", "changed"])
def test_what_was_away_or_different_counts_from_when_it_is_back(
    alone: ControlPlane, admin: ApiServer, change: str
) -> None:
    for kind, names in SHIPPED.items():
        name = min(names)
        before = seen(alone.kubeconfig).since
        assert before is not None
        _next_second()
        with put_back(admin, kind, name):
            if change == "deleted":
                admin.send("DELETE", f"{PATHS[kind]}/{name}")
            else:
                admin.send("PATCH", f"{PATHS[kind]}/{name}", {"spec": CHANGES[kind]})
        back = datetime.now(UTC)
        since = seen(alone.kubeconfig).since
        assert since is not None
        assert before < since <= back, kind


def test_what_others_note_and_applying_again_is_no_change(alone: ControlPlane) -> None:
    enforce(kubectl_of(alone))
    before = seen(alone.kubeconfig)
    _next_second()
    enforce(kubectl_of(alone))
    kubectl_of(alone)("annotate", "validatingadmissionpolicies", "action-operator-approver", "note=x")
    assert seen(alone.kubeconfig) == before


def test_the_operator_sees_it_with_the_rights_it_has(operator_kubeconfig: Path) -> None:
    assert seen(operator_kubeconfig).fault is None


def test_who_may_not_see_it_is_told_which_right_is_missing(alone: ControlPlane) -> None:
    found = seen(alone.kubeconfig_of("bob"))
    assert found.since is None
    assert "the operator cannot see whether identities are checked" in str(found.fault)
    assert "apiGroups: [admissionregistration.k8s.io]" in str(found.fault)


@pytest.fixture
def without_stamps(alone: ControlPlane, admin: ApiServer) -> Iterator[ApiServer]:
    """As on an API server before 1.36: nothing is filled in."""
    kubectl = kubectl_of(alone)
    kubectl("delete", "-f", ROOT / "config" / "admission" / "stamps.yaml")
    deadline = time.monotonic() + 30
    while "requestedBy" in admin.create(workflow()).body.get("spec", {}):
        assert time.monotonic() < deadline, "it is still filled in"
        time.sleep(0.02)
    yield admin
    enforce(kubectl)


IDENTITY = {"username": "admin", "uid": "admin", "groups": ["system:masters", "system:authenticated"]}


def test_where_nothing_is_filled_in_the_client_does_it_and_is_checked(without_stamps: ApiServer) -> None:
    made: list[tuple[Any, str]] = [(proposal, "requestedBy"), (workflow, "requestedBy"), (approval, "approver")]
    for make, field in made:
        answer = without_stamps.create(make())
        assert answer.status == 403
        assert f"spec.{field}: is missing, and this API server does not fill it in: name yourself" in answer.says
        assert without_stamps.create(make(**{f"spec__{field}": IDENTITY})).accepted
        for forged in ({"username": "alice"}, {"uid": ""}, {"groups": ["system:masters"]}):
            answer = without_stamps.create(make(**{f"spec__{field}": IDENTITY | forged}))
            assert answer.status == 403
            assert f"spec.{field}." in answer.says


def test_where_nothing_is_filled_in_one_may_still_cancel_and_halt(without_stamps: ApiServer) -> None:
    stored = without_stamps.stored(proposal(spec__requestedBy=IDENTITY))
    path = without_stamps.path("ActionProposal", stored["metadata"]["name"]) + "?dryRun=All"
    assert without_stamps.send("PATCH", path, {"spec": {"cancelled": True}}).accepted
    mine, anothers = ({"annotations": {"actionoperator.dev/cancelled-by": name}} for name in ("admin", "alice"))
    assert without_stamps.send("PATCH", path, {"spec": {"cancelled": True}, "metadata": mine}).accepted
    assert without_stamps.send("PATCH", path, {"spec": {"cancelled": True}, "metadata": anothers}).status == 403
