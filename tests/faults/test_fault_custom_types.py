"""A custom type of each executor, its operator killed around claim and effect: nothing is doubled, all converge."""

from collections.abc import Iterator

import pytest
from custom_types import CUSTOM
from lanes import ON_RECEIPT, Case
from proxy import Fault
from sweeping import Sweep


def cases() -> Iterator[Case]:
    for workload in CUSTOM:
        yield Case(workload, "none", 0)
        yield Case(workload, Fault.KILL_BEFORE, 1)  # the claim
        yield Case(workload, Fault.KILL_AFTER, 1)
        for number in range(1, workload.effects + 1):
            for fault in (Fault.KILL_BEFORE, Fault.KILL_AFTER, Fault.LOSE_ANSWER):
                yield Case(workload, fault, number, of_effect=True)
        for number in range(1, workload.calls + 1):
            yield Case(workload, ON_RECEIPT, number)


@pytest.mark.parametrize("case", tuple(cases()), ids=str)
def test_a_custom_type_converges_and_doubles_nothing(case: Case, sweep: Sweep) -> None:
    result = sweep.result(case)
    assert result.doubled == 0
    assert result.reached or case.fault == "none"
    if case.fault == "none":
        assert result.outcome == "Succeeded"
