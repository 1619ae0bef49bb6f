"""An effect of several requests, some of which were kept back because the process led no more."""

import asyncio
from datetime import timedelta
from typing import Any, cast

import pytest
from unit.core.making import NOW

from controller.actions.delete_failed_pods import DeleteFailedPods
from controller.api.base import rfc3339
from controller.core.errors import NotLeading
from controller.core.ports import Cluster, Http, Json, Operation, Request

OPERATION = Operation("0193f0a0-0000-7000-8000-000000000001", NOW, NOW + timedelta(hours=1))


class LedUntil:
    """A namespace with failed pods. The process leads for so many deletions."""

    def __init__(self, deletions: int) -> None:
        self.deletions = deletions
        self.gone: list[str] = []

    async def list(self, *_: Any, **__: Any) -> tuple[Json, ...]:
        created = rfc3339(NOW - timedelta(hours=1))
        return tuple(
            {"metadata": {"name": name, "uid": f"uid-{name}", "creationTimestamp": created}} for name in ("a", "b", "c")
        )

    async def delete(self, _: Any, name: str, **__: Any) -> None:
        if len(self.gone) == self.deletions:
            raise NotLeading("not sent")
        self.gone.append(name)


@pytest.mark.parametrize("deletions", [0, 1, 2])
def test_what_was_kept_back_has_not_failed_at_the_target(deletions: int) -> None:
    action, cluster = DeleteFailedPods(), LedUntil(deletions)
    request: Request[Any] = Request(
        parameters=action.parse({}),
        namespace="shop",
        proposal="p",
        proposal_uid="1",
        runner="ops",
        cluster=cast("Cluster", cluster),
        http=cast("Http", None),
    )
    with pytest.raises(NotLeading):
        asyncio.run(action.run(request, OPERATION))
    assert len(cluster.gone) == deletions
