"""Every write and every outside call of a few workloads, failed in every way, one at a time (G1)."""

from collections.abc import Iterator

import pytest
from lanes import ON_RECEIPT, Case
from proxy import Fault
from sweeping import Sweep
from workloads import WORKLOADS

FAULTS = (Fault.KILL_BEFORE, Fault.KILL_AFTER, Fault.LOSE_ANSWER)


def cases() -> Iterator[Case]:
    for workload in WORKLOADS:
        yield Case(workload, "none", 0)
        for fault in FAULTS:
            for number in range(1, workload.writes + 1):
                yield Case(workload, fault.value, number)
        for number in range(1, workload.calls + 1):
            yield Case(workload, ON_RECEIPT, number)


@pytest.mark.parametrize("case", tuple(cases()), ids=str)
def test_it_converges_and_doubles_nothing(case: Case, sweep: Sweep) -> None:
    result = sweep.result(case)
    assert result.doubled == 0
    if case.fault == "none":
        assert {result.outcome} == case.ends_of("")
        assert result.writes <= case.workload.writes, f"there are {result.writes} writes now: sweep over them all"
