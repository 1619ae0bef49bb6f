"""Which of several operator processes leads: a `coordination.k8s.io/v1` Lease, renewed while we lead, given up at exit
(the official asynchronous client's elector does not give it up, so that a hand-over would take the whole duration).

How long a holder has been silent is judged by our own monotonic clock from when we last saw the record change, never
by the times in it: clocks of two machines differ. The Lease only keeps others quiet; what fences two who both believe
to lead is the claim's compare-and-swap.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from controller.core.errors import ActionError, Conflict, NotFound, NotLeading
from controller.core.ports import Json
from controller.kube.api import Api
from controller.kube.resources import LEASES

logger = logging.getLogger(__name__)

MOST_SKEW_SECONDS = 5.0
"""Who is further off the API server's clock is not to lead: its deadlines and retries would be wrong."""
_RELEASE_SECONDS = 3.0


@dataclass(frozen=True)
class Timing:
    """`duration`: how long others wait for a silent holder. `renew_deadline`: when a holder that cannot renew stops
    to count as leader; the rest up to the duration is the margin. `retry`: pause between two tries.
    """

    duration_seconds: float = 15.0
    renew_deadline_seconds: float = 10.0
    retry_seconds: float = 2.0

    def __post_init__(self) -> None:
        if not 0 < self.retry_seconds < self.renew_deadline_seconds < self.duration_seconds:
            raise ValueError(
                "lease timing must be 0 < retry < renew deadline < duration "
                f"(got {self.retry_seconds:g}, {self.renew_deadline_seconds:g}, {self.duration_seconds:g})"
            )


@dataclass(frozen=True)
class Seen:
    """The Lease as stored, and when (monotonic seconds) we first saw it so."""

    resource_version: str
    holder: str
    duration_seconds: float
    transitions: int
    at: float

    @classmethod
    def of(cls, stored: Json, at: float, default_seconds: float) -> "Seen":
        spec: dict[str, Any] = stored.get("spec") or {}
        return cls(
            resource_version=stored["metadata"]["resourceVersion"],
            holder=spec.get("holderIdentity") or "",
            duration_seconds=spec.get("leaseDurationSeconds") or default_seconds,
            transitions=spec.get("leaseTransitions") or 0,
            at=at,
        )

    def after(self, before: "Seen | None") -> "Seen":
        """This, but dated back to when the same version was first seen."""
        return before if before is not None and before.resource_version == self.resource_version else self

    def free_for(self, identity: str, now: float) -> bool:
        """Whether that candidate may take it: it is nobody's, its own, or its holder was silent for the duration."""
        return self.holder in ("", identity) or now >= self.at + self.duration_seconds


class Lease:
    """Campaigns while open: `async with Lease(...) as lease: await lease.wait_for_leadership()`.

    `identity` must be this process's alone; one that a restart keeps (the pod's name) takes its own Lease back at once.
    `may_lead` is asked before each try: while it says no (our clock is wrong), the Lease is left alone or given up.
    """

    def __init__(
        self,
        api: Api,
        *,
        namespace: str,
        name: str,
        identity: str,
        timing: Timing | None = None,
        may_lead: Callable[[], bool] = lambda: True,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._timing = timing or Timing()
        self._api = api.within(self._timing.renew_deadline_seconds / 2)
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._may_lead = may_lead
        self._monotonic = monotonic
        self._seen: Seen | None = None
        self._until = float("-inf")
        self._trouble = ""
        self._gained = asyncio.Event()
        self._lost = asyncio.Event()
        self._campaign: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Lease":
        self._campaign = asyncio.create_task(self._run(), name="lease")
        return self

    async def __aexit__(self, *_: object) -> None:
        campaign, self._campaign = self._campaign, None
        if campaign is not None:
            campaign.cancel()
            await asyncio.gather(campaign, return_exceptions=True)
        await self.release()

    @property
    def is_leader(self) -> bool:
        """Whether we lead at this instant, with the margin left."""
        return self._monotonic() < self._until

    def demand(self) -> None:
        """Raises NotLeading unless we lead at this instant."""
        if not self.is_leader:
            raise NotLeading

    async def wait_for_leadership(self) -> None:
        """Return when we lead."""
        await self._gained.wait()

    async def wait_until_lost(self) -> None:
        """Return when we lead no more, or did not for a while; at once if we do not lead."""
        if self._gained.is_set():
            await self._lost.wait()

    async def release(self) -> None:
        """Stop leading and let another take over at once. Never fails; at worst the Lease runs out.

        Whether a write that was cut off is stored, or will be, nobody knows: then we look, and again after a conflict.
        """
        self._lose("given up")
        with contextlib.suppress(ActionError, TimeoutError):
            async with asyncio.timeout(_RELEASE_SECONDS):
                while (held := self._seen or await self._look()) is not None and held.holder == self._identity:
                    self._seen = None
                    with contextlib.suppress(Conflict):
                        self._seen = await self._give_up(held)

    async def _give_up(self, held: Seen) -> Seen:
        spec = {"holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": _now()}
        body = {"metadata": {"resourceVersion": held.resource_version}, "spec": spec}
        stored = await self._api.patch(LEASES, self._name, body, namespace=self._namespace)
        return Seen.of(stored, self._monotonic(), self._timing.duration_seconds)

    async def _run(self) -> None:
        while True:
            try:
                if self._may_lead():
                    await self._try()
                else:
                    await self.release()
            except Exception:
                logger.exception("lease %s/%s", self._namespace, self._name)
                self._lose("a fault of ours")
            pause = self._timing.retry_seconds
            if self._gained.is_set():
                pause = min(pause, max(0.0, self._until - self._monotonic()))
            await asyncio.sleep(pause)

    async def _try(self) -> None:
        """Renew or take the Lease once, within the time for which we still lead."""
        left = self._until - self._monotonic() if self._gained.is_set() else self._timing.renew_deadline_seconds
        try:
            async with asyncio.timeout(max(left, 0.0)):
                await self._acquire()
        except (ActionError, TimeoutError) as error:
            self._tell(error)
            if self._gained.is_set() and not self.is_leader:
                self._lose("not renewed in time")

    async def _acquire(self) -> None:
        seen = self._seen
        if seen is None or seen.holder != self._identity:
            seen = await self._look()
        now = self._monotonic()
        if seen is not None and not seen.free_for(self._identity, now):
            self._lose(f"taken by {seen.holder}")
            return
        # Unless the answer says otherwise, it is not known what is stored.
        self._seen = seen if seen is not None and seen.holder != self._identity else None
        stored = await self._write(seen)
        self._seen = Seen.of(stored, now, self._timing.duration_seconds)
        self._trouble = ""
        if self._gained.is_set() and not self.is_leader:
            # Whoever asked meanwhile was told no: what they left undone is taken up in a new term.
            self._lose("renewed too late")
        self._until = now + self._timing.renew_deadline_seconds
        if self.is_leader and not self._gained.is_set():
            self._lost.clear()
            self._gained.set()
            logger.info("leading: %s holds lease %s/%s", self._identity, self._namespace, self._name)

    async def _look(self) -> Seen | None:
        try:
            stored = await self._api.get(LEASES, self._name, namespace=self._namespace)
        except NotFound:
            return None
        self._seen = Seen.of(stored, self._monotonic(), self._timing.duration_seconds).after(self._seen)
        return self._seen

    async def _write(self, seen: Seen | None) -> Json:
        renewing = seen is not None and seen.holder == self._identity
        spec: Json = {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": round(self._timing.duration_seconds),
            "renewTime": _now(),
        }
        if not renewing:
            spec |= {"acquireTime": spec["renewTime"], "leaseTransitions": 0 if seen is None else seen.transitions + 1}
        if seen is None:
            meta = {"name": self._name, "namespace": self._namespace}
            body = {"apiVersion": LEASES.api_version, "kind": LEASES.kind, "metadata": meta, "spec": spec}
            return await self._api.create(LEASES, body, namespace=self._namespace)
        body = {"metadata": {"resourceVersion": seen.resource_version}, "spec": spec}
        return await self._api.patch(LEASES, self._name, body, namespace=self._namespace)

    def _tell(self, error: Exception) -> None:
        """Log why a try failed, once for as long as it stays the same. Another's quicker write is no trouble."""
        trouble = "" if isinstance(error, Conflict) else str(error) or "no answer in time"
        if trouble and trouble != self._trouble:
            logger.warning("lease %s/%s: %s", self._namespace, self._name, trouble)
        self._trouble = trouble

    def _lose(self, why: str) -> None:
        self._until = float("-inf")
        if self._gained.is_set():
            self._gained.clear()
            self._lost.set()
            logger.warning("not leading any more: lease %s/%s %s", self._namespace, self._name, why)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
