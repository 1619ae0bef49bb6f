"""Logs on standard error, for people or as JSON; the audit log alone goes to standard output.

A record may carry `fields` (by `extra`), what a program wants to know of it: in JSON they stand beside the message.
"""

import json
import logging
import sys
import time
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


class LogFormat(StrEnum):
    """For whom logs are written."""

    TEXT = "text"
    JSON = "json"


class _OneEntry(logging.Formatter):
    """Whatever a message quotes, only the operator begins a line: control characters are shown, tracebacks indented."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  logging's name
        record.message = "".join(c if c.isprintable() else repr(c)[1:-1] for c in record.message)
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:  # noqa: N802  logging's name
        return "\n".join(f"    {line}" for line in super().formatException(ei).splitlines())


class _Json(logging.Formatter):
    """One JSON object a line: time (RFC 3339, UTC, milliseconds), level, logger, message, fields, error."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        entry = {"time": at, "level": record.levelname, "logger": record.name, "message": record.getMessage()}
        fields: dict[str, Any] = getattr(record, "fields", {})
        entry |= {name: value for name, value in fields.items() if value is not None and name not in entry}
        if record.exc_info:
            entry["error"] = self.formatException(record.exc_info)
        return json.dumps(entry, separators=(",", ":"), ensure_ascii=False, default=str)


def configure_logs(level: str, form: LogFormat = LogFormat.TEXT) -> None:
    """UTC times. Raises ValueError for an unknown level."""
    formatter = _Json() if form is LogFormat.JSON else _OneEntry(FORMAT, datefmt="%Y-%m-%dT%H:%M:%SZ")
    formatter.converter = time.gmtime
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("kopf").setLevel(max(logging.getLogger().level, logging.WARNING))
