"""Every rule of our schemas, on a real API server: the nearest good manifest is accepted, the bad one is refused
with a message that says why. The tables are in schema_cases.py and schema_changes.py.

The server must have the CRDs and none of our admission policies: those have tests of their own.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from api_server import Answer, ApiServer
from schema_cases import CREATE
from schema_changes import (
    STATUS_FINISHED,
    STATUS_LIVE,
    UPDATE_CANCELLED,
    UPDATE_FINISHED,
    UPDATE_FULL,
    UPDATE_MINIMAL,
)
from schema_manifests import FULL, MINIMAL, PROPOSAL, WORKFLOW, Case, Manifest, changed

from controller.api.crd import crd
from controller.api.kinds import KINDS

# The server adds it when a fault of the schema kept it from looking at the rules.
SKIPPED_RULES = "some validation rules were not checked"


def table(cases: list[Case]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases, ids=lambda case: case.id)


def check(case: Case, good: Answer, bad: Answer) -> None:
    """The good change passes; the bad one has this fault and no other."""
    assert good.accepted, good.says
    assert not bad.accepted
    assert case.says in bad.says
    told = [says for says in (case.says, case.also, SKIPPED_RULES) if says]
    assert case.also in bad.says
    assert [fault for fault in bad.causes if not any(says in fault for says in told)] == []


@pytest.fixture(scope="module")
def minimal(server: ApiServer) -> dict[str, Manifest]:
    return {kind: server.stored(manifest) for kind, manifest in MINIMAL.items()}


@pytest.fixture(scope="module")
def full(server: ApiServer) -> dict[str, Manifest]:
    return {kind: server.stored(manifest) for kind, manifest in FULL.items()}


@pytest.fixture(scope="module")
def cancelled(server: ApiServer) -> dict[str, Manifest]:
    return {kind: server.stored(changed(MINIMAL[kind], {"spec.cancelled": True})) for kind in (PROPOSAL, WORKFLOW)}


@pytest.fixture(scope="module")
def finished(server: ApiServer) -> dict[str, Manifest]:
    objects = {kind: server.stored(MINIMAL[kind]) for kind in (PROPOSAL, WORKFLOW)}
    return {
        kind: server.patch_status(stored, {"outcome": "Failed"}, dry_run=False).body for kind, stored in objects.items()
    }


@table(CREATE)
def test_create(case: Case, server: ApiServer) -> None:
    good, bad = (server.create(changed(MINIMAL[case.kind], change)) for change in (case.good, case.bad))
    check(case, good, bad)


@table(UPDATE_FULL)
def test_change_what_was_given(case: Case, server: ApiServer, full: dict[str, Manifest]) -> None:
    check_update(case, server, full)


@table(UPDATE_MINIMAL)
def test_add_what_was_not_given(case: Case, server: ApiServer, minimal: dict[str, Manifest]) -> None:
    check_update(case, server, minimal)


@table(UPDATE_CANCELLED)
def test_take_back_cancelled(case: Case, server: ApiServer, cancelled: dict[str, Manifest]) -> None:
    check_update(case, server, cancelled)


@table(UPDATE_FINISHED)
def test_change_what_has_finished(case: Case, server: ApiServer, finished: dict[str, Manifest]) -> None:
    check_update(case, server, finished)


def check_update(case: Case, server: ApiServer, objects: dict[str, Manifest]) -> None:
    good, bad = (server.replace(changed(objects[case.kind], change)) for change in (case.good, case.bad))
    check(case, good, bad)


@table(STATUS_FINISHED)
def test_status_of_what_has_finished(case: Case, server: ApiServer, finished: dict[str, Manifest]) -> None:
    check_status(case, server, finished)


@table(STATUS_LIVE)
def test_status(case: Case, server: ApiServer, minimal: dict[str, Manifest]) -> None:
    check_status(case, server, minimal)


def check_status(case: Case, server: ApiServer, objects: dict[str, Manifest]) -> None:
    good, bad = (server.patch_status(objects[case.kind], dict(change)) for change in (case.good, case.bad))
    check(case, good, bad)


def rules(schema: dict[str, Any]) -> Iterator[str]:
    """The messages of all rules anywhere in a schema."""
    for rule in schema.get("x-kubernetes-validations", []):
        yield rule["message"]
    for part in (*schema.get("properties", {}).values(), schema.get("items"), schema.get("additionalProperties")):
        if part:
            yield from rules(part)


def test_every_rule_has_a_bad_case() -> None:
    updates = UPDATE_FULL + UPDATE_MINIMAL + UPDATE_CANCELLED + UPDATE_FINISHED
    cases = CREATE + updates + STATUS_FINISHED + STATUS_LIVE
    untested = [
        f"{kind.INFO.kind}: {message}"
        for kind in KINDS
        for message in dict.fromkeys(rules(crd(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]))
        if not any(case.kind == kind.INFO.kind and message in case.says for case in cases)
    ]
    assert untested == []
