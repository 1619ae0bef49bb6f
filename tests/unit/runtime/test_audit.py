"""The audit log: one line for each transition, with who and what, and without parameters."""

import asyncio
import io
import json
from typing import Any

from unit.core.making import CHANCE, NOW, attempt, claimed, report, view
from unit.runtime.fake_api import Operator

from controller.core.attempt_report import Effect
from controller.core.proposal import decide
from controller.core.status import entries_after, last_entry
from controller.runtime.audit import AuditLog, transition_record

SECRET = "hunter2-hunter2"


def records(seen: Any) -> list[Any]:
    status = decide(seen, NOW, CHANCE).status
    assert status is not None
    raw = {"kind": "ActionProposal", "metadata": {"name": "a", "namespace": "shop", "uid": "1"}, "spec": seen.raw_spec}
    return [
        transition_record(raw, entry, status.wire())
        for entry in entries_after(last_entry(seen.proposal.status), status)
    ]


def test_a_record_says_who_what_and_when() -> None:
    first, *_, last = records(view({"requestedBy": {"username": "ann"}, "ticket": "OPS-1"}))
    assert (first["subject"], first["type"]) == ("ActionProposal/shop/a", "dev.actionoperator.actionproposal.proposed")
    assert (first["data"]["actor"], first["data"]["ticket"]) == ("unverified:ann", "OPS-1")
    assert (last["id"], last["time"], last["specversion"]) == ("1.3", "2026-11-22T15:04:05.000Z", "1.0")
    data = last["data"]
    assert (data["action"], data["runner"], data["attempt"]["number"]) == ("scale-workload", "checkout-ops", 1)
    assert data["digest"].startswith("sha256:")


def test_a_retry_says_when_and_how_often() -> None:
    (retry,) = records(view(status=claimed(attempt()), report=report(Effect.NOT_DONE)))
    assert (retry["data"]["retryCount"], retry["data"]["attempt"]["result"]) == (1, "NotDone")
    assert retry["data"]["nextRetryAt"] > retry["time"]


def test_ids_are_the_same_however_often_it_is_written() -> None:
    assert [record["id"] for record in records(view())] == [record["id"] for record in records(view())] == [
        "1.1", "1.2", "1.3",
    ]  # fmt: skip


def test_parameters_are_never_in_it() -> None:
    async def run() -> str:
        operator = Operator()
        key = operator.propose(parameters={"message": SECRET})
        await operator.settle()
        assert operator.status(key)["outcome"] == "Succeeded"
        return operator.audit.getvalue()

    told = asyncio.run(run())
    assert '"reason":"Completed"' in told
    assert SECRET not in told
    assert all(json.loads(line)["specversion"] == "1.0" for line in told.splitlines())


def test_line_ends_and_the_like_do_not_make_a_second_record() -> None:
    stream = io.StringIO()
    AuditLog(stream).write({"message": 'one\ntwo\r\n{"specversion": "1.0"}'})
    assert len(stream.getvalue().splitlines()) == 1


def test_what_cannot_be_written_is_counted() -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError("no space left on device")

    log = AuditLog(Full())
    log.write({})
    log.write({})
    closed = io.StringIO()
    closed.close()
    broken = AuditLog(closed)
    broken.write({})
    assert (log.lost, broken.lost) == (2, 1)
