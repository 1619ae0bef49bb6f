"""assert on a real API server: true, not true, or not to be told; and nothing said of what was read."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from acting import Play, Stage, new

from controller.actions.assertion import Assert
from controller.core.errors import CannotTell, EffectFailed, NotFound, RightMissing, TransientFailure
from controller.core.ports import Cluster, Done, Http, HttpAnswer, Operation, Request, Verified
from localcluster.controlplane import ControlPlane

CONFIG = {"resource": {"apiVersion": "v1", "kind": "ConfigMap", "name": "flags"}}
READS = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}
WORD = "canary-canary"


@pytest.fixture
def stage(cluster: ControlPlane, namespace: str) -> Stage:
    stage = Stage(cluster, namespace)
    stage.admin("POST", "v1:configmaps", {"metadata": {"name": "flags"}, "data": {"state": "off", "word": WORD}})
    return stage


def asking(stage: Stage, expression: str, *, after: float = 0, **parameters: Any) -> tuple[Play, Operation]:
    """An assertion, looked at so many seconds after its operation began."""
    operation = new()
    play = stage.play("assert", **{**CONFIG, "expression": expression, **parameters})
    later = operation.time + timedelta(seconds=after)
    return replace(play, action=Assert(lambda: later)), operation


def test_what_is_true_succeeds(stage: Stage) -> None:
    stage.allow(READS)
    play, operation = asking(stage, "object.data.state == 'off'")
    assert play.preview().warnings == ()
    assert isinstance(play.observe(operation), Done)
    play.run(operation)
    assert play.verify(operation).ok
    assert set(stage.calls) == {"get configmaps"}


def test_what_is_not_true_in_time_fails_with_its_message(stage: Stage) -> None:
    stage.allow(READS)
    how: dict[str, Any] = {"expression": "object.data.state == 'on'", "timeoutSeconds": 10}
    play, operation = asking(stage, **how, after=9, message="the flags are off")
    assert play.preview().warnings == ("now expression is not true of ConfigMap flags: object.data.state == 'on'",)
    waiting = play.verify(operation)
    assert not waiting.ok
    assert "is not true of ConfigMap flags" in waiting.message
    play, operation = asking(stage, **how, after=10, message="the flags are off")
    with pytest.raises(EffectFailed, match=r"^the flags are off$"):
        play.verify(operation)
    play, operation = asking(stage, "object.data.state == 'on'")
    with pytest.raises(EffectFailed, match=r"is not true of ConfigMap flags: object\.data.state == 'on'"):
        play.verify(operation)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"expression": "object.status.ready"}, "cannot be told of ConfigMap flags"),
        ({"expression": "object.data.word"}, "cannot be told of ConfigMap flags"),
        ({"expression": "int(object.data.word) == 1"}, "cannot be told of ConfigMap flags"),
        (
            {"expression": "true", "resource": {**CONFIG["resource"], "name": "other"}},
            "ConfigMap other: it is not there",
        ),
    ],
)
def test_what_cannot_be_told_is_neither(stage: Stage, parameters: dict[str, Any], words: str) -> None:
    """It is waited for as long as what is not true, and said meanwhile; then it is said that it cannot be told."""
    stage.allow(READS)
    play, operation = asking(stage, **parameters, after=9, timeoutSeconds=10)
    waiting, said = looked(play, operation)
    assert not waiting.ok
    assert said.startswith("still waiting: expression cannot be told of ConfigMap")
    play, operation = asking(stage, **parameters, after=10, timeoutSeconds=10)
    with pytest.raises(CannotTell, match=words):
        play.verify(operation)
    play, operation = asking(stage, **parameters)
    with pytest.raises(CannotTell, match=words) as caught:
        play.verify(operation)
    assert "canary" not in str(caught.value)
    assert any("not" in warning for warning in play.preview().warnings)


def looked(play: Play, operation: Operation) -> tuple[Verified, str]:
    """What one look gives, and what it says of how far it is."""

    async def look(cluster: Cluster) -> tuple[Verified, str]:
        request = play.request(cluster)
        return await play.action.verify(request, operation), request.journal.said

    return play.stage.act(look)


def test_what_is_waited_for_is_said(stage: Stage) -> None:
    stage.allow(READS)
    play, operation = asking(stage, "object.data.state == 'on'", timeoutSeconds=10)
    _, said = looked(play, operation)
    assert said == "still waiting: expression is not true of ConfigMap flags: object.data.state == 'on'"


def test_a_kind_that_is_not_served_is_told_at_once(stage: Stage) -> None:
    stage.allow(READS)
    resource = {**CONFIG["resource"], "kind": "Config"}
    play, operation = asking(stage, "true", resource=resource, timeoutSeconds=3600)
    for look in (play.preview, lambda: play.verify(operation)):
        with pytest.raises(NotFound, match="there is no kind Config"):
            look()


def test_a_missing_right_is_told(stage: Stage) -> None:
    stage.allow()
    play, _ = asking(stage, "true")
    with pytest.raises(RightMissing, match="may not get configmaps flags"):
        play.preview()


class Answering:
    """An outside that answers so, or gives no answer."""

    def __init__(self, status: int, text: str = "") -> None:
        self._answer = HttpAnswer(status, {}, text)
        self.asked: list[tuple[str, bool]] = []

    async def check(self, url: str) -> None:
        pass

    async def request(self, method: str, url: str, *, headers: Any, body: Any, may_change: bool) -> HttpAnswer:
        self.asked.append((method, may_change))
        if not self._answer.status:
            raise TransientFailure("no answer")
        return self._answer


def looking_outside(outside: Answering, expression: str, *, after: float = 0, **parameters: Any) -> Verified:
    """One look, so many seconds after its operation began."""
    moment = datetime.now(UTC)
    action = Assert(lambda: moment + timedelta(seconds=after))
    given = {"http": {"url": "https://status.example.com/a"}, "expression": expression, **parameters}
    parsed = action.parse(given)
    assert not action.acts_as_runner(parsed)
    request = Request(parsed, "shop", "try", "uid", None, cast("Cluster", None), cast("Http", outside))
    return asyncio.run(action.verify(request, Operation("id", moment, moment)))


@pytest.mark.parametrize(
    ("status", "text", "expression", "result"),
    [
        (200, '{"ready": true}', "status == 200 && json.ready", None),
        (404, "gone", "status == 404", None),
        (200, '{"ready": false}', "json.ready", EffectFailed),
        (200, "<html>", "json.ready", CannotTell),
    ],
)
def test_of_the_answer_to_a_get(status: int, text: str, expression: str, result: type[Exception] | None) -> None:
    outside = Answering(status, text)
    if result is None:
        assert looking_outside(outside, expression).ok
    else:
        with pytest.raises(result, match=r"GET https://status\.example\.com"):
            looking_outside(outside, expression)
    assert outside.asked == [("GET", False)]


@pytest.mark.parametrize("outside", [Answering(503, '{"ready": false}'), Answering(429, "{}"), Answering(0)])
def test_a_server_that_gives_no_answer_is_asked_again_for_a_few_seconds(outside: Answering) -> None:
    assert not looking_outside(outside, "json.ready", after=4.9).ok
    with pytest.raises(CannotTell, match=r"cannot be told of GET https://status\.example\.com: "):
        looking_outside(outside, "json.ready", after=5)
    assert not looking_outside(outside, "json.ready", after=9, timeoutSeconds=10).ok
