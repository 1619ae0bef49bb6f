"""How much of each figure is measured, and in which order."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bench.figures import throughput
from bench.lab import Lab, lab
from bench.report import Result

Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """Numbers of objects and rounds."""

    rounds: int = 5
    each: int = 1000
    burst: int = 2000

    @classmethod
    def of(cls, *, quick: bool) -> "Plan":
        """The full plan, or one that takes a few minutes."""
        return cls(rounds=3, each=170, burst=500) if quick else cls()


async def _throughput(lab: Lab, plan: Plan) -> list[Result]:
    return await throughput.measure(lab, rounds=plan.rounds, each=plan.each, burst=plan.burst)


Measure = Callable[[Lab, Plan], Awaitable[list[Result]]]
_GROUPS: tuple[tuple[tuple[str, ...], Measure], ...] = ((("P1", "P5", "P6"), _throughput),)
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
