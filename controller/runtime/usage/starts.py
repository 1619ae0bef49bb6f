"""Reserves the starts that `maxPerHour` counts: in the policy's status, a block at a time, before they are made.

What is in status counts, whoever reserved it. Only how many starts of the present block are still free is known here
alone: a process that is killed takes them with it, and they count as made.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from controller.api.policy import ActionPolicy, Bucket
from controller.core.errors import ActionError, Conflict, NotFound, TransientFailure
from controller.core.mergepatch import merge_patch
from controller.core.ports import Json
from controller.core.starts import block_size, lowered, minute, next_block, taken, with_block
from controller.kube.api import Api
from controller.kube.resources import POLICIES
from controller.kube.status import patch_status
from controller.runtime.clock import Clock
from controller.runtime.declarations import Declarations

TRIES = 5


@dataclass
class _Block:
    """Starts of one minute that are reserved and not taken."""

    minute: datetime
    free: int


class Starts:
    """Blocks of starts by policy. `declare` takes up a policy as stored."""

    def __init__(self, api: Api, declarations: Declarations, declare: Callable[[Json], None], clock: Clock) -> None:
        self._api = api
        self._declarations = declarations
        self._declare = declare
        self._clock = clock
        self._blocks: dict[str, _Block] = {}
        self._unused: dict[str, dict[datetime, int]] = {}
        """Starts of earlier blocks that were never taken; status still counts them."""
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def free(self, policy: str, now: datetime) -> int:
        """Starts that may be taken now."""
        block = self._blocks.get(policy)
        return block.free if block and block.minute == minute(now) else 0

    def buckets(self, policy: str, now: datetime) -> tuple[Bucket, ...]:
        """The starts of each minute, without those that can never be made any more."""
        declared = self._declarations.policies.get(policy)
        return lowered(declared.status.buckets, self._never_made(policy, now).items()) if declared else ()

    def take(self, policy: str, at: datetime) -> None:
        """One start, made in the minute of its block."""
        block = self._blocks.get(policy)
        if block is None or block.minute != minute(at) or block.free <= 0:
            raise RuntimeError(f"a start was made that policy {policy} has not reserved")
        block.free -= 1

    def give_back(self, policy: str, at: datetime) -> None:
        """The start that was taken then was not made after all."""
        block = self._blocks.get(policy)
        if block and block.minute == minute(at):
            block.free += 1
        else:
            unused = self._unused.setdefault(policy, {})
            unused[minute(at)] = unused.get(minute(at), 0) + 1

    async def reserve(self, policy: str, asking: int) -> None:
        """Reserves the next block, if one is needed and may be had now; `asking`: how many are known to want a start.

        Raises the errors of our own status writes.
        """
        async with self._locks[policy]:
            for _ in range(TRIES):
                declared, now = self._declarations.policies.get(policy), self._clock()
                most = declared.spec.limits.max_per_hour if declared and declared.spec.limits else None
                if declared is None or most is None or self.free(policy, now) > 0:
                    return
                known = self.buckets(policy, now)
                count = block_size(most, taken(known, now), asking)
                if count <= 0 or next_block(known, now) > now:
                    return
                if await self._write(declared, with_block(known, count, now), now):
                    self._blocks[policy] = _Block(minute(now), count)
                    return
        raise TransientFailure(f"the status of policy {policy} is written by others all the time")

    async def give_all_back(self) -> None:
        """Before the process ends: what is reserved and not taken does not count."""
        now = self._clock()
        for policy in [*self._blocks]:
            declared, free = self._declarations.policies.get(policy), self.free(policy, now)
            if declared and free:
                known = lowered(self.buckets(policy, now), [(minute(now), free)])
                del self._blocks[policy]
                with suppress(ActionError):
                    await self._write(declared, known, now)

    def _never_made(self, policy: str, now: datetime) -> dict[datetime, int]:
        unused = dict(self._unused.get(policy, {}))
        block = self._blocks.get(policy)
        if block and block.free and block.minute != minute(now):
            unused[block.minute] = unused.get(block.minute, 0) + block.free
        return unused

    async def _write(self, declared: ActionPolicy, buckets: tuple[Bucket, ...], now: datetime) -> bool:
        """Whether it is stored; if not, the policy was read again."""
        name = declared.metadata.name
        new = declared.status.model_copy(update={"buckets": buckets}).wire()
        try:
            stored = await patch_status(
                self._api,
                POLICIES,
                None,
                name,
                resource_version=declared.metadata.resource_version,
                patch=merge_patch(declared.status.wire(), new),
                landed=lambda found: (found.get("status") or {}).get("buckets") == new["buckets"],
            )
        except Conflict:
            self._declare(await self._read(name))
            return False
        except NotFound as gone:
            raise TransientFailure(f"policy {name} is gone") from gone
        self._unused.pop(name, None)
        self._declare(stored)
        return True

    async def _read(self, name: str) -> Json:
        try:
            return await self._api.get(POLICIES, name)
        except NotFound as gone:
            raise TransientFailure(f"policy {name} is gone") from gone
