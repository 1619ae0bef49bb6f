"""The catalogue's table of cases: one for each action type, by family. Its tests are in tests/e2e and tests/faults."""

from harness.catalogue import any_objects, flow, flux_and_argo, jobs, nodes, outside, pods, workloads
from harness.catalogue.case import Case

CASES: tuple[Case, ...] = (
    *workloads.CASES,
    *pods.CASES,
    *nodes.CASES,
    *any_objects.CASES,
    *jobs.CASES,
    *outside.CASES,
    *flow.CASES,
    *flux_and_argo.CASES,
)
BY_ACTION = {case.action: case for case in CASES}
AT_MOST_ONCE = frozenset(case.action for case in CASES if case.once)
