"""Runs random lives and looks at what happened in them."""

import os
import secrets
from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.errors import FlakyStrategyDefinition
from hypothesis.stateful import run_state_machine_as_test

from harness.leave_machine import LeaveMachine


def live(
    machine: type[LeaveMachine],
    *,
    steps: int,
    length: int,
    lives: int = 10,
    shrink: bool = True,
    least: Mapping[str, int] = MappingProxyType({}),
) -> Counter[str]:
    """Lives of at most `length` steps, `lives` of one seed, until there are `steps` together; what happened in them.

    `least`: what must have happened, and how often; until it has they go on, up to three times as long.

    Raises AssertionError with what must not be; the last seed printed, given as STATE_MACHINE_SEED, brings it back.
    """
    machine.counts.clear()
    machine.broken.clear()
    given = os.environ.get("STATE_MACHINE_SEED")
    while machine.counts["steps"] < (3 * steps if _missing(machine.counts, least) else steps):
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
        try:
            run_state_machine_as_test(seed(begun)(machine), settings=chosen)
        except FlakyStrategyDefinition:
            # On a real API server what may happen next depends on what it did; two lives are not the same.
            assert not machine.broken, "\n".join(machine.broken)
    return machine.counts


def enough(counts: Mapping[str, int], least: Mapping[str, int]) -> None:
    """Whether enough of everything happened to prove anything."""
    print(dict(sorted(counts.items())))
    missing = _missing(counts, least)
    assert not missing, f"too few of these happened to prove anything (have, need): {missing}"


def _missing(counts: Mapping[str, int], least: Mapping[str, int]) -> dict[str, tuple[int, int]]:
    return {what: (counts.get(what, 0), often) for what, often in least.items() if counts.get(what, 0) < often}
