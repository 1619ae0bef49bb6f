"""Every halt and every end of one is told once, with who did it as far as anything says so."""

import asyncio
import json
from typing import Any

import pytest
from unit.core.making import CREATED
from unit.runtime.fake_api import Operator

from controller.api.base import rfc3339
from controller.core.actors import CHANGED_BY
from controller.core.enforcement import Enforcement
from controller.kube.resources import POLICIES

HALTED = {"halt": True}


def policy(spec: Any, by: str, generation: int) -> Any:
    about = {"name": "stop", "uid": "1", "generation": generation, "creationTimestamp": rfc3339(CREATED)}
    return {"metadata": about | {"annotations": {CHANGED_BY: by}}, "spec": spec}


def told(operator: Operator) -> list[tuple[str, str]]:
    """What the audit log says of kill switches; and its records have ids of their own."""
    records = [json.loads(line) for line in operator.audit.getvalue().splitlines()]
    records = [record for record in records if record["data"]["reason"] == "KillSwitch"]
    assert len({record["id"] for record in records}) == len(records)
    return [(record["data"]["actor"], record["data"]["message"].partition(",")[0]) for record in records]


@pytest.mark.parametrize("at_once", [False, True], ids=["seen one by one", "seen together"])
@pytest.mark.parametrize(
    ("lifted", "expected"),
    [
        (True, ("carol", "policy stop no longer halts actions")),
        (False, ("unverified:unknown", "policy stop was deleted: it halts no longer")),
    ],
    ids=["changed, then deleted", "deleted"],
)
def test_who_ends_a_halt(at_once: bool, lifted: bool, expected: tuple[str, str]) -> None:
    async def run() -> list[tuple[str, str]]:
        operator = Operator()
        operator.declarations.enforcement = Enforcement(CREATED.replace(year=2020), None)
        operator.declare(POLICIES, policy(HALTED, "alice", 1))
        await operator.settle()
        if lifted:
            operator.declare(POLICIES, policy({"halt": False}, "carol", 2))
            if not at_once:
                await operator.settle()
        operator.intake.observe(POLICIES.plural, "DELETED", policy(HALTED, "alice", 1))
        await operator.settle()
        return told(operator)

    assert asyncio.run(run()) == [("alice", "policy stop halts actions"), expected]
