"""What follows a finished workflow: taking it back, trying it again."""

from typing import Any

import pytest
from unit.core.making import SCALE, attempt, proposal, workflow

from controller.api.proposal import ActionProposal
from controller.api.workflow import ActionWorkflow
from controller.client.again import retry_name, retry_workflow, undo_workflow
from controller.client.errors import NothingToRetry, NothingToUndo

ROWS: Any = [
    {"name": "a", "proposal": "p-a", "uid": "1", "outcome": "Succeeded", "completedAt": "2026-11-22T15:00:01Z"},
    {"name": "b", "proposal": "p-b", "uid": "2", "outcome": "Succeeded", "completedAt": "2026-11-22T15:00:02Z"},
    {"name": "c", "proposal": "p-c", "uid": "3", "outcome": "Failed", "completedAt": "2026-11-22T15:00:03Z"},
]
STEPS: Any = [{"name": name, **SCALE} for name in "abc"]


def ended(outcome: str | None = "Failed", rows: Any = None, spec: Any = None) -> tuple[ActionWorkflow, Any]:
    return workflow(spec, {"outcome": outcome, "steps": rows or ROWS} if outcome else {}, steps=STEPS, name="roll")


def step(uid: str, replicas: int, result: str = "Succeeded") -> ActionProposal:
    undo = {"action": "scale-workload", "parameters": {"replicas": replicas}}
    done = {
        "outcome": "Succeeded" if result == "Succeeded" else "Failed",
        "undo": undo,
        "attempts": [attempt(1, result)],
    }
    return proposal(None, done, uid=uid, name=f"p-{uid}")[0]


class TestUndo:
    def test_the_newest_first_and_one_that_fails_keeps_no_other_from_it(self) -> None:
        body = undo_workflow(ended()[0], [step("1", 1), step("2", 2), step("3", 3, "NotDone")])
        assert [row["parameters"]["replicas"] for row in body["spec"]["steps"]] == [2, 1]
        assert (body["metadata"]["name"], body["spec"]["onFailure"]) == ("roll-undo", "Continue")

    def test_what_was_taken_back_is_left(self) -> None:
        rows = [ROWS[0], {**ROWS[1], "rollback": {"proposal": "u", "uid": "9", "outcome": "Succeeded"}}, ROWS[2]]
        body = undo_workflow(ended(rows=rows)[0], [step("1", 1), step("2", 2)])
        assert [row["name"] for row in body["spec"]["steps"]] == ["a"]

    def test_a_step_says_itself_what_takes_it_back(self) -> None:
        own = {"action": "log-message", "parameters": {"message": "x"}}
        made = workflow(None, {"outcome": "Failed", "steps": ROWS}, steps=[{**STEPS[0], "undo": own}, *STEPS[1:]])[0]
        body = undo_workflow(made, [step("1", 1)])
        assert body["spec"]["steps"] == [{"name": "a", **own}]

    @pytest.mark.parametrize(
        ("made", "proposals", "told"),
        [(ended(None), [], "is not finished"), (ended(), [], "none of the steps of roll can be undone")],
    )
    def test_nothing_to_undo(self, made: Any, proposals: Any, told: str) -> None:
        with pytest.raises(NothingToUndo, match=told):
            undo_workflow(made[0], proposals)

    def test_of_each_step_it_is_told_why(self) -> None:
        rows = [
            {**ROWS[0], "rollback": {"proposal": "u", "uid": "9", "outcome": "Succeeded"}},
            ROWS[1],
            ROWS[2],
            {"name": "d", "outcome": "Skipped"},
            {"name": "e", "uid": "5", "outcome": "Succeeded"},
        ]
        kept = proposal(None, {"outcome": "Succeeded", "attempts": [attempt(1, "Succeeded")]}, uid="5", name="p-5")[0]
        with pytest.raises(NothingToUndo) as error:
            undo_workflow(ended(rows=rows)[0], [step("3", 3, "NotDone"), kept])
        assert str(error.value) == (
            "none of the steps of roll can be undone: a: was taken back already; "
            "b: its proposal is gone, and with it what it changed; c: changed nothing; d: was not started; "
            f"e: nothing takes {kept.spec.action} back"
        )


class TestRetry:
    def test_the_same_with_what_it_retries(self) -> None:
        made, raw = ended(spec={"requestedBy": {"username": "alice"}, "notBefore": "2026-11-22T15:00:00Z"})
        body = retry_workflow(made, raw)
        assert body["metadata"]["name"] == "roll-retry"
        assert body["spec"]["retryOf"] == {"name": "roll", "uid": made.metadata.uid}
        assert body["spec"]["reason"] == "retry of roll: release"
        assert [row["name"] for row in body["spec"]["steps"]] == ["a", "b", "c"]
        assert not {"requestedBy", "notBefore"} & set(body["spec"])

    def test_what_is_not_known_is_run_again_only_if_that_is_said(self) -> None:
        made, raw = ended("Unknown", [{**ROWS[0], "outcome": "Unknown"}])
        with pytest.raises(NothingToRetry, match="not known whether a of roll took effect"):
            retry_workflow(made, raw)
        assert retry_workflow(made, raw, unknown_too=True)

    @pytest.mark.parametrize(("outcome", "told"), [(None, "is not finished"), ("Succeeded", "ended Succeeded")])
    def test_nothing_to_retry(self, outcome: str | None, told: str) -> None:
        with pytest.raises(NothingToRetry, match=told):
            retry_workflow(*ended(outcome))

    @pytest.mark.parametrize(
        ("name", "next_name"),
        [
            ("roll", "roll-retry"),
            ("roll-retry", "roll-retry-2"),
            ("roll-retry-9", "roll-retry-10"),
            ("r" * 63, "r" * 57 + "-retry"),
        ],
    )
    def test_names_count_on(self, name: str, next_name: str) -> None:
        assert retry_name(name) == next_name
