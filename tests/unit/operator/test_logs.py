"""The log: for people or for programs, and whatever a message quotes, an entry is an entry."""

import json
import logging
from collections.abc import Iterator
from datetime import datetime

import pytest

from controller.operator.logs import LogFormat, configure_logs

NASTY = 'quoted\n2026-01-01T00:00:00Z INFO    forged: line\x1b[31m "x"'
FIELDS = {"kind": "ActionProposal", "attempt": "a1", "phase": None, "message": "not this one"}


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    """Logging is set up for the whole process."""
    root, kopf = logging.getLogger(), logging.getLogger("kopf")
    handlers, levels = root.handlers[:], (root.level, kopf.level)
    yield
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    kopf.setLevel(levels[1])


def logged(capsys: pytest.CaptureFixture[str], form: LogFormat) -> list[str]:
    configure_logs("INFO", form)
    logger = logging.getLogger("controller.test")
    logger.debug("not this")
    logger.info("told %s", NASTY, extra={"fields": FIELDS})
    try:
        {}[NASTY]
    except KeyError:
        logger.exception("broken")
    out, err = capsys.readouterr()
    assert out == "", "standard output is the audit log's"
    return err.splitlines()


def test_for_programs_each_entry_is_one_json_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    first, second = map(json.loads, logged(capsys, LogFormat.JSON))
    at = datetime.fromisoformat(first.pop("time"))
    assert at.tzinfo is not None
    assert first == {
        "level": "INFO", "logger": "controller.test", "message": f"told {NASTY}", "kind": "ActionProposal",
        "attempt": "a1",
    }  # fmt: skip
    assert (second["level"], second["message"]) == ("ERROR", "broken")
    assert second["error"].startswith("Traceback")
    assert "KeyError" in second["error"]


def test_for_people_only_the_operator_begins_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    lines = logged(capsys, LogFormat.TEXT)
    begun = [line for line in lines if not line.startswith("    ")]
    assert len(begun) == 2
    assert "\x1b" not in "".join(begun)
    assert begun[0].endswith(r"told quoted\n2026-01-01T00:00:00Z INFO    forged: line\x1b[31m " + '"x"')
