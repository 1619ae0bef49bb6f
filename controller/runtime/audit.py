"""The audit log: one JSON record a line for each transition, in the form of CloudEvents 1.0.

Parameters and secrets are never in it.
`id` is the same however often a record is written, so that a reader can drop doubles.
"""

import json
import logging
from datetime import datetime
from typing import Any, TextIO

from controller.api.base import rfc3339
from controller.api.common import HistoryEntry
from controller.api.proposal import Attempt
from controller.core.ports import Json
from controller.core.record import about_attempt

logger = logging.getLogger(__name__)

SOURCE = "/actionoperator.dev/operator"


class AuditLog:
    """Writes records to a stream, usually standard output. `lost` counts those that could not be written."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.lost = 0

    def write(self, record: Json) -> None:
        try:
            self._stream.write(json.dumps(record, separators=(",", ":"), ensure_ascii=False) + "\n")
            self._stream.flush()
        except (OSError, ValueError) as error:
            if self.lost == 0:
                logger.warning("audit records are lost, standard output cannot be written: %s", error)
            self.lost += 1


def transition_record(raw: Json, entry: HistoryEntry, status: Json) -> Json:
    """The record of one transition of an object; `status` is the one that the transition led to."""
    data: dict[str, Any] = {
        "n": entry.n,
        "reason": entry.reason.value,
        "actor": entry.actor,
        "message": entry.message,
        "action": raw.get("spec", {}).get("action"),
        "ticket": raw.get("spec", {}).get("ticket"),
        "runner": status.get("runner"),
        "digest": status.get("digest"),
        "outcome": status.get("outcome"),
        "retryCount": status.get("retryCount"),
        "nextRetryAt": status.get("nextRetryAt"),
        "attempt": attempt_data(status) if about_attempt(entry.reason) else None,
    }
    return record(raw, str(entry.n), entry.reason.value, entry.at, data)


def record(raw: Json, suffix: str, reason: str, at: datetime, data: Json) -> Json:
    """A CloudEvents record about an object."""
    metadata = raw["metadata"]
    place = f"{metadata['namespace']}/{metadata['name']}" if metadata.get("namespace") else metadata["name"]
    return {
        "specversion": "1.0",
        "id": f"{metadata.get('uid', '')}.{suffix}",
        "source": SOURCE,
        "type": f"dev.actionoperator.{raw['kind'].lower()}.{reason.lower()}",
        "subject": f"{raw['kind']}/{place}",
        "time": rfc3339(at),
        "datacontenttype": "application/json",
        "data": {name: value for name, value in data.items() if value is not None},
    }


def attempt_data(status: Json) -> Json | None:
    """What the record says of the newest attempt."""
    attempts = status.get("attempts") or []
    if not attempts:
        return None
    told = Attempt.model_validate(attempts[-1])
    return {
        "number": told.number,
        "id": told.id,
        "operation": told.operation,
        "result": told.result.value if told.result else None,
        "reason": told.reason.value if told.reason else None,
    }
