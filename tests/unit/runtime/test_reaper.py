"""Finished objects are deleted when their time is over, and never those that a GitOps tool would make again."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from unit.core.making import NOW
from unit.runtime.fake_api import Operator

from controller.api.base import rfc3339
from controller.core.errors import TransientFailure
from controller.core.ports import Json
from controller.kube.resources import PROPOSALS
from controller.runtime.reaper import expiry
from controller.runtime.store import Key

KEY = Key(PROPOSALS.plural, "shop", "a")


def finished(seconds: int | None = 60, **metadata: Any) -> Json:
    spec = {"reason": "x", "action": "wait", **({} if seconds is None else {"ttlSecondsAfterFinished": seconds})}
    status = {"outcome": "Succeeded", "completedAt": rfc3339(NOW)}
    return {"metadata": {"name": "a", "namespace": "shop", **metadata}, "spec": spec, "status": status}


@pytest.mark.parametrize(
    ("raw", "at"),
    [
        pytest.param(finished(), NOW + timedelta(seconds=60), id="finished"),
        pytest.param(finished(0), NOW, id="at once"),
        pytest.param(finished(None), None, id="no time given"),
        pytest.param({**finished(), "status": {}}, None, id="not finished"),
        pytest.param({**finished(), "status": {"outcome": "Failed"}}, None, id="no time of its end"),
        pytest.param(finished(labels={"app.kubernetes.io/instance": "x"}), None, id="Argo CD by label"),
        pytest.param(finished(labels={"argocd.argoproj.io/instance": "x"}), None, id="Argo CD by its own label"),
        pytest.param(finished(labels={"kustomize.toolkit.fluxcd.io/name": "x"}), None, id="Flux Kustomization"),
        pytest.param(finished(labels={"helm.toolkit.fluxcd.io/name": "x"}), None, id="Flux HelmRelease"),
        pytest.param(finished(annotations={"argocd.argoproj.io/tracking-id": "x"}), None, id="Argo CD by annotation"),
        pytest.param(finished(labels={"team": "web"}), NOW + timedelta(seconds=60), id="other labels"),
    ],
)
def test_when_it_is_to_go(raw: Json, at: Any) -> None:
    assert expiry(raw) == at


async def reaped(operator: Operator, until: Callable[[], bool]) -> None:
    reaper = asyncio.create_task(operator.reaper.run())
    async with asyncio.timeout(2):
        while not until():  # noqa: ASYNC110  the fake tells nobody
            await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not reaper.done(), "it goes on whatever happens"
    reaper.cancel()
    await asyncio.gather(reaper, return_exceptions=True)


def played(play: Callable[[Operator], Awaitable[None]]) -> None:
    async def run() -> None:
        await play(Operator())

    asyncio.run(run())


def asked(operator: Operator, verb: str) -> int:
    return operator.api.requests.count(f"{verb} actionproposals")


def test_it_is_deleted_when_its_time_is_over() -> None:
    async def play(operator: Operator) -> None:
        operator.reaper.finished(KEY.plural, operator.api.put(PROPOSALS, finished()))
        operator.sleep(60)
        await reaped(operator, lambda: KEY not in operator.api.objects)

    played(play)


def test_a_list_finds_what_finished_before_this_process_started() -> None:
    async def play(operator: Operator) -> None:
        operator.api.put(PROPOSALS, finished())
        await operator.reaper.sweep()
        operator.sleep(60)
        await reaped(operator, lambda: KEY not in operator.api.objects)

    played(play)


@pytest.mark.parametrize(
    "now",
    [
        pytest.param(finished(3600), id="its time is longer now"),
        pytest.param(finished(None), id="it has none any more"),
        pytest.param({**finished(), "status": {}}, id="another object of that name"),
        pytest.param(finished(labels={"argocd.argoproj.io/instance": "x"}), id="tracked since"),
    ],
)
def test_it_is_looked_at_again_before_it_goes(now: Json) -> None:
    async def play(operator: Operator) -> None:
        operator.reaper.finished(KEY.plural, operator.api.put(PROPOSALS, finished()))
        operator.api.put(PROPOSALS, now)
        operator.sleep(60)
        await reaped(operator, lambda: asked(operator, "get") > 0)
        assert KEY in operator.api.objects
        assert asked(operator, "delete") == 0

    played(play)


def test_what_is_gone_already_is_no_fault() -> None:
    async def play(operator: Operator) -> None:
        operator.reaper.finished(KEY.plural, finished())
        operator.sleep(60)
        await reaped(operator, lambda: asked(operator, "get") > 0)

    played(play)


def test_a_deletion_that_fails_is_tried_again_later() -> None:
    async def play(operator: Operator) -> None:
        operator.reaper.finished(KEY.plural, operator.api.put(PROPOSALS, finished()))
        operator.api.fail("delete", TransientFailure("503"))
        operator.sleep(60)
        await reaped(operator, lambda: asked(operator, "delete") > 0)
        assert KEY in operator.api.objects
        operator.sleep(60)
        await reaped(operator, lambda: KEY not in operator.api.objects)

    played(play)


def test_the_operator_deletes_what_it_finished_itself() -> None:
    async def play(operator: Operator) -> None:
        key = operator.propose(ttlSecondsAfterFinished=5)
        kept = operator.propose("kept")
        await operator.settle()
        operator.sleep(5)
        await reaped(operator, lambda: key not in operator.api.objects)
        assert kept in operator.api.objects

    played(play)
