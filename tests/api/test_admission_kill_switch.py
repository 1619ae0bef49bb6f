"""Stop means stop: while a policy halts, observes or freezes, the API server refuses a claim, by any operator."""

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from api_server import Answer
from guarded import ADMIN, ALICE, THE_OPERATOR, Guarded, Manifest, proposal

DIGEST = "sha256:" + "0" * 64
NOW, SAME = "2026-11-22T15:04:05.123Z", "2026-11-22T16:04:05.123000+01:00"
LATER = "2026-11-22T15:05:00Z"
HALT = {"halt": True}
HALTED = "has halted actions here (spec.halt)"


def attempt(number: int, ended: str | None = None, **fields: Any) -> Manifest:
    """An attempt that runs, or one that ended."""
    made = {
        "number": number, "id": f"id-{number}", "operation": "o", "owner": "w", "typeDigest": DIGEST,
        "idempotent": True, "startedAt": NOW, "deadline": "2026-11-22T16:04:05.123Z",
    }  # fmt: skip
    return made | ({"finishedAt": NOW, "result": ended} if ended else {}) | fields


def with_attempts(guard: Guarded, *attempts: Manifest) -> Manifest:
    """A stored proposal with this record."""
    stored = guard.stored(ALICE, proposal())
    for count in range(1, len(attempts) + 1):
        status: Manifest = {"attempts": list(attempts[:count])}
        answer = guard.write_status(THE_OPERATOR, stored, status, dry_run=False)
        assert answer.accepted, answer.says
        stored = answer.body
    return stored


def writes(guard: Guarded, stored: Manifest, *attempts: Manifest, **status: Any) -> Answer:
    """The operator's status write, tried only."""
    return guard.write_status(THE_OPERATOR, stored, {"attempts": list(attempts), **status})


@contextmanager
def in_force(guard: Guarded, **spec: Any) -> Iterator[str]:
    """A policy for the whole namespace that this API server knows by now, as all that were made before it. Its name.

    It tells by a claim of its own, on what no other policy of these tests is about.
    """
    body = guard.policy(**spec)
    witness = guard.stored(ADMIN, proposal(spec__action="wait"))
    try:
        _until(lambda: body["metadata"]["name"] in writes(guard, witness, attempt(1), risk="Low").says)
        yield body["metadata"]["name"]
    finally:
        guard.forget(body)
        _until(lambda: writes(guard, witness, attempt(1), risk="Low").accepted)


def _until(so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not so():
        assert time.monotonic() < deadline, "the API server never took notice of the policy"
        time.sleep(0.005)


@dataclass(frozen=True)
class Stop:
    """A policy that stops claims, and what they are told."""

    name: str
    spec: Manifest
    told: str


BEFORE = {"start": "2026-11-01T00:00:00Z", "end": "2026-11-02T00:00:00Z"}
FREEZE = {"start": "2026-11-22T16:00:00+01:00", "end": "2026-11-22T15:04:05.124Z", "reason": "holidays"}
STOPS = [
    Stop("halt", HALT, HALTED),
    Stop("halt beside Execute", {"halt": True, "mode": "Execute"}, HALTED),
    Stop("explicit Observe", {"mode": "Observe"}, "lets actions here only be observed (spec.mode: Observe)"),
    Stop("freeze", {"mode": "Execute", "freezes": [FREEZE]},
         "freezes actions here until 2026-11-22T15:04:05.124Z: holidays"),
    Stop("one freeze of several", {"freezes": [FREEZE | BEFORE, FREEZE | {"start": NOW}]}, "freezes actions here"),
    Stop("freeze for a reason of two lines", {"freezes": [FREEZE | {"reason": "a\nb"}]},
         "freezes actions here until 2026-11-22T15:04:05.124Z: a b"),
]  # fmt: skip
each_stop = pytest.mark.parametrize("stop", STOPS, ids=lambda stop: stop.name)


@each_stop
def test_no_claim_while_stopped(guard: Guarded, stop: Stop) -> None:
    fresh = with_attempts(guard)
    retrying = with_attempts(guard, attempt(1, "NotDone"))
    full = with_attempts(guard, *(attempt(number, "NotDone") for number in range(1, 11)))
    ten = full["status"]["attempts"]
    claims = (
        (fresh, [attempt(1)]),
        (retrying, [attempt(1, "NotDone"), attempt(2)]),
        (full, [*ten[1:], attempt(11)]),
    )
    for stored, attempts in claims:
        assert writes(guard, stored, *attempts).accepted
    with in_force(guard, **stop.spec) as name:
        for stored, attempts in claims:
            answer = writes(guard, stored, *attempts)
            assert answer.status == 403
            assert f"ActionPolicy {name} {stop.told}" in answer.says
    for stored, attempts in claims:
        assert writes(guard, stored, *attempts).accepted


@each_stop
def test_no_effect_begins_while_stopped_though_its_preconditions_are_met(guard: Guarded, stop: Stop) -> None:
    """The claim may be long ago: the effect begins with the record that they are met."""
    early = {"startedAt": "2026-11-22T14:00:00Z"}
    waiting = with_attempts(guard, attempt(1, **early))
    met = attempt(1, **early, preconditionsMetAt=NOW)
    assert writes(guard, waiting, met).accepted
    under_way = with_attempts(guard, met)
    with in_force(guard, **stop.spec) as name:
        answer = writes(guard, waiting, met)
        assert answer.status == 403
        assert f"ActionPolicy {name} {stop.told}" in answer.says
        assert writes(guard, waiting, attempt(1, "NotDone", **early)).accepted
        assert writes(guard, under_way, attempt(1, "Succeeded", **early, preconditionsMetAt=NOW)).accepted


@dataclass(frozen=True)
class Dodge:
    """A record that would begin an attempt under another guise."""

    name: str
    before: tuple[Manifest, ...]
    after: tuple[Manifest, ...]


DODGES = [
    Dodge("a new id under the old number", (attempt(1),), (attempt(1, id="other"),)),
    Dodge("a new id under the old number, after its end", (attempt(1, "NotDone"),), (attempt(1, id="other"),)),
    Dodge("open again what has ended", (attempt(1, "NotDone"),), (attempt(1),)),
    Dodge("open again an older one", (attempt(1, "NotDone"), attempt(2, "NotDone")),
          (attempt(1), attempt(2, "NotDone"))),
    Dodge("begin again with 1", (attempt(1, "NotDone"), attempt(2, "NotDone")), (attempt(1, id="other"),)),
    Dodge("a lower number at the end", (attempt(1, "NotDone"), attempt(2, "NotDone")),
          (attempt(2, "NotDone"), attempt(1, id="other"))),
    Dodge("in front of the newest", (attempt(1, "NotDone"),), (attempt(2), attempt(1, "NotDone"))),
    Dodge("the same number twice", (attempt(1, "NotDone"),), (attempt(1, "NotDone"), attempt(1, id="other"))),
    Dodge("ended from the start", (attempt(1, "NotDone"),), (attempt(1, "NotDone"), attempt(2, "Succeeded"))),
    Dodge("two at once", (attempt(1, "NotDone"),), (attempt(1, "NotDone"), attempt(2, "NotDone"), attempt(3))),
    Dodge("beside one that runs", (attempt(1),), (attempt(1), attempt(2))),
]  # fmt: skip
each_dodge = pytest.mark.parametrize("dodge", DODGES, ids=lambda dodge: dodge.name)


@each_dodge
def test_no_claim_under_another_guise_while_stopped(guard: Guarded, dodge: Dodge) -> None:
    stored = with_attempts(guard, *dodge.before)
    with in_force(guard, **HALT) as name:
        answer = writes(guard, stored, *dodge.after)
        assert answer.status == 403
        assert f"ActionPolicy {name} {HALTED}" in answer.says or "action-operator-attempts" in answer.says


NO_RECORDS = [
    *(dodge for dodge in DODGES if dodge.name != "ended from the start"),
    Dodge("forget them all", (attempt(1, "NotDone"),), ()),
    Dodge("forget the newest", (attempt(1, "NotDone"), attempt(2, "NotDone")), (attempt(1, "NotDone"),)),
    Dodge("another result afterwards", (attempt(1, "NotDone"),), (attempt(1, "Succeeded"),)),
    Dodge("another time of its end", (attempt(1, "NotDone"),), (attempt(1, "NotDone", finishedAt=LATER),)),
    Dodge("another operation while it runs", (attempt(1),), (attempt(1, operation="other"),)),
    Dodge("another start while it runs", (attempt(1),), (attempt(1, startedAt=LATER),)),
]  # fmt: skip


@pytest.mark.parametrize("dodge", NO_RECORDS, ids=lambda dodge: dodge.name)
def test_the_record_of_attempts_only_grows_at_its_end(guard: Guarded, dodge: Dodge) -> None:
    answer = writes(guard, with_attempts(guard, *dodge.before), *dodge.after)
    assert answer.status == 403
    assert "'action-operator-attempts'" in answer.says
    assert "status.attempts: " in answer.says


@dataclass(frozen=True)
class Write:
    """What is no claim."""

    name: str
    before: tuple[Manifest, ...]
    status: Manifest = field(default_factory=dict)


HISTORY = [{"n": 1, "at": NOW, "reason": "Blocked", "actor": "action-operator", "message": "halted"}]
WRITES = [
    Write("a result", (attempt(1),), {"attempts": [attempt(1, "Succeeded", doneAt=NOW)], "outcome": "Succeeded"}),
    Write("an interruption", (attempt(1),), {"attempts": [attempt(1, "Interrupted", reason="Halted")]}),
    Write("a retry announced", (attempt(1),), {"attempts": [attempt(1, "NotDone")], "nextRetryAt": NOW}),
    Write("taking over", (attempt(1),), {"attempts": [attempt(1, owner="another")]}),
    Write("an effect that is done", (attempt(1),), {"attempts": [attempt(1, doneAt=NOW)]}),
    Write("history and phase of one that waits", (), {"phase": "Blocked", "history": HISTORY}),
    Write("history of one that ran", (attempt(1, "NotDone"),), {"history": HISTORY}),
    Write("an end without an attempt", (), {"outcome": "Cancelled"}),
    Write("times in another form", (attempt(1, "NotDone"), attempt(2)), {
        "attempts": [attempt(1, "NotDone", finishedAt=SAME), attempt(2, startedAt=SAME, owner="another")]}),
    Write("what a newer operator noted dropped", (attempt(1, "NotDone", message="m", doneAt=NOW),),
          {"attempts": [attempt(1, "NotDone")]}),
    Write("the oldest one dropped", (attempt(1, "NotDone"), attempt(2)), {"attempts": [attempt(2)]}),
]  # fmt: skip


@pytest.mark.parametrize("write", WRITES, ids=lambda write: write.name)
def test_what_runs_is_recorded_while_stopped(guard: Guarded, write: Write) -> None:
    stored = with_attempts(guard, *write.before)
    spec = {"halt": True, "mode": "Observe", "freezes": [FREEZE]}
    with in_force(guard, **spec):
        answer = guard.write_status(THE_OPERATOR, stored, write.status)
        assert answer.accepted, answer.says


@dataclass(frozen=True)
class Reach:
    """A match, a claim that it covers, and one that it does not."""

    name: str
    match: Manifest
    covered: Manifest
    free: Manifest


PLAIN: Manifest = {"change": {}, "status": {}}
REACHES = [
    Reach("action", {"actions": ["scale-workload", "drain-node"]}, PLAIN,
          {"who": ADMIN, "change": {"spec__action": "wait"}}),
    Reach("risk", {"risks": ["High", "Critical"]}, {"status": {"risk": "High"}}, {"status": {"risk": "Medium"}}),
    Reach("risk that is not known", {"risks": ["Critical"]}, PLAIN, {"status": {"risk": "Low"}}),
    Reach("requester", {"requesters": ["alice"]}, PLAIN, {"who": ADMIN}),
    Reach("requester that is not known", {"requesters": ["bob"]}, {"who": THE_OPERATOR}, PLAIN),
    Reach("all of them", {"actions": ["scale-workload"], "risks": ["High"], "requesters": ["alice"]},
          {"status": {"risk": "High"}}, {"status": {"risk": "Low"}}),
]  # fmt: skip


@pytest.mark.parametrize("reach", REACHES, ids=lambda reach: reach.name)
def test_a_policy_stops_what_it_matches_and_no_more(guard: Guarded, reach: Reach) -> None:
    def claim(of: Manifest) -> Answer:
        made = guard.stored(of.get("who", ALICE), proposal(**of.get("change", {})))
        return writes(guard, made, attempt(1), **of.get("status", {}))

    body = guard.policy(halt=True, match={"namespaces": [guard.namespace], **reach.match})
    try:
        _until(lambda: f"ActionPolicy {body['metadata']['name']} {HALTED}" in claim(reach.covered).says)
        free = claim(reach.free)
        assert free.accepted, free.says
    finally:
        guard.forget(body)


def test_a_policy_stops_the_namespaces_it_matches_by_name_or_label(guard: Guarded) -> None:
    stored = guard.stored(ALICE, proposal())
    elsewhere = f"elsewhere-{secrets.token_hex(4)}"
    label = guard.namespace  # the namespace has the label team, with its name as value
    cases = [
        ({"namespaceLabels": {"team": label}}, True),
        ({"namespaceLabels": {"team": label, "kubernetes.io/metadata.name": guard.namespace}}, True),
        ({"namespaces": [elsewhere, guard.namespace], "namespaceLabels": {"team": label}}, True),
        ({"namespaceLabels": {"team": elsewhere}}, False),
        ({"namespaceLabels": {"team": label, "tier": "one"}}, False),
        ({"namespaces": [elsewhere]}, False),
        ({"namespaces": [elsewhere], "namespaceLabels": {"team": label}}, False),
        ({"namespaces": []}, False),
    ]
    for match, covered in cases:
        body = guard.policy(match={"requesters": [ALICE], **match}, halt=True)
        try:
            with in_force(guard, **HALT):
                pass
            told = writes(guard, stored, attempt(1)).says
        finally:
            guard.forget(body)
        assert (f"ActionPolicy {body['metadata']['name']} {HALTED}" in told) is covered, (match, told)


def test_a_policy_that_executes_or_has_no_opinion_stops_nothing(guard: Guarded) -> None:
    stored = guard.stored(ALICE, proposal())
    past = FREEZE | {"start": "2026-11-22T15:00:00Z", "end": NOW}
    later = FREEZE | {"start": "2026-11-22T15:04:05.124Z", "end": "2026-11-23T00:00:00Z"}
    kept = [guard.policy(), guard.policy(mode="Execute", halt=False), guard.policy(freezes=[past, later])]
    try:
        with in_force(guard, **HALT):
            pass
        answer = writes(guard, stored, attempt(1))
        assert answer.accepted, answer.says
    finally:
        for body in kept:
            guard.forget(body)


@pytest.mark.parametrize("part", ["undo", "finally"])
def test_a_freeze_does_not_hold_half_way_what_mends(guard: Guarded, part: str) -> None:
    """What the operator made to take a step back; a halt and an explicit Observe hold it all the same."""
    mends = guard.stored(THE_OPERATOR, proposal(metadata__labels={"actionoperator.dev/part": part}))
    other = guard.stored(THE_OPERATOR, proposal(metadata__labels={"actionoperator.dev/part": "step"}))
    with in_force(guard, freezes=[FREEZE]):
        assert writes(guard, mends, attempt(1)).accepted
        assert writes(guard, other, attempt(1)).status == 403
    for spec in (HALT, {"mode": "Observe"}):
        with in_force(guard, **spec):
            assert writes(guard, mends, attempt(1)).status == 403
