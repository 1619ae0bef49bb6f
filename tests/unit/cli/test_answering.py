"""answer: what is typed becomes the JSON that is asked for; pending and pages show questions and answers."""

from typing import Any

import cli_samples as samples
import pytest
from drawing import item, model, piped
from rich.console import Group

from controller.api.approval import ActionApproval, Vote
from controller.api.common import Identity
from controller.cli.answering import read_answer
from controller.cli.approvals import approval_section
from controller.cli.pending import Waiting, pending_table
from controller.cli.refusals import Refused
from controller.client.errors import ValidationError
from controller.client.votes import is_the_vote, vote_manifest

BOB = Identity(username="bob")
PROGRESS = {
    "required": 1, "have": 0, "requestedAt": samples.at("15:05:00"), "validSeconds": 3600,
    "requestTimeoutSeconds": 86400,
}  # fmt: skip


def asking(parameters: dict[str, Any], **status: Any) -> dict[str, Any]:
    spec = {"action": "ask", "parameters": {"question": "Where to?", **parameters}, "reason": "zones are lost"}
    waits = {"observedGeneration": 1, "phase": "AwaitingApproval", "digest": samples.DIGEST, "approval": PROGRESS}
    return samples.proposal("ask", spec, {**waits, **status})


SCHEMA = {
    "type": "object",
    "properties": {"region": {"type": "string"}, "replicas": {"type": "integer", "maximum": 5}},
    "required": ["region"],
}


@pytest.mark.parametrize(
    ("parameters", "value", "fields", "answer"),
    [
        ({"options": ["eu", "us"]}, "eu", [], "eu"),
        ({"options": ["eu", "us"]}, "EU", [], "eu"),
        ({}, "5", [], "5"),
        ({}, "true", [], "true"),
        ({"schema": {"type": "integer"}}, "5", [], 5),
        ({"schema": {"type": "boolean"}}, "false", [], False),
        ({"schema": {"type": "array"}}, '["a"]', [], ["a"]),
        ({"schema": SCHEMA}, None, ["region=eu=1", "replicas=3"], {"region": "eu=1", "replicas": 3}),
        ({"schema": SCHEMA}, '{"region": "eu"}', [], {"region": "eu"}),
    ],
)
def test_what_is_typed_is_read_by_what_is_asked(
    parameters: dict[str, Any], value: str | None, fields: list[str], answer: Any
) -> None:
    raw = asking(parameters)
    read = read_answer(item(raw), model(raw), value, fields)
    assert (read, type(read)) == (answer, type(answer))


@pytest.mark.parametrize(
    ("raw", "value", "fields", "words"),
    [
        (asking({"options": ["eu"]}), "mars", [], r"ap/ask: the answer: must be one of eu \(got mars\)"),
        (asking({"schema": {"type": "integer"}}), "five", [], "the answer: must be of type integer"),
        (asking({"schema": SCHEMA}), None, ["replicas=9"], "the answer.region: is required"),
        (asking({"schema": SCHEMA}), None, ["region"], "-p region: must be KEY=VALUE"),
        (samples.AWAITING, "eu", [], "asks nothing; approve it: kubectl actions approve scale-big"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_sent(
    raw: dict[str, Any], value: str | None, fields: list[str], words: str
) -> None:
    with pytest.raises(Refused, match=words):
        read_answer(item(raw), model(raw), value, fields)


def test_pending_shows_what_is_asked() -> None:
    raw = asking({})
    lines = piped(pending_table([Waiting(item(raw), model(raw), own=False, why_not="")], samples.NOW))
    assert "an answer, 0 of 1" in lines[1]
    assert "Where to? (zones are lost)" in lines[1]


def test_the_page_shows_the_answer_with_the_vote() -> None:
    cast = {"name": "a", "username": "bob", "decision": "Approve", "answer": {"region": "eu"}, "comment": "closer"}
    raw = asking({}, approvals=[{**cast, "at": samples.at("15:07:00")}])
    text = "\n".join(piped(Group(*approval_section(model(raw), samples.NOW))))
    assert 'answer: {"region": "eu"}; closer' in text


def test_another_answer_is_another_vote_and_the_same_is_one() -> None:
    made = {
        answer: vote_manifest(model(asking({})), Vote.APPROVE, BOB, answer=answer) for answer in ("eu", "us", "eu ")
    }
    assert len({body["metadata"]["name"] for body in made.values()}) == 3
    again = vote_manifest(model(asking({})), Vote.APPROVE, BOB, answer="eu")
    assert again == made["eu"]
    assert again["spec"]["answer"] == "eu"
    assert is_the_vote(ActionApproval.model_validate(again), made["eu"])
    assert not is_the_vote(ActionApproval.model_validate(again), made["us"])


@pytest.mark.parametrize(
    ("raw", "answer", "words"),
    [
        (asking({"options": ["eu"]}), None, "it has no answer"),
        (asking({"options": ["eu"]}), "us", "spec.answer: must be one of eu"),
        (samples.AWAITING, "eu", "spec.answer: ActionProposal scale-big asks nothing"),
    ],
)
def test_the_client_casts_no_vote_that_would_not_count(raw: dict[str, Any], answer: Any, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        vote_manifest(model(raw), Vote.APPROVE, BOB, answer=answer)
    vote_manifest(model(raw), Vote.REJECT, BOB)
