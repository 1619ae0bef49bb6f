"""Runs random lives and looks at what happened in them."""

import os
import secrets
from collections import Counter
from collections.abc import Mapping

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from harness.leave_machine import LeaveMachine


def live(machine: type[LeaveMachine], *, steps: int, length: int, lives: int = 10, shrink: bool = True) -> Counter[str]:
    """Lives of at most `length` steps, `lives` of one seed, until there are `steps` together; what happened in them.

    Raises AssertionError with what must not be; the last seed printed, given as STATE_MACHINE_SEED, brings it back.
    """
    machine.counts.clear()
    given = os.environ.get("STATE_MACHINE_SEED")
    while machine.counts["steps"] < steps:
        begun = int(given or secrets.randbelow(2**32))
        print(f"STATE_MACHINE_SEED={begun}")
        chosen = settings(
            max_examples=lives,
            stateful_step_count=length,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.generate, Phase.shrink) if shrink else (Phase.generate,),
            print_blob=True,
        )
        run_state_machine_as_test(seed(begun)(machine), settings=chosen)
    return machine.counts


def enough(counts: Mapping[str, int], least: Mapping[str, int]) -> None:
    """Whether enough of everything happened to prove anything."""
    print(dict(sorted(counts.items())))
    missing = {what: (counts.get(what, 0), often) for what, often in least.items() if counts.get(what, 0) < often}
    assert not missing, f"too few of these happened to prove anything (have, need): {missing}"
