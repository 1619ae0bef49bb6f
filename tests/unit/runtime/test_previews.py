"""Previews of what others change at the same time."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from controller.core.errors import Conflict
from controller.core.policy import EffectivePolicy
from controller.core.ports import PreviewResult
from controller.core.view import Findings, ProposalView
from controller.kube.api import Api
from controller.runtime.executors import Executors
from controller.runtime.previews import Previews


class Raced:
    """Executors of which each one finds somebody's write between its look and its dry run, so many times."""

    acts_as_runner = False

    def __init__(self, times: int) -> None:
        self.times = times
        self.executor, self.request = self, None

    def ready(self, *_: Any, **__: Any) -> "Raced":
        return self

    async def preview(self, _: Any) -> PreviewResult:
        self.times -= 1
        if self.times >= 0:
            raise Conflict("the object has been modified")
        return PreviewResult("Scale it.")


def found(times: int) -> Findings:
    asked = SimpleNamespace(parameters={}, preconditions=(), verify=())
    proposal = SimpleNamespace(spec=asked, metadata=SimpleNamespace(namespace="shop"))
    view = SimpleNamespace(proposal=proposal, type=object(), runner=None, policy=EffectivePolicy())
    previews = Previews(cast("Api", None), cast("Executors", Raced(times)))
    return asyncio.run(previews.of_proposal(cast("ProposalView", view)))


@pytest.mark.parametrize("times", [0, 2])
def test_a_write_that_comes_between_is_looked_at_anew(times: int) -> None:
    preview = found(times).preview
    assert preview is not None
    assert preview.summary == "Scale it."


def test_writes_that_go_on_leave_it_for_later() -> None:
    assert found(9) == Findings(unavailable="the object has been modified")
