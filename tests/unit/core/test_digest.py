"""Digests: anyone can recompute them, and whatever decides what runs changes them."""

import dataclasses
import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.core.making import CHANCE, NOW, SCALE_PREVIEW, type_entry, view

from controller.api.common import Change, RetryConfig
from controller.core.digest import canonical, digest, request_document, sha256, type_digest
from controller.core.proposal import decide
from controller.core.view import Findings

SPEC: Any = {"action": "wait", "parameters": {"seconds": 60}, "reason": "let it settle", "mode": "Execute"}
REQUEST: Any = {
    "kind": "ActionProposal",
    "namespace": "shop",
    "spec": SPEC,
    "types": {"wait": {"risk": "Low"}},
    "runner": None,
    "timings": {"": (300, RetryConfig())},
}
CHANGE = Change(target="Deployment shop/checkout", path="spec.replicas", before=3, after=6)


def request_digest(**parts: Any) -> str:
    return sha256(request_document(**parts))


def test_worked_example() -> None:
    """As in docs/spec/digest.md: for these plain values, RFC 8785 is what json.dumps with sorted keys writes."""
    document = {
        "kind": "ActionProposal",
        "namespace": "shop",
        "spec": SPEC,
        "types": {"wait": {"risk": "Low"}},
        "runner": None,
        "timings": {
            "": {
                "timeoutSeconds": 300,
                "retry": {
                    "maxAttempts": 3, "minWaitSeconds": 1, "maxWaitSeconds": 60, "exponentialBase": 2,
                    "jitterFraction": 0.5, "retryOn": "Transient",
                },
            }
        },
    }  # fmt: skip
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    expected = "sha256:" + hashlib.sha256(text.encode()).hexdigest()
    assert request_digest(**REQUEST) == expected
    assert expected == "sha256:ce0de6c3d03e41d86d2e5214d4c62a512a2fc060f0a3abf1ed8fca4fd6d1db12"
    change = {"target": "Deployment shop/checkout", "path": "spec.replicas", "before": 3}
    text = json.dumps({"requestDigest": expected, "changes": [change]}, sort_keys=True, separators=(",", ":"))
    assert digest(expected, [CHANGE]) == "sha256:" + hashlib.sha256(text.encode()).hexdigest()
    assert digest(expected, [CHANGE]) == "sha256:08f804be39a395357480918c1d71b91fd3c39909cfdc6bb08793f88c0b8ccd6f"


@pytest.mark.parametrize(
    ("field", "value"),
    [("suspend", True), ("cancelled", True), ("ttlSecondsAfterFinished", 5), ("requestedBy", {"username": "ann"})],
)
def test_what_does_not_decide_what_runs_is_left_out(field: str, value: Any) -> None:
    assert request_digest(**{**REQUEST, "spec": {**SPEC, field: value}}) == request_digest(**REQUEST)


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "ActionWorkflow"},
        {"namespace": "other"},
        {"types": {"wait": {"risk": "High"}}},
        {"types": {"wait": {"risk": "Low"}, "undo": {}}},
        {"runner": "admin"},
        {"timings": {"": (301, RetryConfig())}},
        *({"timings": {"": (300, RetryConfig(**one))}} for one in (
            {"max_attempts": 4}, {"min_wait_seconds": 2}, {"max_wait_seconds": 61}, {"exponential_base": 3},
            {"jitter_fraction": 0.4}, {"retry_on": "Never"},
        )),
        *({"spec": {**SPEC, **one}} for one in (
            {"action": "other"}, {"parameters": {"seconds": 61}}, {"parameters": {}}, {"reason": "x"},
            {"mode": "DryRun"}, {"ticket": "T"}, {"serviceAccountName": "a"}, {"notBefore": "2026-12-01T02:00:00Z"},
            {"startingDeadlineSeconds": 1}, {"activeDeadlineSeconds": 1}, {"timeoutSeconds": 1}, {"retry": {}},
            {"preconditions": []}, {"verify": []}, {"whatComesNext": 1},
        )),
    ],
    ids=str,
)  # fmt: skip
def test_everything_else_is_part_of_it(change: Any) -> None:
    assert request_digest(**{**REQUEST, **change}) != request_digest(**REQUEST)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(-1e15, 1e15)
    | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=8,
)  # fmt: skip


def turned(value: Any) -> Any:
    """The same value with its keys in the opposite order."""
    if isinstance(value, dict):
        return {key: turned(value[key]) for key in reversed(value)}
    return [turned(item) for item in value] if isinstance(value, list) else value


@given(json_values)
def test_the_order_of_keys_does_not_matter(value: Any) -> None:
    assert sha256(turned(value)) == sha256(value)
    assert type_digest(turned({"a": value})) == type_digest({"a": value})
    assert json.loads(canonical(value)) == value


@pytest.mark.parametrize(
    ("one", "other"), [(1, True), (0, False), ("1", 1), (None, ""), ([], {}), ([1, 2], [2, 1]), ({"a": None}, {})]
)
def test_values_that_python_may_confuse_differ(one: Any, other: Any) -> None:
    assert sha256(one) != sha256(other)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**60, "\ud800"])
def test_what_has_no_one_form_is_refused(value: Any) -> None:
    with pytest.raises(ValueError):
        sha256({"value": value})


@pytest.mark.parametrize(
    ("change", "same"),
    [
        pytest.param({"after": 7}, True, id="what comes after follows from the request"),
        pytest.param({"before": 4}, False, id="what was there"),
        pytest.param({"path": "spec.paused"}, False, id="path"),
        pytest.param({"target": "Deployment shop/cart"}, False, id="target"),
        pytest.param({"managed_by": "HorizontalPodAutoscaler checkout"}, False, id="under another hand: left out"),
    ],
)
def test_the_digest_is_over_what_would_change(change: Any, same: bool) -> None:
    assert (digest("r", [CHANGE.model_copy(update=change)]) == digest("r", [CHANGE])) is same


def test_a_field_under_another_hand_does_not_drift() -> None:
    managed = [CHANGE.model_copy(update={"managed_by": "HPA", "before": before}) for before in (3, 9)]
    assert digest("r", [managed[0]]) == digest("r", [managed[1]]) == digest("r", [])


def digests(spec: Any = None, **circumstances: Any) -> tuple[str | None, str | None]:
    status = decide(view({"notBefore": "2030-01-01T00:00:00Z", **(spec or {})}, **circumstances), NOW, CHANCE).status
    assert status is not None
    return status.request_digest, status.digest


def test_the_status_carries_both() -> None:
    request, whole = digests()
    assert request is not None
    assert whole == digest(request, SCALE_PREVIEW.changes)
    assert digests({"suspend": True}) == (request, whole)


@pytest.mark.parametrize(
    "circumstances",
    [
        {"spec": {"reason": "another"}},
        {"spec": {"timeoutSeconds": 10}},
        {"spec": {"retry": {"maxAttempts": 9}}},
        {"spec": {"serviceAccountName": "admin"}},
        {"types": [type_entry("scale-workload", description="another")]},
        {"types": [type_entry("scale-workload", defaults={"timeoutSeconds": 7})]},
    ],
    ids=str,
)
def test_whatever_decides_what_runs_changes_it(circumstances: Any) -> None:
    assert digests(**circumstances)[0] != digests()[0]


def test_what_the_preview_finds_changes_only_the_whole() -> None:
    other = dataclasses.replace(SCALE_PREVIEW, changes=(SCALE_PREVIEW.changes[0].model_copy(update={"before": 4}),))
    request, whole = digests(findings=Findings(preview=other))
    assert request == digests()[0]
    assert whole != digests()[1]
