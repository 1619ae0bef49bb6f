"""How much of each figure is measured, and in which order."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bench.figures import approving, graphs, latency, restart, retries, takeover, throughput, waiting, writes
from bench.lab import Lab, lab
from bench.report import Result

Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """Numbers of objects and rounds."""

    rounds: int = 5
    each: int = 1000
    burst: int = 2000
    samples: int = 30
    half_seconds: float = 30.0
    waiting: int = 10_000
    idle_seconds: float = 60.0
    finished: int = 10_000
    live: int = 100
    failing: int = 1000
    retry_wait_seconds: float = 60.0
    approvals: int = 20
    awaiting: int = 5000
    workflows: int = 1000
    takeovers: int = 5

    @classmethod
    def of(cls, *, quick: bool) -> "Plan":
        """The full plan, or one that takes a few minutes."""
        if not quick:
            return cls()
        return cls(
            rounds=3, each=170, burst=500, samples=15, half_seconds=10.0, waiting=2000, idle_seconds=20.0,
            finished=1000, live=50, failing=200, retry_wait_seconds=20.0, approvals=10, awaiting=1000,
            workflows=100, takeovers=2,
        )  # fmt: skip


async def _throughput(lab: Lab, plan: Plan) -> list[Result]:
    return await throughput.measure(lab, rounds=plan.rounds, each=plan.each, burst=plan.burst)


async def _writes(lab: Lab, plan: Plan) -> list[Result]:
    return await writes.measure(lab)


async def _latency(lab: Lab, plan: Plan) -> list[Result]:
    return await latency.measure(lab, samples=plan.samples, half_seconds=plan.half_seconds)


async def _waiting(lab: Lab, plan: Plan) -> list[Result]:
    return await waiting.measure(lab, count=plan.waiting, idle_seconds=plan.idle_seconds)


async def _restart(lab: Lab, plan: Plan) -> list[Result]:
    return await restart.measure(lab, finished_count=plan.finished, live=plan.live)


async def _retries(lab: Lab, plan: Plan) -> list[Result]:
    return await retries.measure(lab, count=plan.failing, wait_seconds=plan.retry_wait_seconds)


async def _approving(lab: Lab, plan: Plan) -> list[Result]:
    return await approving.measure(lab, samples=plan.approvals, waiting=plan.awaiting, idle_seconds=plan.idle_seconds)


async def _graphs(lab: Lab, plan: Plan) -> list[Result]:
    return await graphs.measure(lab, burst=plan.workflows)


async def _takeover(lab: Lab, plan: Plan) -> list[Result]:
    return await takeover.measure(lab, rounds=plan.takeovers)


Measure = Callable[[Lab, Plan], Awaitable[list[Result]]]
_GROUPS: tuple[tuple[tuple[str, ...], Measure], ...] = (
    (("P1", "P5", "P6"), _throughput),
    (("P2",), _writes),
    (("P3", "P4"), _latency),
    (("P7", "P10"), _waiting),
    (("P8",), _restart),
    (("P11",), _retries),
    (("P12", "P13"), _approving),
    (("P14",), _graphs),
    (("P15",), _takeover),
)
"""Figures that one measurement gives."""

FIGURES = tuple(sorted((name for names, _ in _GROUPS for name in names), key=lambda name: int(name[1:])))


async def run(plan: Plan, wanted: tuple[str, ...], say: Say) -> list[Result]:
    """Measures the wanted figures, each group on a fresh control plane."""
    results: list[Result] = []
    for names, measure in _GROUPS:
        if set(names) & set(wanted):
            say(f"measuring {', '.join(names)}")
            async with lab(say) as ready:
                results += [result for result in await measure(ready, plan) if result.figure in wanted]
    return sorted(results, key=lambda result: int(result.figure[1:]))
