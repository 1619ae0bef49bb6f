"""Kubernetes Events about our objects (events.k8s.io/v1): what people see in `kubectl describe`.

Events come after the status patch that they tell of, off the critical path: they wait in a bounded queue and a few
tasks post them. Their names are fixed, so writing one twice is one Event. The record that counts is the history in
status.
"""

import asyncio
import contextlib
import logging
import re
from collections.abc import Awaitable, Callable
from functools import partial

from controller.api.base import API_VERSION, OPERATOR
from controller.core.errors import ActionError, Conflict, PermanentFailure
from controller.core.ports import Json
from controller.core.record import EventRecord
from controller.kube.api import Api
from controller.kube.resources import EVENTS
from controller.kube.retries import write_again

logger = logging.getLogger(__name__)

CONTROLLER = "actionoperator.dev/operator"
NOTE_BYTES = 1024
NAME_LENGTH = 253

_QUEUE_LENGTH = 2000
_POSTERS = 4
_TRIES = 8  # enough to outlast the seconds until an outage is noticed
_TRY_SECONDS = 30.0
_CLUSTER_NAMESPACE = "default"  # where Events about objects without a namespace live, by Kubernetes' own custom
_NOT_IN_NAMES = re.compile(r"[^a-z0-9.-]")


class EventWriter:
    """Posts Events in the background: `async with EventWriter(api) as events: events.write(record)`."""

    def __init__(self, api: Api, ready: Callable[[], Awaitable[None]] | None = None) -> None:
        """`ready` returns when the API server is there; while it is away Events wait instead of being lost."""
        self._api = api
        self._ready = ready
        self._queue: asyncio.Queue[EventRecord] = asyncio.Queue(_QUEUE_LENGTH)
        self._posters: list[asyncio.Task[None]] = []
        self._told: set[str] = set()
        self.written = 0
        self.refused = 0
        """Not accepted by the API server: no right, admission, namespace gone."""
        self.dropped = 0
        """Lost because the queue was full, the API server stayed away, or we shut down."""

    async def __aenter__(self) -> "EventWriter":
        self._posters = [asyncio.create_task(self._post_all(), name=f"events-{n}") for n in range(_POSTERS)]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.drain(0)

    def write(self, record: EventRecord) -> None:
        """Take the Event to be posted soon. Never waits, never fails."""
        try:
            self._queue.put_nowait(record)
        except asyncio.QueueFull:
            self.dropped += 1
            self._tell_once("full", "the API server takes Events more slowly than they come; some are dropped")

    async def drain(self, timeout_seconds: float) -> None:
        """Post what is queued, for at most that time, and stop. What is left then is dropped."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                await self._queue.join()
        posters, self._posters = self._posters, []
        for poster in posters:
            poster.cancel()
        await asyncio.gather(*posters, return_exceptions=True)
        self.dropped += self._queue.qsize()

    async def _post_all(self) -> None:
        while True:
            record = await self._queue.get()
            try:
                await self._post(record)
            except asyncio.CancelledError:
                self.dropped += 1
                raise
            except Exception:
                self.dropped += 1
                logger.exception("Event %s about %s not written", record.reason, record.subject)
            finally:
                self._queue.task_done()

    async def _post(self, record: EventRecord) -> None:
        body = event(record)
        namespace = body["metadata"]["namespace"]
        try:
            await write_again(partial(self._create, body, namespace), tries=_TRIES, seconds=_TRY_SECONDS)
        except Conflict:
            self.written += 1  # the name is taken: by this very Event
        except PermanentFailure as error:
            self.refused += 1
            self._tell_once(type(error).__name__, f"Events are refused: {error}")
        except ActionError as error:
            self.dropped += 1
            self._tell_once("lost", f"Events are lost: {error}")
        else:
            self.written += 1

    async def _create(self, body: Json, namespace: str) -> Json:
        if self._ready is not None:
            await self._ready()
        return await self._api.create(EVENTS, body, namespace=namespace)

    def _tell_once(self, why: str, message: str) -> None:
        if why not in self._told:
            self._told.add(why)
            logger.warning("%s (said once; the metrics count on)", message)


def event(record: EventRecord) -> Json:
    """The Event object of a record."""
    subject = record.subject
    body: Json = {
        "apiVersion": EVENTS.api_version,
        "kind": EVENTS.kind,
        "metadata": {"name": event_name(record), "namespace": subject.namespace or _CLUSTER_NAMESPACE},
        "eventTime": record.at.isoformat(timespec="microseconds"),
        "type": "Warning" if record.warning else "Normal",
        "reason": record.reason,
        "action": record.action or record.reason,
        "note": cut_utf8(record.note, NOTE_BYTES),
        "reportingController": CONTROLLER,
        "reportingInstance": OPERATOR,
        "regarding": _reference(
            subject.api_version or API_VERSION, subject.kind, subject.namespace, subject.name, subject.uid
        ),
    }
    if (related := record.related) is not None:
        body["related"] = _reference(related.api_version, related.kind, related.namespace, related.name, related.uid)
    return body


def event_name(record: EventRecord) -> str:
    """`<object>.<first 8 of uid>.<n>.<reason>` in lower case; the object's name is cut where it does not fit."""
    end = _NOT_IN_NAMES.sub("-", f"{record.subject.uid[:8] or 'none'}.{record.n}.{record.reason}".lower())
    start = _NOT_IN_NAMES.sub("-", record.subject.name.lower())[: NAME_LENGTH - len(end) - 1].rstrip(".-")
    return f"{start}.{end}"


def cut_utf8(text: str, limit_bytes: int) -> str:
    """The text in at most so many bytes of UTF-8, ending in an ellipsis if it was cut."""
    encoded = text.encode()
    if len(encoded) <= limit_bytes:
        return text
    ellipsis = "\u2026"
    return encoded[: limit_bytes - len(ellipsis.encode())].decode(errors="ignore") + ellipsis


def _reference(api_version: str, kind: str, namespace: str | None, name: str, uid: str) -> dict[str, str]:
    parts = {"apiVersion": api_version, "kind": kind, "namespace": namespace, "name": name, "uid": uid}
    return {key: value for key, value in parts.items() if value}
