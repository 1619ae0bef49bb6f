"""Every action type, its operator killed between the claim and the result: no effect is doubled, all converge.

`make faults-full` also fails every write of every type in every way.
"""

from collections.abc import Iterator

import pytest
from harness.catalogue import CASES
from lanes import ON_RECEIPT, Case
from proxy import Fault
from sweeping import Sweep
from workloads import OfCatalogue

FAULTS = (Fault.KILL_BEFORE, Fault.KILL_AFTER, Fault.LOSE_ANSWER)
MOST_EFFECTS = 2
"""Of one type, its operator killed after each of them."""


def cases() -> Iterator[Case]:
    for workload in map(OfCatalogue, CASES):
        for number in range(1, min(workload.effects, MOST_EFFECTS) + 1):
            yield Case(workload, Fault.KILL_AFTER, number, of_effect=True)
        if workload.effects:
            yield Case(workload, Fault.LOSE_ANSWER, 1, of_effect=True)
        for number in range(1, workload.calls + 1):
            yield Case(workload, ON_RECEIPT, number)
        if not workload.effects and not workload.calls:
            yield Case(workload, Fault.KILL_AFTER, 1)  # the claim


@pytest.mark.parametrize("case", tuple(cases()), ids=str)
def test_killed_between_claim_and_result_it_doubles_nothing(case: Case, sweep: Sweep) -> None:
    result = sweep.result(case)
    assert result.reached
    assert result.doubled == 0


@pytest.mark.long
@pytest.mark.parametrize("workload", [OfCatalogue(case) for case in CASES], ids=lambda workload: workload.name)
@pytest.mark.timeout(1800)
def test_every_write_fails_in_every_way(workload: OfCatalogue, sweep: Sweep) -> None:
    clean = sweep.result(Case(workload, "none", 0))
    assert clean.outcome == "Succeeded"
    failed = [Case(workload, fault, number) for fault in FAULTS for number in range(1, clean.writes + 1)]
    for case in failed:
        sweep.begin(case)
    for case in failed:
        assert sweep.result(case).doubled == 0
