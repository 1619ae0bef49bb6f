"""Nothing runs without leave, whatever people and faults do: the real runtime, a random world, and a judge of its own.

The rules are in harness/leave_machine.py and approval_machine.py. After each step the judge, which knows who really
asked and voted, says whether there was an effect without a live approval of exactly that, or while it was stopped, or
twice. That it can say so is shown in test_state_machine_mutants.py.
"""

import logging

import pytest
from harness.lives import enough, live
from hypothesis import settings
from unit.runtime.approval_machine import Machine

STEPS = 10_000
LENGTH = 50
LEAST = {
    "steps": STEPS,
    "claims": 400,
    "effects": 300,
    "effects that needed approval": 300,
    "workflows": 100,
    "votes tried": 2000,
    "wrong votes": 40,
    "voters without the right": 20,
    "Rejected": 60,
    "Expired": 1,
    "ApprovalVoided": 3,
    "reason Drifted": 3,
    "reason DigestChanged": 8,
    "reason IdentityNotEnforced": 5,
    "blocked by halt": 20,
    "blocked by mode": 10,
    "claims refused while stopped": 10,
    "operators killed": 100,
    "TakenOver": 40,
    "admission removed": 10,
    "RetryScheduled": 5,
    "OutcomeUnknown": 10,
}
"""How often at least each of these happens in any run; what it is about would else go untried."""


@pytest.mark.timeout(1800)
def test_nothing_runs_without_leave(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)  # what thousands of lives log tells nothing
    steps = STEPS * (10 if settings.get_current_profile_name() == "long" else 1)
    enough(live(Machine, steps=steps, length=LENGTH), LEAST)
