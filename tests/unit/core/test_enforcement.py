"""Enforcement: what is stored compared with what is shipped. With a real API server: tests/api."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from controller.core.digest import sha256
from controller.core.enforcement import Enforcement, enforcement

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
POLICY, BINDING = "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"
STAMP, STAMP_BINDING = "MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding"
SPEC = {"failurePolicy": "Fail"}
SHIPPED = {kind: {"one": sha256(SPEC)} for kind in (POLICY, BINDING, STAMP, STAMP_BINDING)}


def item(name: str = "one", spec: Any = None, made: str = "2026-11-22T11:00:00Z", **metadata: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "creationTimestamp": made, **metadata}, "spec": SPEC if spec is None else spec}


def changed(field: str, time: str | None) -> dict[str, Any]:
    """An entry of managedFields."""
    entry = {"manager": "kubectl", "operation": "Apply", "fieldsV1": {field: {}}}
    return entry | ({"time": time} if time else {})


def found(**kinds: Any) -> dict[str, Any]:
    """One of each kind, but as said."""
    return {kind: [item()] for kind in SHIPPED} | kinds


def test_it_counts_from_the_latest_that_was_made() -> None:
    stored = found(**{BINDING: [item(made="2026-11-22T12:00:00Z")], STAMP: [item(made="2026-11-22T11:59:59Z")]})
    assert enforcement(stored, SHIPPED) == Enforcement(NOON, None)


@pytest.mark.parametrize(
    ("generation", "entries", "since"),
    [
        (2, [], NOON - timedelta(hours=1)),
        (2, [changed("f:spec", "2026-11-22T12:00:00Z")], NOON),
        (1, [changed("f:spec", "2026-11-22T12:00:00Z")], NOON - timedelta(hours=1)),
        (2, [changed("f:spec", "2026-11-22T10:00:00Z")], NOON - timedelta(hours=1)),
        (2, [changed("f:metadata", "2026-11-22T12:00:00Z")], NOON - timedelta(hours=1)),
        (2, [changed("f:status", "2026-11-22T12:00:00Z")], NOON - timedelta(hours=1)),
        (2, [changed("f:spec", None)], NOON - timedelta(hours=1)),
    ],
    ids=["nobody knows", "later", "applied again", "before it was made", "metadata", "status", "no time"],
)
def test_or_from_when_its_spec_last_changed(generation: int, entries: list[dict[str, Any]], since: datetime) -> None:
    stored = found(**{POLICY: [item(generation=generation, managedFields=entries)]})
    assert enforcement(stored, SHIPPED) == Enforcement(since, None)


@pytest.mark.parametrize(
    ("kinds", "told"),
    [
        ({POLICY: []}, f"{POLICY} one is missing"),
        ({POLICY: [item("two")]}, f"{POLICY} one is missing"),
        ({BINDING: [item(spec={"failurePolicy": "Ignore"})]}, f"{BINDING} one is not the shipped one"),
        ({STAMP: [item(spec={})]}, f"{STAMP} one is not the shipped one"),
        ({STAMP: []}, f"{STAMP} one is missing"),
        ({POLICY: [item(spec={"at": 2**60})]}, f"{POLICY} one is not the shipped one"),
        ({POLICY: None}, f"the API server serves no {POLICY}"),
    ],
    ids=["none", "another", "changed", "empty", "no stamp", "without a digest", "not served"],
)
def test_what_is_not_as_shipped_is_named(kinds: dict[str, Any], told: str) -> None:
    seen = enforcement(found(**kinds), SHIPPED)
    assert seen.since is None
    assert str(seen.fault).startswith(told)
    assert str(seen.fault).endswith("; apply config/admission of this version")


def test_of_many_faults_the_first_are_named() -> None:
    shipped = {POLICY: dict.fromkeys("abcde", "x")}
    told = enforcement({POLICY: []}, shipped).fault
    assert told is not None
    assert [f"{POLICY} {name} is missing" in told for name in "abcde"] == [True, True, True, False, False]
    assert told.endswith("; 2 more like these; apply config/admission of this version")


def test_an_api_server_need_not_know_how_to_stamp() -> None:
    stored = found(**{STAMP: None, STAMP_BINDING: None})
    assert enforcement(stored, SHIPPED) == Enforcement(NOON - timedelta(hours=1), None)


def test_what_is_not_ours_does_not_matter() -> None:
    stored = found(**{POLICY: [item(), item("theirs", spec={}, made="2026-11-22T13:00:00Z")]})
    assert enforcement(stored, SHIPPED).since == NOON - timedelta(hours=1)


@pytest.mark.parametrize(
    ("seen", "after", "proven"),
    [
        (Enforcement(NOON, None), 5.0, True),
        (Enforcement(NOON, None), 4.9, False),
        (Enforcement(NOON, None), -60.0, False),
        (Enforcement(NOON, "x is missing"), 60.0, False),
        (Enforcement(None, "x is missing"), 60.0, False),
    ],
)
def test_identities_are_proven_some_time_after(seen: Enforcement, after: float, proven: bool) -> None:
    assert seen.proves(NOON + timedelta(seconds=after), grace_seconds=5.0) is proven
