"""What can be undone, by which request; and where an object stands, in a sentence."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from controller.api.proposal import ActionProposal
from controller.client.errors import NothingToUndo
from controller.client.standing import as_asked, standing
from controller.client.undo import undo_name, undo_request

NOW = datetime(2026, 11, 22, 15, 10, tzinfo=UTC)
UNDO = {"action": "scale-workload", "parameters": {"kind": "Deployment", "name": "web", "replicas": 2}}


def attempt(result: str, *, done: bool = False) -> dict[str, Any]:
    made = {
        "number": 1, "id": "a", "operation": "o", "owner": "p", "typeDigest": "sha256:" + "0" * 64, "idempotent": True,
        "startedAt": NOW, "deadline": NOW, "result": result,
    }  # fmt: skip
    return made | ({"doneAt": NOW} if done else {})


def proposal(spec: dict[str, Any] | None = None, **status: Any) -> ActionProposal:
    own = {"action": "scale-workload", "reason": "r", "ticket": "OPS-1", "serviceAccountName": "ops", **(spec or {})}
    return ActionProposal.model_validate(
        {"kind": "ActionProposal", "metadata": {"name": "web", "namespace": "shop"}, "spec": own, "status": status}
    )


@pytest.mark.parametrize(
    ("outcome", "made"),
    [
        ("Succeeded", attempt("Succeeded", done=True)),
        ("Cancelled", attempt("Failed", done=True)),
        ("Failed", attempt("Failed", done=True)),
        ("Failed", attempt("Failed")),
        ("Unknown", attempt("Unknown")),
    ],
)
def test_whatever_may_have_changed_something_can_be_undone(outcome: str, made: dict[str, Any]) -> None:
    request = undo_request(proposal(outcome=outcome, attempts=[made], undo=UNDO))
    assert request.manifest() == {
        "apiVersion": "actionoperator.dev/v1alpha1",
        "kind": "ActionProposal",
        "metadata": {"name": "web-undo", "namespace": "shop"},
        "spec": {
            "action": "scale-workload",
            "parameters": UNDO["parameters"],
            "reason": "undo of web",
            "ticket": "OPS-1",
            "serviceAccountName": "ops",
        },
    }


@pytest.mark.parametrize(
    ("status", "why"),
    [
        ({"phase": "Running", "undo": UNDO}, r"web is not finished \(Running\)"),
        ({"outcome": "Observed", "undo": UNDO}, "web changed nothing"),
        ({"outcome": "Failed", "attempts": [attempt("NotDone")], "undo": UNDO}, "web changed nothing"),
        (
            {"outcome": "Succeeded", "attempts": [attempt("Succeeded", done=True)]},
            "web cannot be undone: scale-workload",
        ),
    ],
)
def test_what_cannot_be_undone_says_why(status: dict[str, Any], why: str) -> None:
    with pytest.raises(NothingToUndo, match=why):
        undo_request(proposal(**status))


@pytest.mark.parametrize("name", ["web", "a" * 63, "a" * 57 + "-" + "b" * 5])
def test_the_name_is_the_same_each_time_and_short_enough(name: str) -> None:
    assert undo_name(name) == undo_name(name)
    assert len(undo_name(name)) <= 63
    assert undo_name(name).endswith("-undo")
    assert "--" not in undo_name(name)


@pytest.mark.parametrize(
    ("status", "text"),
    [
        ({}, "Pending: the operator has not looked at it yet"),
        ({"observedGeneration": 1, "phase": "Running", "message": "attempt 1"}, "Running: attempt 1"),
        ({"phase": "Retrying", "message": "HTTP 503", "nextRetryAt": NOW + timedelta(seconds=42)},
         "Retrying: HTTP 503; next attempt in 42 s"),
        ({"phase": "Retrying", "message": "HTTP 503", "nextRetryAt": NOW},
         "Retrying: HTTP 503; the next attempt is due"),
    ],
)  # fmt: skip
def test_standing(status: dict[str, Any], text: str) -> None:
    assert standing(proposal(**status), NOW) == text


@pytest.mark.parametrize(
    ("mode", "outcome", "good"),
    [
        ("Execute", "Succeeded", True),
        ("Execute", "Observed", False),
        ("DryRun", "Observed", True),
        ("DryRun", "Failed", False),
    ],
)
def test_as_asked(mode: str, outcome: str, good: bool) -> None:
    assert as_asked(proposal({"mode": mode}, outcome=outcome)) is good
