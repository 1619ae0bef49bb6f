"""What must hold for every object after every fault, judged by what was stored and by the counters of effects."""

import json
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

from custom_types import AT_MOST_ONCE as CUSTOM_AT_MOST_ONCE
from effects import WITHOUT_EFFECT, Effect
from harness.catalogue import AT_MOST_ONCE
from proxy import Write

Json = dict[str, Any]

COUNTING = frozenset({"Failed", "NotDone", "Unknown"})
NOT_REPEATED = frozenset({"POST", "PATCH"})
PART = "actionoperator.dev/part"


def at_most_once(proposal: Json) -> bool:
    spec = proposal["spec"]
    return (
        spec["action"] in AT_MOST_ONCE
        or spec["action"].endswith(CUSTOM_AT_MOST_ONCE)
        or spec["parameters"].get("method") in NOT_REPEATED
    )


def check_versions(versions: Sequence[Json]) -> None:
    """A proposal's or workflow's whole stored life."""
    before: Json = {}
    for version in versions:
        now = version.get("status") or {}
        if before.get("outcome"):
            assert now == before, "a finished object was written again"
        assert (now.get("retryCount") or 0) >= (before.get("retryCount") or 0), "retryCount fell"
        check_history(before.get("history") or [], now.get("history") or [])
        check_attempts(before.get("attempts") or [], now.get("attempts") or [])
        before = now


def check_history(before: Sequence[Json], now: Sequence[Json]) -> None:
    numbers = [entry["n"] for entry in now]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers))) if numbers else not before, "history has gaps"
    kept = {entry["n"]: entry for entry in now}
    assert all(kept.get(entry["n"], entry) == entry for entry in before), "history was rewritten"


def check_attempts(before: Sequence[Json], now: Sequence[Json]) -> None:
    """From one stored version to the next."""
    numbers = [attempt["number"] for attempt in now]
    if numbers:
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), f"attempts have gaps: {numbers}"
        assert numbers[-1] - (before[-1]["number"] if before else 0) in (0, 1), "attempts were skipped"
    assert all(attempt.get("result") for attempt in now[:-1]), "a new attempt was claimed while one was open"
    earlier = {attempt["number"]: attempt for attempt in before}
    for attempt in now:
        old = earlier.get(attempt["number"])
        if old is None:
            continue
        assert (old["id"], old["operation"]) == (attempt["id"], attempt["operation"]), "an attempt changed its identity"
        assert not old.get("result") or old == attempt, "a finished attempt was written again"
    for first, second in pairwise(now):
        kept = first["operation"] == second["operation"]
        assert kept == (first["result"] != "Failed" or "doneAt" in first), "the wrong operation was renewed or kept"


def check_end(versions: Sequence[Json]) -> None:
    """The last version of a proposal."""
    status = versions[-1]["status"]
    attempts = status.get("attempts") or []
    conditions = {condition["type"]: condition["status"] for condition in status["conditions"]}
    assert all(attempt.get("result") and attempt.get("finishedAt") for attempt in attempts), "an attempt stayed open"
    assert "nextRetryAt" not in status, "a finished object still plans a retry"
    counted = sum(1 for attempt in attempts if attempt["result"] in COUNTING)
    if status["outcome"] == "Succeeded":
        assert attempts[-1]["result"] == "Succeeded", f"Succeeded after an attempt {attempts[-1]['result']}"
        assert (status.get("retryCount") or 0) == counted, "retryCount is not the number of failed attempts"
        assert conditions["Succeeded"] == "True" and "Stalled" not in conditions, conditions  # noqa: PT018
    if status["outcome"] == "Unknown":
        assert attempts[-1]["result"] in ("Unknown", "NotDone"), f"Unknown after an attempt {attempts[-1]['result']}"
        assert conditions["Stalled"] == "True", conditions
        assert "look at the target" in status["message"], status["message"]


def claims(writes: Sequence[Write], name: str) -> list[tuple[float, Json]]:
    """The attempts of a proposal as they were claimed: when it was stored, and the attempt."""
    found: dict[int, tuple[float, Json]] = {}
    for write in writes:
        if (write.asked.resource, write.asked.name) != ("actionproposals", name):
            continue
        attempts = (write.body.get("status") or {}).get("attempts") or []
        if write.stored and write.answered_at is not None and attempts:
            found.setdefault(attempts[-1]["number"], (write.answered_at, attempts[-1]))
    return [found[number] for number in sorted(found)]


def check_effects(
    proposal: Json, effects: Sequence[Effect], claimed: Sequence[tuple[float, Json]], for_one_claim: int
) -> None:
    """Each effect has a claim of its own that was stored before, with its operation; one may allow several."""
    for number, effect in enumerate(effects, start=1):
        stored = [attempt for at, attempt in claimed if at <= effect.at]
        assert len(stored) * for_one_claim >= number, f"effect {number} arrived with {len(stored)} claims stored"
        assert effect.key is None or effect.key in {a["operation"] for a in stored}, "an effect without its claim"
    assert doubled(proposal, effects, for_one_claim) == 0, "a doubled effect"
    if proposal["status"]["outcome"] == "Succeeded" and proposal["spec"]["action"] not in WITHOUT_EFFECT:
        assert effects, "Succeeded without an effect"


def doubled(proposal: Json, effects: Sequence[Effect], for_one_claim: int) -> int:
    """At most once: all but those of one claim. Idempotent: operations beyond the first."""
    if at_most_once(proposal):
        return max(0, len(effects) - for_one_claim)
    return max(0, len({effect.key for effect in effects}) - 1)


def check_repeats(writes: Sequence[Write], most: int) -> None:
    """Effects of idempotent actions may be written again, but only as they were: none is new."""
    stored = [write for write in writes if write.stored]
    different = {(str(write.asked), json.dumps(_wanted(write.body), sort_keys=True)) for write in stored}
    told = "\n".join(sorted(f"{asked} {body}" for asked, body in different))
    assert len(different) <= most, f"{len(different)} different effects, where {most} are wanted:\n{told}"


def _wanted(body: Any) -> Any:
    """The body of a write without its preconditions."""
    if isinstance(body, list):
        return [operation for operation in body if operation.get("op") != "test"]
    metadata = {key: value for key, value in body.get("metadata", {}).items() if key != "resourceVersion"}
    return {**body, "metadata": metadata}


def step_of(proposal: Json) -> str:
    """The step that it was made for, or takes back."""
    labels = proposal["metadata"].get("labels") or {}
    return f"{labels.get(PART, '')} {labels.get('actionoperator.dev/step', '-')}".removeprefix("finally").strip()


def check_steps(workflow: Json, children: Sequence[Json]) -> None:
    """One proposal for each step, recorded, one after the other; those that take one back are recorded as that."""
    spec, steps = workflow["spec"], workflow["status"]["steps"]
    wanted = [*spec["steps"], *(spec.get("finally") or ())]
    assert [step["name"] for step in steps] == [step["name"] for step in wanted], "other steps"
    recorded = [*steps, *(step["rollback"] for step in steps if "proposal" in step.get("rollback", {}))]
    assert {(made["proposal"], made["uid"]) for made in recorded} == {
        (child["metadata"]["name"], child["metadata"]["uid"]) for child in children
    }, "proposals that are no step, or steps without a proposal"
    by_uid = {child["metadata"]["uid"]: child for child in children}
    for made in recorded:
        told = by_uid[made["uid"]]["status"]
        assert made["outcome"] == told["outcome"], f"{made['proposal']} is told with another outcome than its own"
    for step in steps:
        told = by_uid[step["uid"]]["status"]
        assert (step.get("retryCount") or 0) == (told.get("retryCount") or 0), (
            "the step's retryCount is not its proposal's"
        )
    in_turn = sorted((by_uid[made["uid"]]["status"] for made in recorded), key=lambda status: status["startedAt"])
    assert [by_uid[step["uid"]]["status"]["startedAt"] for step in steps] == sorted(
        by_uid[step["uid"]]["status"]["startedAt"] for step in steps
    ), "the steps ran in another order"
    for first, second in pairwise(in_turn):
        assert _time(first["completedAt"]) <= _time(second["startedAt"]), "one started before the one before it ended"


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
