"""What Prometheus is shown: everything documented, labels that what people type cannot grow, and true numbers."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from harness import scrape
from unit.core.making import NOW
from unit.runtime.scraped import Scraped

from controller.api.base import rfc3339
from controller.api.common import HistoryEntry
from controller.api.names import Phase, Transition
from controller.core.ports import Json
from controller.kube.resources import POLICIES, PROPOSALS
from controller.runtime.metrics import PREFIX, Metrics
from controller.runtime.telling import MOST_NAMES, OTHER, UNKNOWN, Teller

PAGE = (Path(__file__).parents[3] / "docs" / "metrics.md").read_text()


def played(play: Callable[[Scraped], Awaitable[None]]) -> None:
    async def run() -> None:
        operator = Scraped()
        await operator.settle()
        try:
            await play(operator)
        finally:
            await operator.outage.close()
            await operator.attempts.drain(0)

    asyncio.run(run())


def counts(operator: Scraped, kind: str = "ActionProposal") -> dict[str, float]:
    """Live objects by phase, those that there are."""
    found = scrape.values(operator.scrape(), f"{PREFIX}objects", kind=kind)
    return {phase: count for (phase,), count in found.items() if count}


def test_what_is_scraped_is_what_is_documented() -> None:
    documented = dict(re.findall(rf"^\| `{PREFIX}(\w+)` \| (\w+) \|", PAGE, re.MULTILINE))

    async def play(operator: Scraped) -> None:
        found = {
            name.removeprefix(PREFIX) + ("_total" if family.type == "counter" else ""): family.type
            for name, family in scrape.families(operator.scrape()).items()
            if name.startswith(PREFIX)
        }
        assert found == documented
        assert len(found) > 20

    played(play)


def test_all_is_told_in_seconds_and_counts() -> None:
    units = ("_seconds", "_total", "_bytes")
    without = {"api_unavailable", "objects", "queue_depth", "running_attempts", "is_leader", "policies", "halted",
               "identity_enforced", "build_info"}  # fmt: skip
    documented = re.findall(rf"^\| `{PREFIX}(\w+)` \|", PAGE, re.MULTILINE)
    assert {name for name in documented if not name.endswith(units)} == without


def test_an_action_is_counted_with_its_attempt_and_transitions() -> None:
    async def play(operator: Scraped) -> None:
        operator.propose()
        await operator.settle()
        text = operator.scrape()
        ended = {"kind": "ActionProposal", "action": "log-message", "outcome": "Succeeded"}
        assert scrape.value(text, f"{PREFIX}actions_total", **ended) == 1
        attempt = {"action": "log-message", "result": "Succeeded"}
        assert scrape.value(text, f"{PREFIX}attempt_duration_seconds_count", **attempt) == 1
        assert scrape.value(text, f"{PREFIX}transitions_total", kind="ActionProposal", reason="Executing") == 1
        assert counts(operator) == {}

    played(play)


def test_labels_do_not_grow_with_what_people_type() -> None:
    async def play(operator: Scraped) -> None:
        async def typed(names: range) -> set[tuple[str, str]]:
            for number in names:
                operator.propose(f"a{number}", action=f"no-such-action-{number}")
            await operator.settle(most=1000)
            operator.sleep(60)
            await operator.settle(most=1000)
            text = operator.scrape()
            assert "no-such" not in text
            return {
                (sample.name, str(sorted(sample.labels.items())))
                for family in scrape.families(text).values()
                for sample in family.samples
            }

        first = await typed(range(1))
        assert await typed(range(1, 100)) == first
        found = scrape.values(operator.scrape(), f"{PREFIX}actions_total", kind="ActionProposal")
        assert found == {(UNKNOWN, "Failed"): 100}

    played(play)


def test_even_a_catalogue_without_end_makes_no_labels_without_end() -> None:
    teller = Teller(Metrics(), lambda _: True)
    labels = {teller.action({"spec": {"action": f"type-{number}"}}) for number in range(5 * MOST_NAMES)}
    assert len(labels) == MOST_NAMES + 1
    assert OTHER in labels
    assert teller.action({"spec": {"action": "type-0"}}) == "type-0", "those that have a label keep it"
    assert teller.action({"spec": {"steps": []}}) == "workflow"


def test_live_objects_are_counted_by_phase_with_how_long_they_rest() -> None:
    async def play(operator: Scraped) -> None:
        held = operator.propose("held", suspend=True)
        operator.propose("later", notBefore=rfc3339(NOW + timedelta(days=30)), activeDeadlineSeconds=86400)
        await operator.settle()
        operator.sleep(90)
        operator.propose("held-too", suspend=True)
        await operator.settle()
        assert counts(operator) == {"Blocked": 2, "Scheduled": 1}
        ages = scrape.values(operator.scrape(), f"{PREFIX}objects_oldest_transition_age_seconds", kind="ActionProposal")
        assert ages["Blocked",] == 90, "that of the one that rests longest"
        operator.edit(held, suspend=False)
        await operator.settle()
        assert counts(operator) == {"Blocked": 1, "Scheduled": 1}
        ages = scrape.values(operator.scrape(), f"{PREFIX}objects_oldest_transition_age_seconds", kind="ActionProposal")
        assert ages["Blocked",] == 0

    played(play)


def test_a_phase_that_no_version_of_ours_writes_makes_no_label() -> None:
    async def play(operator: Scraped) -> None:
        for number in range(20):
            key = operator.propose(f"a{number}", suspend=True)
            raw = operator.api.objects[key]
            raw["status"] = {"phase": f"Phase{number}"}
            raw["metadata"]["resourceVersion"] = str(10_000 + number)
            operator.intake.observe(PROPOSALS.plural, "MODIFIED", raw)
        assert set(counts(operator)) <= {phase.value for phase in Phase}
        assert counts(operator)["Unknown"] == 20

    played(play)


def test_modes_and_kill_switches_are_shown() -> None:
    async def play(operator: Scraped) -> None:
        operator.declare(POLICIES, {"metadata": {"name": "look"}, "spec": {"mode": "Observe"}})
        operator.declare(POLICIES, {"metadata": {"name": "stop"}, "spec": {"halt": True}})
        text = operator.scrape()
        assert scrape.values(text, f"{PREFIX}policies") == {("Execute",): 1, ("Observe",): 1, ("none",): 1}
        assert scrape.value(text, f"{PREFIX}halted") == 1
        operator.declare(POLICIES, {"metadata": {"name": "stop"}, "spec": {"halt": False}})
        assert scrape.value(operator.scrape(), f"{PREFIX}halted") == 0

    played(play)


def test_the_leader_shows_its_queue_and_a_standby_has_none() -> None:
    async def play(operator: Scraped) -> None:
        operator.propose()
        operator.sleep(7)
        text = operator.scrape()
        assert scrape.value(text, f"{PREFIX}queue_depth") == 1
        assert scrape.value(text, f"{PREFIX}queue_age_seconds") == 7
        assert scrape.value(text, f"{PREFIX}is_leader") == 1
        operator.leads = False
        text = operator.scrape()
        assert scrape.value(text, f"{PREFIX}queue_depth") == 0
        assert scrape.value(text, f"{PREFIX}queue_age_seconds") == 0
        assert scrape.value(text, f"{PREFIX}is_leader") == 0
        assert scrape.values(text, f"{PREFIX}identity_enforced") == {}

    played(play)


def test_what_was_lost_is_counted() -> None:
    async def play(operator: Scraped) -> None:
        operator.audit.close()
        operator.records.write({"id": "a"})
        text = operator.scrape()
        assert scrape.value(text, f"{PREFIX}audit_records_lost_total") == 1
        assert scrape.values(text, f"{PREFIX}events_lost_total") == {("refused",): 1, ("dropped",): 2}

    played(play)


def test_a_fault_of_the_operator_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: Any) -> Any:
        raise ZeroDivisionError

    async def play(operator: Scraped) -> None:
        monkeypatch.setattr(operator.proposals, "reconcile", broken)
        operator.propose()
        await operator.settle()
        assert scrape.value(operator.scrape(), f"{PREFIX}handling_errors_total", kind="ActionProposal") == 1

    played(play)


def entry(n: int, reason: Transition, after_seconds: float = 0) -> HistoryEntry:
    return HistoryEntry(n=n, at=NOW + timedelta(seconds=after_seconds), reason=reason, actor="x")


PROPOSAL: Json = {
    "kind": "ActionProposal",
    "metadata": {"name": "a", "namespace": "shop", "uid": "1"},
    "spec": {"action": "wait"},
}


@pytest.mark.parametrize(
    ("history", "waited"),
    [
        pytest.param([(1, Transition.AWAITING_APPROVAL, 0), (2, Transition.APPROVED, 50)], {"Approved": 50}, id="once"),
        pytest.param([(1, Transition.AWAITING_APPROVAL, 0), (2, Transition.REJECTED, 9)], {"Rejected": 9}, id="no"),
        pytest.param([(1, Transition.PROPOSED, 0), (2, Transition.CANCELLED, 9)], {}, id="did not wait"),
        pytest.param(
            [(1, Transition.AWAITING_APPROVAL, 0), (2, Transition.APPROVED, 5), (3, Transition.CANCELLED, 9)],
            {"Approved": 5},
            id="cancelled later",
        ),
        pytest.param(
            [
                (1, Transition.AWAITING_APPROVAL, 0),
                (2, Transition.APPROVED, 5),
                (3, Transition.APPROVAL_VOIDED, 6),
                (4, Transition.AWAITING_APPROVAL, 6),
                (5, Transition.EXPIRED, 16),
            ],
            {"Approved": 5, "Expired": 10},
            id="twice",
        ),
    ],
)
def test_waiting_for_approval_is_timed(history: list[tuple[int, Transition, float]], waited: dict[str, float]) -> None:
    metrics = Metrics()
    entries = [entry(*told) for told in history]
    status = {"history": [{"n": e.n, "at": rfc3339(e.at), "reason": e.reason.value} for e in entries]}
    Teller(metrics, lambda _: True).tell(PROPOSAL, entries, status)
    found = {
        sample.labels["end"]: sample.value
        for sample in metrics.approval_wait_seconds.collect()[0].samples
        if sample.name.endswith("_sum")
    }
    assert found == waited


def test_an_attempt_is_timed_when_it_ends_and_once() -> None:
    metrics = Metrics()
    teller = Teller(metrics, lambda _: True)
    begun = {"id": "x", "startedAt": rfc3339(NOW)}
    ended = begun | {"finishedAt": rfc3339(NOW + timedelta(seconds=4)), "result": "NotDone"}
    teller.attempts_ended(PROPOSAL, {"attempts": [begun]}, {"attempts": [begun]})
    teller.attempts_ended(PROPOSAL, {"attempts": [begun]}, {"attempts": [ended]})
    teller.attempts_ended(PROPOSAL, {"attempts": [ended]}, {"attempts": [ended, begun | {"id": "y"}]})
    samples = {s.name: s for s in metrics.attempt_seconds.collect()[0].samples if "le" not in s.labels}
    assert samples[f"{PREFIX}attempt_duration_seconds_sum"].value == 4
    assert samples[f"{PREFIX}attempt_duration_seconds_count"].labels == {"action": "wait", "result": "NotDone"}


def test_retries_are_counted_by_action() -> None:
    metrics = Metrics()
    Teller(metrics, lambda _: True).tell(PROPOSAL, [entry(1, Transition.RETRY_SCHEDULED)], {})
    assert [s.labels for s in metrics.retries.collect()[0].samples if s.value == 1] == [{"action": "wait"}]


def test_a_transition_is_one_line_with_its_attempt(caplog: pytest.LogCaptureFixture) -> None:
    async def play(operator: Scraped) -> None:
        key = operator.propose()
        await operator.settle()
        (attempt,) = operator.status(key)["attempts"]
        told = [record for record in caplog.records if record.name == "actionoperator.transitions"]
        history = operator.status(key)["history"]
        assert [record.__dict__["fields"]["n"] for record in told] == [e["n"] for e in history]
        assert [record.__dict__["fields"]["reason"] for record in told] == [e["reason"] for e in history]
        for record in told:
            attempted = record.__dict__["fields"]["reason"] in ("Executing", "Completed")
            assert record.__dict__["fields"]["attempt"] == (attempt["id"] if attempted else None)
            assert (attempt["id"] in record.getMessage()) is attempted
            assert record.getMessage().startswith("ActionProposal shop/a: ")

    with caplog.at_level("INFO", logger="actionoperator.transitions"):
        played(play)
