"""Checks: three results, whose time is up, and that no message tells what was read."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.core.making import proposal, view, workflow_view

from controller.api.common import Check
from controller.api.names import Reason
from controller.core.check_faults import check_faults
from controller.core.checks import (
    MAX_SHOWN,
    Answer,
    Named,
    Result,
    Seen,
    answer,
    named,
    next_limit,
    read_objects,
    response,
    settling,
)
from controller.core.proposal_validation import validation_faults
from controller.core.request import acts_as
from controller.core.workflow_validation import workflow_faults

WEB = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
READY = "object.status.readyReplicas == object.spec.replicas"
URL = {"url": "https://hooks.example.com/health?full=1"}
LOG: Any = {"action": "log-message", "parameters": {"message": "x"}}
SECRET = "hunter2-correct-horse"


def on_object(expression: str = READY, **fields: Any) -> Named:
    return named("verify", [Check.model_validate({"resource": WEB, "expression": expression, **fields})])[0]


def on_http(expression: str, **fields: Any) -> Named:
    return named("preconditions", [Check.model_validate({"http": URL, "expression": expression, **fields})])[0]


def of_object(**status: Any) -> Seen:
    return Seen({"object": {"spec": {"replicas": 3}, "status": status}})


@pytest.mark.parametrize(
    ("one", "seen", "result"),
    [
        pytest.param(on_object(), of_object(readyReplicas=3), Result.TRUE, id="true"),
        pytest.param(on_object(), of_object(readyReplicas=2), Result.FALSE, id="false"),
        pytest.param(on_object(), of_object(), Result.UNTOLD, id="missing key"),
        pytest.param(on_object("object.spec.replicas"), of_object(), Result.UNTOLD, id="a number is no truth"),
        pytest.param(on_object("object.status.text"), of_object(text="true"), Result.UNTOLD, id="nor is a text"),
        pytest.param(on_object(), Seen(None, "there is none"), Result.UNTOLD, id="not seen"),
        pytest.param(on_http("json.ready"), response(200, {"ready": True}, is_json=True), Result.TRUE, id="json"),
        pytest.param(on_http("json.ready"), response(200, {"ready": False}, is_json=True), Result.FALSE, id="json no"),
        pytest.param(on_http("json.ready"), response(200, None, is_json=False), Result.UNTOLD, id="no json"),
        pytest.param(on_http("json == null"), response(200, None, is_json=True), Result.TRUE, id="null is json"),
        pytest.param(on_http("status == 200"), response(200, None, is_json=False), Result.TRUE, id="status alone"),
        pytest.param(on_http("status == 200"), response(404, None, is_json=False), Result.FALSE, id="a known other"),
        *(
            pytest.param(on_http("status == 200"), response(code, None, is_json=False), Result.UNTOLD, id=f"{code}")
            for code in (408, 429, 500, 503)
        ),
        pytest.param(on_http("status == 503"), response(503, None, is_json=False), Result.TRUE, id="meant so"),
    ],
)
def test_a_check_is_true_false_or_cannot_be_told(one: Named, seen: Seen, result: Result) -> None:
    assert answer(one, seen).result is result


def test_messages_say_which_check_of_what() -> None:
    assert (
        answer(on_object(), of_object(readyReplicas=2)).message == f"verify[0] is not true of Deployment web: {READY}"
    )
    assert answer(on_object(), of_object()).message == (
        'verify[0] cannot be told of Deployment web: there is no key "readyReplicas"; has() asks whether there is one '
        f"({READY})"
    )
    assert answer(on_http("json.ready"), response(503, None, is_json=False)).message == (
        "preconditions[0] cannot be told of GET https://hooks.example.com: answered with status 503 (json.ready)"
    )
    assert "the answer is not JSON" in answer(on_http("json.ready"), response(200, None, is_json=False)).message
    long = answer(on_object(" ||\n".join([READY] * 20)), of_object(readyReplicas=2)).message
    assert len(long) <= MAX_SHOWN + 50
    assert "\n" not in long


LEAKS = [
    "json.map[json.secret]", "int(json.secret) == 1", "timestamp(json.secret) == timestamp(json.secret)",
    "duration(json.secret) > duration('1s')", "[1, 2][json.pin] == 1", "json.secret.matches(json.bad)",
    "json.secret > json.pin", "json.secret", "json.secret ? true : false", "json.pin / (json.pin - json.pin) == 1",
]  # fmt: skip


@pytest.mark.parametrize("expression", LEAKS)
def test_no_failure_tells_what_was_read(expression: str) -> None:
    seen = response(200, {"secret": SECRET, "map": {}, "pin": 74219, "bad": f"({SECRET}"}, is_json=True)
    told = answer(on_http(expression), seen)
    assert told.result is Result.UNTOLD
    for piece in ("hunter2", "horse", "correct", "74219"):
        assert piece not in told.message


@given(st.text(min_size=1), st.integers(), st.sampled_from(LEAKS))
def test_whatever_is_read_the_message_does_not_depend_on_it(secret: str, pin: int, expression: str) -> None:
    marked = f"qqx{secret}zzy"
    told = answer(
        on_http(expression), Seen({"status": 200, "json": {"secret": marked, "map": {}, "pin": pin, "bad": "("}})
    )
    assert "qqx" not in told.message
    assert "zzy" not in told.message


def answers(*kinds: tuple[Result, int | None]) -> list[Answer]:
    return [Answer(result, f"{number}", seconds) for number, (result, seconds) in enumerate(kinds)]


T, F, U = Result.TRUE, Result.FALSE, Result.UNTOLD


@pytest.mark.parametrize(
    ("given_", "seconds", "settled"),
    [
        ([(T, None), (F, None)], 0, "1"),
        ([(F, 10), (T, None)], 9.9, None),
        ([(F, 10), (T, None)], 10, "0"),
        ([(U, None), (F, None)], 0, "1"),
        ([(U, None), (F, 10)], 0, "0"),
        ([(U, 10), (F, 20)], 5, None),
        ([(T, 1), (T, None)], 100, None),
    ],
)
def test_what_is_not_true_when_its_time_is_up_ends_the_waiting(given_: Any, seconds: float, settled: Any) -> None:
    """False comes before what cannot be told: it is an answer."""
    end = settling(answers(*given_), seconds, 0)
    assert (end and end.message) == settled


@given(st.lists(st.tuples(st.sampled_from(Result), st.none() | st.integers(1, 100))), st.floats(0, 200))
def test_the_next_limit_is_where_the_waiting_ends_if_nothing_changes(kinds: Any, seconds: float) -> None:
    told = answers(*kinds)
    if all(result is T for result, _ in kinds):
        assert settling(told, seconds, 0) is None
    elif settling(told, seconds, 0) is None:
        left = next_limit(told, seconds, 0)
        assert left > 0
        assert settling(told, seconds + left + 0.001, 0) is not None
    assert settling(told, seconds, float("inf")) is None or any(own is not None for _, own in kinds)


@pytest.mark.parametrize(
    ("check", "reason", "told"),
    [
        ({"resource": WEB | {"namespace": "other"}}, Reason.INVALID_SPEC,
         "spec.verify[0].resource.namespace: must be shop, the namespace of the proposal (got other); leave it out"),
        ({"resource": {"apiVersion": "v1", "kind": "Secret", "name": "a"}}, Reason.INVALID_SPEC,
         "spec.verify[0].resource.kind: checks do not read Secrets"),
        ({}, Reason.INVALID_SPEC, "spec.verify[0]: give exactly one of resource, http"),
        ({"resource": WEB, "http": URL}, Reason.INVALID_SPEC, "spec.verify[0]: give exactly one of resource, http"),
        ({"http": {"url": "https://u:p@hooks.example.com"}}, Reason.INVALID_SPEC,
         "spec.verify[0].http.url: must not carry a user or password"),
        ({"http": {"url": "https://hooks.example.com/?api_key=1"}}, Reason.INVALID_SPEC,
         "spec.verify[0].http.url: query parameter api_key looks like a credential"),
        ({"resource": WEB, "expression": "object.status ="}, Reason.INVALID_EXPRESSION,
         "spec.verify[0].expression: line 1"),
        ({"resource": WEB, "expression": "status == 200"}, Reason.INVALID_EXPRESSION, "spec.verify[0].expression: "),
        ({"http": URL, "expression": "object.x"}, Reason.INVALID_EXPRESSION, "spec.verify[0].expression: "),
        ({"resource": WEB, "expression": "size(object.x)"}, Reason.INVALID_EXPRESSION, "must give true or false"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_check_is_told_with_its_place(check: Any, reason: Reason, told: str) -> None:
    made, _ = proposal({**LOG, "verify": [{"expression": "true", **check}]})
    (fault,) = check_faults("spec", (), made.spec.verify, "shop")
    assert fault.reason is reason
    assert told in fault.message
    assert not fault.missing


def test_a_check_of_the_own_namespace_is_in_order() -> None:
    check = {"resource": WEB | {"namespace": "shop"}, "expression": READY}
    assert validation_faults(view({"preconditions": [check], "verify": [check]})) == []
    steps = [{"name": "one", "preconditions": [check | {"resource": WEB | {"namespace": "other"}}]}]
    (fault,) = workflow_faults(workflow_view({"serviceAccountName": "ops"}, steps=steps))
    assert fault.message.startswith("spec.steps[one].preconditions[0].resource.namespace: must be shop")


def test_a_check_of_an_object_needs_a_runner_and_one_of_a_url_does_not() -> None:
    on_web, on_url = {"resource": WEB, "expression": READY}, {"http": URL, "expression": "json.ready"}
    without = {**LOG, "serviceAccountName": None}
    (fault,) = validation_faults(view({**without, "verify": [on_web]}))
    assert fault.reason is Reason.RUNNER_MISSING
    (fault,) = workflow_faults(workflow_view(steps=[{"name": "one", "preconditions": [on_web]}]))
    assert fault.reason is Reason.RUNNER_MISSING
    assert validation_faults(view({**without, "preconditions": [on_url], "verify": [on_url]})) == []
    for checks, runner in (([on_url], None), ([on_web], "checkout-ops")):
        seen = view({**LOG, "preconditions": checks})
        assert seen.type is not None
        assert acts_as(seen, seen.type) == runner
        assert read_objects(seen.proposal.spec.preconditions) is (runner is not None)
