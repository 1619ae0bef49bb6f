"""assert on a real API server: true, not true, or not to be told; and nothing said of what was read."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from acting import Play, Stage, new

from controller.actions.assertion import Assert
from controller.core.errors import EffectFailed, RightMissing, TransientFailure
from controller.core.ports import Cluster, Done, Http, HttpAnswer, Operation, Request
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
        ({"expression": "true", "resource": {**CONFIG["resource"], "kind": "Config"}}, "there is no kind Config"),
    ],
)
def test_what_cannot_be_told_is_neither(stage: Stage, parameters: dict[str, Any], words: str) -> None:
    stage.allow(READS)
    play, operation = asking(stage, **parameters, after=3600)
    with pytest.raises(TransientFailure, match=words) as caught:
        play.verify(operation)
    assert "canary" not in str(caught.value)
    assert any("not" in warning for warning in play.preview().warnings)


def test_a_missing_right_is_told(stage: Stage) -> None:
    stage.allow()
    play, _ = asking(stage, "true")
    with pytest.raises(RightMissing, match="may not get configmaps flags"):
        play.preview()


class Answering:
    """An outside that answers so."""

    def __init__(self, status: int, text: str) -> None:
        self._answer = HttpAnswer(status, {}, text)
        self.asked: list[tuple[str, bool]] = []

    async def check(self, url: str) -> None:
        pass

    async def request(self, method: str, url: str, *, headers: Any, body: Any, may_change: bool) -> HttpAnswer:
        self.asked.append((method, may_change))
        return self._answer


@pytest.mark.parametrize(
    ("status", "text", "expression", "result"),
    [
        (200, '{"ready": true}', "status == 200 && json.ready", True),
        (404, "gone", "status == 404", True),
        (200, '{"ready": false}', "json.ready", False),
        (200, "<html>", "json.ready", None),
        (503, '{"ready": false}', "json.ready", None),
        (429, "{}", "status == 200", None),
    ],
)
def test_of_the_answer_to_a_get(status: int, text: str, expression: str, result: bool | None) -> None:
    moment = datetime.now(UTC)
    action, outside = Assert(lambda: moment), Answering(status, text)
    parameters = action.parse({"http": {"url": "https://status.example.com/a"}, "expression": expression})
    assert not action.acts_as_runner(parameters)
    request = Request(parameters, "shop", "try", "uid", None, cast("Cluster", None), cast("Http", outside))
    operation = Operation("id", moment, moment)
    if result is True:
        assert asyncio.run(action.verify(request, operation)).ok
    else:
        with pytest.raises(
            TransientFailure if result is None else EffectFailed, match=r"GET https://status\.example\.com"
        ):
            asyncio.run(action.verify(request, operation))
    assert outside.asked == [("GET", False)]
