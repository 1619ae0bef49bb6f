"""Windows, freezes, protection and limits at the gates: what they hold back, what they say, and for how long."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from unit.core.making import (
    CHANCE,
    CREATED,
    EXECUTE,
    LOG,
    NOW,
    SCALE_PREVIEW,
    VALIDATED,
    FixedUsage,
    after,
    attempt,
    claimed,
    view,
    with_status,
    workflow,
    workflow_view,
)

from controller.api.base import rfc3339
from controller.api.names import Phase, Reason
from controller.api.policy import Breaker, Bucket
from controller.core import workflow_gates
from controller.core.decision import Gather
from controller.core.gates import protected
from controller.core.limits import Limit, Line, PolicyUsage, TargetUsage
from controller.core.pace import frozen, outside_window, over_limit
from controller.core.ports import Json, Target
from controller.core.proposal import decide
from controller.core.starts import MINUTE, minute
from controller.core.verdicts import PROTECTED_AGAIN, Block, Fetch
from controller.core.view import Findings
from controller.core.workflow import decide as decide_workflow

DONE = attempt(1, "Failed", doneAt=rfc3339(CREATED))
NOT_DONE = attempt(1, "NotDone")


def freeze(start: float, end: float, reason: str = "holidays") -> Json:
    return {"start": rfc3339(after(start)), "end": rfc3339(after(end)), "reason": reason}


NOW_OPEN: Json = {"start": "15:00", "end": "16:00", "timeZone": "UTC"}
LATER: Json = {"start": "16:00", "end": "17:00", "timeZone": "UTC"}


@pytest.mark.parametrize(
    ("policies", "until", "policy"),
    [
        pytest.param({"p": {"freezes": [freeze(-60, 60)]}}, after(60), "p", id="within"),
        pytest.param({"p": {"freezes": [freeze(0, 60)]}}, after(60), "p", id="from its first moment"),
        pytest.param({"p": {"freezes": [freeze(-60, 0)]}}, None, None, id="to its last"),
        pytest.param({"p": {"freezes": [freeze(1, 60)]}}, None, None, id="not yet"),
        pytest.param(
            {"p": {"freezes": [freeze(-60, 60)]}, "q": {"freezes": [freeze(-9, 90), freeze(-9, 9)]}}, after(90), "q",
            id="of several the one that ends last",
        ),
        pytest.param(
            {"p": {"freezes": [freeze(-60, 60)], "match": {"actions": ["wait"]}}}, None, None, id="of something else"
        ),
    ],
)  # fmt: skip
def test_freezes(policies: Any, until: datetime | None, policy: str | None) -> None:
    block = frozen(view(policies={**policies, "go": EXECUTE}), NOW)
    if until is None:
        assert block is None
        return
    assert isinstance(block, Block)
    assert (block.reason, block.rule, block.policy, block.until) == (Reason.FROZEN, "freezes", policy, until)
    assert "holidays" in block.message


def test_a_workflow_waits_for_what_holds_back_any_of_its_steps() -> None:
    steps = [{"name": "a"}, {"name": "b", "action": "wait", "parameters": {"seconds": 1}}]
    policies = {
        "go": EXECUTE,
        "rest": {"match": {"actions": ["wait"]}, "freezes": [freeze(-60, 60)]},
        "times": {"match": {"actions": ["log-message"]}, "windows": [LATER]},
    }
    seen = workflow_view(steps=steps, policies=policies)
    held = workflow_gates.frozen(seen, NOW)
    assert held is not None
    assert (held.policy, held.until) == ("rest", after(60))
    held = workflow_gates.outside_window(seen, NOW)
    assert held is not None
    assert held.policy == "times"
    decision = decide_workflow(seen, NOW)
    assert decision.status is not None
    assert decision.status.phase is Phase.BLOCKED
    assert decision.wake_at == NOW.replace(hour=16, minute=0, second=0)


@pytest.mark.parametrize(
    ("protect", "labels", "rule"),
    [
        pytest.param({"namespaces": ["shop"]}, {}, "protect.namespaces", id="its namespace"),
        pytest.param({"namespaces": ["kube-system"]}, {}, None, id="another namespace"),
        pytest.param({"labels": {"critical": "true"}}, {"critical": "true", "a": "b"}, "protect.labels", id="labels"),
        pytest.param({"labels": {"critical": "true"}}, {"critical": "false"}, None, id="another value"),
        pytest.param({"labels": {"a": "b", "c": "d"}}, {"a": "b"}, None, id="only one of its labels"),
        pytest.param({"labels": {}}, {"a": "b"}, None, id="no labels protect nothing"),
        pytest.param({}, {}, None, id="nothing"),
    ],
)
def test_protection(protect: Any, labels: dict[str, str], rule: str | None) -> None:
    target = Target("apps/v1", "Deployment", "checkout", "shop", labels=labels)
    findings = Findings(preview=replace(SCALE_PREVIEW, target=target))
    seen = view(policies={"careful": {**EXECUTE, "protect": protect}}, findings=findings)
    block = protected(seen, NOW)
    if rule is None:
        assert block is None
        return
    assert isinstance(block, Block)
    assert (block.reason, block.rule, block.policy) == (Reason.PROTECTED, rule, "careful")
    by_labels = rule == "protect.labels"
    assert block.again_at == (NOW + PROTECTED_AGAIN if by_labels else None), "nothing tells that a label is gone"
    stored = with_status(seen, _status(seen, NOW))
    assert _status(stored, after(400)) == stored.proposal.status, "looking again is no write"


def _status(seen: Any, now: datetime) -> Any:
    decision = decide(seen, now, CHANCE)
    assert decision.act is None
    assert decision.status is not None
    return decision.status


def test_a_target_in_another_namespace_is_protected_there() -> None:
    target = Target("v1", "ConfigMap", "a", "kube-system")
    findings = Findings(preview=replace(SCALE_PREVIEW, target=target))
    seen = view(policies=[{**EXECUTE, "protect": {"namespaces": ["kube-system"]}}], findings=findings)
    assert isinstance(protected(seen, NOW), Block)


def test_a_workflow_looks_at_the_labels_of_its_targets_right_before_it_starts() -> None:
    policies = [{**EXECUTE, "protect": {"labels": {"critical": "true"}}}]
    unseen = workflow_view(policies=policies, findings=None)
    assert workflow_gates.protected(unseen, NOW) == Fetch(Gather.PREVIEW)
    target = Target("apps/v1", "Deployment", "checkout", "shop", labels={"critical": "true"})
    found = {"one": Findings(), "two": Findings(preview=replace(SCALE_PREVIEW, target=target))}
    block = workflow_gates.protected(workflow_view(policies=policies, findings=found), NOW)
    assert isinstance(block, Block)
    assert block.message.startswith("spec.steps[two]: policy policy-0 protects Deployment shop/checkout")
    by_name = workflow_view(policies=[{**EXECUTE, "protect": {"namespaces": ["shop"]}}], findings=None)
    assert isinstance(workflow_gates.protected(by_name, NOW), Block), "that needs no preview"
    assert workflow_gates.protected(workflow_view(findings=None), NOW) is None, "nor does what is not protected"


def limited(**limits: int) -> Any:
    return {"policies": {"go": EXECUTE, "careful": {"limits": limits}}}


def reserved(free: int, count: int = 1) -> PolicyUsage:
    return PolicyUsage(free_starts=free, buckets=(Bucket(start=minute(NOW), count=count),))


LIMITS = [
    pytest.param(
        limited(maxConcurrent=2), FixedUsage(PolicyUsage(running=2)),
        (Reason.LIMIT_REACHED, None, Line("careful", Limit.CONCURRENT)), id="no place",
    ),
    pytest.param(
        limited(maxPerHour=1), FixedUsage(reserved(0)),
        (Reason.LIMIT_REACHED, minute(NOW) + 61 * MINUTE, Line("careful", Limit.PER_HOUR)), id="no start",
    ),
    pytest.param(
        limited(maxPerHour=9), FixedUsage(reserved(0)),
        (Reason.LIMIT_REACHED, minute(NOW) + MINUTE, Line("careful", Limit.PER_HOUR)), id="no start in this minute",
    ),
    pytest.param(
        limited(perTargetCooldownSeconds=60), FixedUsage(target=TargetUsage(last_end=after(-10))),
        (Reason.COOLDOWN, after(50), Line("careful", Limit.COOLDOWN, "Deployment shop/checkout")), id="too soon",
    ),
    pytest.param(
        limited(perTargetCooldownSeconds=60), FixedUsage(target=TargetUsage(busy=True)),
        (Reason.COOLDOWN, None, Line("careful", Limit.COOLDOWN, "Deployment shop/checkout")), id="somebody is at it",
    ),
    pytest.param(
        limited(maxConsecutiveFailures=1, breakerResetSeconds=60),
        FixedUsage(PolicyUsage(breaker=Breaker(failures=1, opened_at=NOW))),
        (Reason.BREAKER_OPEN, after(60), Line("careful", Limit.BREAKER)), id="breaker",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("circumstances", "usage", "told"), LIMITS)
def test_a_limit_without_room_blocks(circumstances: Any, usage: FixedUsage, told: Any) -> None:
    reason, until, line = told
    block = over_limit(view(**circumstances, usage=usage), NOW)
    assert isinstance(block, Block)
    assert (block.reason, block.until, block.line, block.policy) == (reason, until, line, "careful")
    assert block.rule == line.limit.value
    assert "policy careful" in block.message


@pytest.mark.parametrize(("circumstances", "usage", "told"), LIMITS)
def test_who_waits_for_a_limit_is_written_once_and_woken_by_the_line_alone(
    circumstances: Any, usage: FixedUsage, told: Any
) -> None:
    seen = view(**circumstances, usage=usage)
    first = decide(seen, NOW, CHANCE)
    assert first.line == told[2]
    assert first.status is not None
    assert first.status.phase is Phase.BLOCKED
    assert first.wake_at == CREATED.replace(day=CREATED.day + 1), "its own deadline, nothing sooner"
    later = replace(
        usage,
        policy=replace(usage.policy, breaker=Breaker(failures=usage.policy.breaker.failures, opened_at=after(30))),
        target=TargetUsage(busy=True) if usage.target != TargetUsage() else usage.target,
    )
    for now, used in ((after(20), usage), (after(40), later)):
        stored = with_status(seen, first.status, usage=used)
        again = decide(stored, now, CHANCE)
        assert again.status == stored.proposal.status, "no countdown, and no write when its turn is put off"
        assert again.line == first.line


def test_a_limit_that_is_loosened_says_the_sooner_time() -> None:
    rested = FixedUsage(target=TargetUsage(last_end=after(-10)))
    seen = view(**limited(perTargetCooldownSeconds=600), usage=rested)
    first = decide(seen, NOW, CHANCE)
    assert first.status is not None
    loosened = with_status(view(**limited(perTargetCooldownSeconds=60), usage=rested), first.status)
    again = decide(loosened, after(1), CHANCE)
    assert again.status is not None
    assert again.status.blocked is not None
    assert again.status.blocked.until == after(50)


@pytest.mark.parametrize(
    ("circumstances", "usage"),
    [
        pytest.param(limited(maxConcurrent=2), FixedUsage(PolicyUsage(running=1)), id="a place"),
        pytest.param(limited(maxPerHour=2), FixedUsage(reserved(1)), id="a start"),
        pytest.param(limited(perTargetCooldownSeconds=60), FixedUsage(), id="no other action on the target"),
        pytest.param(
            {**limited(perTargetCooldownSeconds=60), "spec": LOG}, FixedUsage(target=TargetUsage(busy=True)),
            id="an action without a target has no cooldown",
        ),
        pytest.param(
            limited(maxConsecutiveFailures=3), FixedUsage(PolicyUsage(breaker=Breaker(failures=2))), id="closed"
        ),
        pytest.param(
            {"policies": [EXECUTE, {"limits": {"maxConcurrent": 1}, "match": {"actions": ["wait"]}}]},
            FixedUsage(PolicyUsage(running=9)), id="a limit of something else",
        ),
        pytest.param(
            {**limited(maxPerHour=1), "status": claimed(NOT_DONE)}, FixedUsage(reserved(0)), id="a retry is no start"
        ),
        pytest.param(
            {**limited(perTargetCooldownSeconds=1), "status": claimed(NOT_DONE)},
            FixedUsage(target=TargetUsage(last_end=NOW)), id="a retry is no other action",
        ),
    ],
)  # fmt: skip
def test_a_limit_with_room_lets_it_start(circumstances: Any, usage: FixedUsage) -> None:
    seen = view(**circumstances, usage=usage)
    assert over_limit(seen, NOW) is None
    assert decide(seen, NOW, CHANCE).act is not None


@pytest.mark.parametrize(
    ("circumstances", "usage"),
    [
        pytest.param(limited(maxPerHour=2), FixedUsage(), id="starts are reserved first"),
        pytest.param(limited(perTargetCooldownSeconds=60), FixedUsage(target=None), id="earlier ends are read first"),
    ],
)
def test_what_a_limit_needs_to_know_is_gathered(circumstances: Any, usage: FixedUsage) -> None:
    assert over_limit(view(**circumstances, usage=usage), NOW) == Fetch(Gather.USAGE)


def test_nothing_is_reserved_for_what_another_limit_holds_back() -> None:
    policies = {"go": EXECUTE, "a": {"limits": {"maxPerHour": 5}}, "b": {"limits": {"maxConcurrent": 1}}}
    block = over_limit(view(policies=policies, usage=FixedUsage(PolicyUsage(running=1))), NOW)
    assert isinstance(block, Block)
    assert block.policy == "b"


def test_retries_need_a_place_and_stop_with_the_breaker() -> None:
    retry = claimed(NOT_DONE)
    seen = view(status=retry, **limited(maxConcurrent=1), usage=FixedUsage(PolicyUsage(running=1)))
    assert isinstance(over_limit(seen, NOW), Block)
    broken = FixedUsage(PolicyUsage(breaker=Breaker(failures=1, opened_at=NOW)))
    assert isinstance(over_limit(view(status=retry, **limited(maxConsecutiveFailures=1), usage=broken), NOW), Block)


@pytest.mark.parametrize(
    ("spec", "gate"),
    [
        ({"windows": [LATER]}, outside_window),
        ({"limits": {"maxConcurrent": 1}}, over_limit),
        ({"limits": {"maxConsecutiveFailures": 1}}, over_limit),
    ],
)
def test_windows_and_limits_do_not_hold_back_what_only_verifies(spec: Any, gate: Any) -> None:
    busy = FixedUsage(PolicyUsage(running=5, breaker=Breaker(failures=9, opened_at=NOW)))
    policies = [EXECUTE, spec]
    assert isinstance(gate(view(status=claimed(NOT_DONE), policies=policies, usage=busy), NOW), Block)
    assert gate(view(status=claimed(DONE), policies=policies, usage=busy), NOW) is None
    assert decide(view(status=claimed(DONE), policies=policies, usage=busy), NOW, CHANCE).act is not None


@pytest.mark.parametrize(
    ("spec", "target"),
    [
        ({}, "Deployment shop/checkout"),
        (
            {"action": "restart-rollout", "parameters": {"kind": "Deployment", "name": "checkout"}},
            "Deployment shop/checkout",
        ),
        ({"action": "cordon-node", "parameters": {"node": "n1"}}, "Node n1"),
        ({"action": "uncordon-node", "parameters": {"node": "n1"}}, "Node n1"),
        (
            {"action": "http-request", "parameters": {"method": "PUT", "url": "https://hooks.example.com/x?a=1"}},
            "https://hooks.example.com/x",
        ),
        (LOG, None),
        ({"action": "run-job", "parameters": {"image": "alpine"}}, None),
        ({"action": "gone", "parameters": {"name": "a"}}, None),
    ],
)  # fmt: skip
def test_two_actions_on_the_same_thing_have_the_same_target(spec: Any, target: str | None) -> None:
    assert view(spec).target == target


def test_steps_of_one_workflow_are_one_action_on_a_target() -> None:
    parent = workflow()[0]
    assert view(parent=parent).group == parent.metadata.uid
    assert view().group == view().proposal.metadata.uid


def test_a_limit_that_is_not_there_any_more_lets_it_start() -> None:
    seen = view(**limited(maxConcurrent=1), usage=FixedUsage(PolicyUsage(running=1)), status=VALIDATED, findings=None)
    first = decide(seen, NOW, CHANCE)
    assert first.status is not None
    freed = with_status(view(usage=seen.usage), first.status)
    decision = decide(freed, after(5), CHANCE)
    assert decision.act is not None
    assert decision.status is not None
    assert decision.status.blocked is None
