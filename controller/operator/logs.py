"""Logs for people on standard error; the audit log alone goes to standard output."""

import logging
import sys
import time
from typing import Any

FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


class _OneEntry(logging.Formatter):
    """Whatever a message quotes, only the operator begins a line: control characters are shown, tracebacks indented."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  logging's name
        record.message = "".join(c if c.isprintable() else repr(c)[1:-1] for c in record.message)
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:  # noqa: N802  logging's name
        return "\n".join(f"    {line}" for line in super().formatException(ei).splitlines())


def configure_logs(level: str) -> None:
    """UTC times. Raises ValueError for an unknown level."""
    formatter = _OneEntry(FORMAT, datefmt="%Y-%m-%dT%H:%M:%SZ")
    formatter.converter = time.gmtime
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("kopf").setLevel(max(logging.getLogger().level, logging.WARNING))
