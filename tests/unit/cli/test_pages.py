"""describe: everything about one object on one page."""

from typing import Any

import cli_samples as samples
import pytest
from drawing import model, on_terminal, piped

from controller.cli.page import brief, page


def read(manifest: dict[str, Any]) -> list[str]:
    return piped(page(model(manifest), samples.NOW))


def test_a_retrying_proposal() -> None:
    assert on_terminal(page(model(samples.RETRYING), samples.NOW), 100) == [
        "ActionProposal shop/scale-checkout  Retrying",
        "  Action      scale-workload, risk Medium",
        "  Parameters  kind: Deployment",
        "              name: checkout",
        "              replicas: 6",
        "  Reason      queue depth is four times normal",
        "  Ticket      OPS-1234",
        "  Asked by    alice, 6m ago (2026-11-22 15:04:00 UTC)",
        "  Runs as     ServiceAccount checkout-ops",
        "",
        "Where it stands",
        "  Phase       Retrying: attempt 1 of 3 failed: patch deployments/scale shop/checkout: no connection",
        "              to the API server",
        "  Next retry  in 42s (2026-11-22 15:10:42 UTC)",
        "  Retries     1",
        "  Started     5m55s ago (2026-11-22 15:04:05 UTC)",
        "",
        "What it changes",
        "  Scale Deployment shop/checkout from 3 to 6 replicas.",
        "  Deployment shop/checkout  spec.replicas  3 -> 6",
        "  ! HorizontalPodAutoscaler checkout also scales Deployment shop/checkout (2 to 9)",
        "",
        "Attempts",
        "  #  UTC 2026-11-22  TOOK  RESULT   REASON            MESSAGE",
        "  1  15:04:05        10s   NotDone  TransientFailure  attempt 1 of 3 failed: patch deployments/scale",
        "                                                      shop/checkout: no connection to the API server",
        "",
        "History",
        "  UTC 2026-11-22  WHAT            WHO               MESSAGE",
        "  15:04:05        Proposed        unverified:alice  queue depth is four times normal",
        "  15:04:05        Validated       action-operator   in order",
        "  15:04:05        Executing       action-operator   attempt 1: Scale Deployment shop/checkout from 3",
        "                                                    to 6 replicas.",
        "  15:04:15        RetryScheduled  action-operator   attempt 1 of 3 failed: patch deployments/scale",
        "                                                    shop/checkout: no connection to the API server;",
        "                                                    next attempt at 15:10:42 UTC",
        "",
        "Conditions",
        "  CONDITION    STATUS   REASON                SINCE",
        "  Validated    True     Valid                 5m55s",
        "  Approved     True     NotRequired           5m55s",
        "  Succeeded    Unknown  ProgressingWithRetry  5m55s",
        "  Reconciling  True     ProgressingWithRetry  5m55s",
    ]


def test_what_succeeded_says_how_it_is_undone() -> None:
    lines = read(samples.SUCCEEDED)
    assert "  Finished  5m51s ago (2026-11-22 15:04:09 UTC), after 4.0s" in lines
    assert lines[-3:] == [
        "Undo",
        "  kubectl actions undo ap/scale-cart -n shop",
        "  would propose scale-workload (kind: Deployment, name: checkout, replicas: 3, expectedReplicas: 6)",
    ]


@pytest.mark.parametrize("manifest", [samples.RETRYING, samples.OBSERVED, samples.BLOCKED, samples.ENDED])
def test_what_changed_nothing_offers_no_undo(manifest: dict[str, Any]) -> None:
    assert "Undo" not in read(manifest)


def test_a_blocked_one_says_by_what() -> None:
    assert "  Blocked by  policy stop-all, rule halt" in read(samples.BLOCKED)


def test_a_graph_shows_what_comes_after_what() -> None:
    lines = read(samples.ROLLING)
    start = lines.index("Steps")
    assert lines[start + 1 : start + 6] == [
        "  STEP      ACTION           AFTER           STATE      RETRIES     TOOK  MESSAGE",
        "  cordon    cordon-node      -               Succeeded  0           1.0s  Node node-3 is cordoned.",
        "  roll-out  restart-rollout  cordon          started    0           -     -",
        "  tell      http-request     cordon          Retrying   1 (in 30s)  -     attempt 1 of 3 failed: HTTP 503",
        "  back      uncordon-node    roll-out, tell  waiting    0           -     -",
    ]


def test_what_nobody_looked_at_has_a_short_page() -> None:
    assert read(samples.UNSEEN)[-2:] == [
        "Where it stands",
        "  Phase  Pending: the operator has not looked at it yet",
    ]


def test_asked_for_but_not_yet_done() -> None:
    spec = {"suspend": True, "cancelled": True, "notBefore": "2026-11-22T15:30:00Z", "mode": "DryRun"}
    lines = read(samples.proposal("later", spec))
    assert "  Mode        DryRun" in lines
    assert "  Starts     in 20m (2026-11-22 15:30:00 UTC)" in lines
    assert "  Cancelled  asked for; the operator stops it" in lines
    assert "  Suspended  yes; go on with: kubectl actions resume ap/later -n shop" in lines


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_no_width_loses_a_word(width: int) -> None:
    for manifest in samples.ALL:
        seen = " ".join(on_terminal(page(model(manifest), samples.NOW), width))
        for word in " ".join(read(manifest)).split():
            assert word in seen or len(word) > width - 24


def test_words_of_the_requester_cannot_drive_the_terminal() -> None:
    evil = "\x1b]0;owned\x07\x1b[2K approved by root"
    spec = {"reason": evil, "ticket": evil, "parameters": {"name": evil, evil: 1}}
    status = {**samples.SUCCEEDED["status"], "message": evil}
    text = "\n".join(read(samples.proposal("evil", spec, status)))
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "approved by root" in text


def test_one_that_awaits_approval_says_what_is_missing_and_who_has_voted() -> None:
    lines = read(samples.AWAITING)
    start = lines.index("Approval")
    assert lines[start : start + 6] == [
        "Approval",
        "  Approvals  1 of 2, still needed from sre or dba",
        "  Expires    in 3h (2026-11-22 18:10:00 UTC)",
        f"  Digest     {samples.DIGEST}",
        "  UTC 2026-11-22  WHO   VOTE     APPROVAL                COMMENT",
        "  15:06:00        dave  Approve  scale-big-0a1b2c3d4e5f  agreed on the call",
    ]
    assert "  Approvals  1 of 2, still needed from sre or dba" in piped(brief(model(samples.AWAITING), samples.NOW))


@pytest.mark.parametrize("reason", ["IdentityNotEnforced", "Drifted", "DigestChanged"])
def test_what_is_wrong_with_an_approval_is_told(reason: str) -> None:
    condition = {**samples.condition("Approved", "False", reason), "message": "it is not as it was"}
    lines = read({**samples.AWAITING, "status": {**samples.AWAITING["status"], "conditions": [condition]}})
    assert f"  But        {reason}: it is not as it was" in lines


@pytest.mark.parametrize("manifest", [samples.RETRYING, samples.SUCCEEDED, samples.UNSEEN, samples.ROLLING])
def test_where_nobody_is_asked_the_page_has_no_approval(manifest: dict[str, Any]) -> None:
    assert "Approval" not in read(manifest)


def test_the_brief_page_keeps_what_changes() -> None:
    lines = piped(brief(model(samples.ROLLING), samples.NOW))
    assert lines[0] == "ActionWorkflow shop/node-3  Running"
    assert "Steps" in lines
    assert "Conditions" not in lines


RUN: dict[str, Any] = {
    "apiVersion": "actionoperator.dev/v1alpha1", "kind": "ActionWorkflow",
    "metadata": {
        "name": "weekend-29922670", "namespace": "shop", "uid": "7",
        "ownerReferences": [{"apiVersion": "actionoperator.dev/v1alpha1", "kind": "ActionSchedule", "name": "weekend",
                             "uid": "8", "controller": True}],
    },
    "spec": {"description": "Fewer replicas", "reason": "weekend", "runbookRef": {"name": "resize"},
             "parameters": {"replicas": 1}},
}  # fmt: skip
PINNED: dict[str, Any] = {
    "name": "resize", "uid": "9", "digest": samples.DIGEST, "editedBy": {"username": "dora"},
    "spec": {"description": "d", "onFailure": "Rollback", "steps": [{"name": "scale", "action": "scale-workload"}]},
}  # fmt: skip


def test_a_run_of_a_runbook_shows_what_was_pinned_and_who_edited_it() -> None:
    before = read(RUN)
    assert "  Runbook     resize, not looked at yet" in before
    assert not any(line.startswith("  How ") for line in before)
    page_of_it = read({**RUN, "status": {"runbook": PINNED, "phase": "Running"}})
    for row in (
        "  Runbook     resize, last edited by dora",
        "  Parameters  replicas: 1",
        "  How         1 steps, order Sequence, on failure Rollback",
        "  Run of      asch/weekend",
        "  Progress    0/1 steps",
    ):
        assert any(line.split() == row.split() for line in page_of_it), page_of_it
    assert any(line.split()[:2] == ["scale", "scale-workload"] for line in page_of_it)
