"""Somebody who answers what a case asks: not the requester, and as soon as the proposal waits."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hack.installation import kubectl_of
from harness.catalogue.case import Case, Scene
from harness.objects import Objects
from harness.people import ballot, wait_until_proven
from harness.stage import API

AS_ALICE = ("--as=alice", "--as-group=system:masters")


@contextmanager
def answering(objects: Objects, name: str, case: Case) -> Iterator[None]:
    """While it is open, alice answers that proposal; nobody does where the case asks nothing."""
    if case.answer is None:
        yield
        return
    over = threading.Event()
    asked = threading.Thread(target=_answer, args=(objects, name, case.answer, over), daemon=True)
    asked.start()
    try:
        yield
    finally:
        over.set()
        asked.join()


def who_asks_is_proven(scene: Scene) -> None:
    """Returns when the API server's word on who asks and who votes counts."""
    wait_until_proven(scene.objects.cluster)


def _answer(objects: Objects, name: str, answer: Any, over: threading.Event) -> None:
    while not over.wait(0.1):
        found = objects.find(API, "ActionProposal", name)
        status = (found or {}).get("status") or {}
        if found and status.get("phase") == "AwaitingApproval":
            body = ballot(found, "alice", answer=answer)
            body["metadata"]["namespace"] = objects.namespace
            kubectl_of(objects.cluster)("create", "-f", "-", *AS_ALICE, text=json.dumps(body))
            return
