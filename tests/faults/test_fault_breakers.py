"""Two actions fail in a row, and the operator is killed around the second's end: the breaker is open all the same."""

import secrets
from collections.abc import Iterator

import pytest
from lanes import Lane
from proxy import Fault, Plan

FAULTS = (Fault.KILL_BEFORE, Fault.KILL_AFTER, Fault.LOSE_ANSWER)
WRITES_OF_A_FAILURE = 4
"""The claim, its Event, the end, its Event: one of them is the one after which only the breaker is left to write."""


@pytest.fixture
def policy(own: Lane) -> Iterator[str]:
    suffix = secrets.token_hex(2)
    name = own.stage.policy(suffix, limits={"maxConsecutiveFailures": 2, "breakerResetSeconds": 3600})
    own.stage.kubectl("wait", f"apol/{name}", "--for=condition=Ready", "--timeout=20s")
    yield name
    own.proxy.disarm()
    own.stage.delete_policies(name)


def counted(own: Lane, policy: str, failures: int) -> None:
    """Waits until so many failures in a row are written to the policy."""
    path = f"jsonpath={{.status.breaker.failures}}={failures}"
    own.stage.kubectl("wait", f"apol/{policy}", f"--for={path}", "--timeout=20s")


def put(own: Lane, name: str, status: int) -> None:
    url = own.hooks.target.script(f"/{name}", [status] * 3)
    own.stage.propose(name, "http-request", {"method": "PUT", "url": url})


def two_fail(own: Lane, policy: str, plan: Plan, name: str) -> None:
    put(own, f"{name}-1", 400)
    assert own.stage.outcome("ap", f"{name}-1")["outcome"] == "Failed"
    counted(own, policy, 1)
    own.proxy.arm(plan)
    put(own, f"{name}-2", 400)
    assert own.proxy.fired.wait(20), f"{plan} never came"
    if plan.fault.kills:
        own.stage.operator.start()
    assert own.stage.outcome("ap", f"{name}-2")["outcome"] in ("Failed", "Unknown")


def check_open(own: Lane, policy: str, name: str) -> None:
    put(own, f"{name}-3", 200)
    held = own.stage.wait("ap", f"{name}-3", lambda status: status.get("phase") == "Blocked", what="is not held")
    assert held["blocked"]["rule"] == "limits.maxConsecutiveFailures"
    counted(own, policy, 2)
    assert own.hooks.received(f"/{name}-3") == []


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.value)
def test_the_write_to_the_policy_fails(fault: Fault, own: Lane, policy: str) -> None:
    name = f"b{secrets.token_hex(2)}"
    two_fail(own, policy, Plan(policy, 1, fault), name)
    check_open(own, policy, name)


@pytest.mark.parametrize("number", range(1, WRITES_OF_A_FAILURE + 1))
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.value)
def test_a_write_of_the_action_fails(fault: Fault, number: int, own: Lane, policy: str) -> None:
    name = f"b{secrets.token_hex(2)}"
    two_fail(own, policy, Plan(f"{name}-2", number, fault), name)
    check_open(own, policy, name)
