"""P7, P10: memory with and without objects that wait, and what waiting costs in CPU and writes."""

import asyncio

from bench import objects
from bench.lab import OPERATOR_USER, Lab
from bench.process import Program
from bench.report import Result

NAMESPACE = "waiting"
FAR = "2090-01-01T00:00:00Z"
PER = 10_000


async def measure(lab: Lab, *, count: int, idle_seconds: float) -> list[Result]:
    """Base, then `count` scheduled proposals made while it runs; idle; then a fresh process with all of them."""
    await lab.namespace(NAMESPACE)
    await lab.targets(NAMESPACE, ["one"])
    with lab.operator(NAMESPACE) as program:
        await program.wait_until_ready()
        await program.calm()
        base = program.rss_mb()
        lab.say(f"base {base:.0f} MB; {count} proposals are made that wait")
        half = count // 2
        await _wait_for_ever(lab, program, range(half))
        at_half = program.rss_mb()
        await _wait_for_ever(lab, program, range(half, count))
        grown, slope = program.rss_mb() - base, (program.rss_mb() - at_half) / (count - half)
        cpu, writes = await idle(lab, program, idle_seconds)
    with lab.operator(NAMESPACE) as again:
        await again.wait_until_ready()
        await again.calm(within=600)
        fresh = again.rss_mb() - base
    # What the first objects cost once (buffers, code, arenas) must not be multiplied.
    growth = grown + slope * (PER - count)
    scaled = "" if count == PER else f"{grown:.0f} MB for {count:,}, the rest as their second half; "
    return [
        Result(
            "P7", "memory: base; growth per 10,000 waiting objects", "<= 90 MB; <= 40 MB (later 80; 25)",
            f"{base:.0f} MB; {growth:.0f} MB", base <= 90 and growth <= 40,
            f"RSS; {scaled}after a restart with those {count:,} there: {fresh:.0f} MB",
        ),
        Result(
            "P10", "waiting objects: CPU; writes other than the Lease", "<= 0.5 % of a core; 0 (later 0.1 %)",
            f"{cpu:.2f} %; {writes}", cpu <= 0.5 and writes == 0,
            f"{count:,} objects, {idle_seconds:.0f} s instead of 10 minutes",
        ),
    ]  # fmt: skip


async def _wait_for_ever(lab: Lab, program: Program, numbers: range) -> None:
    """Makes proposals scheduled for a far day; returns when the operator has seen to all of them."""
    template = objects.scale("one", notBefore=FAR)
    await lab.propose(NAMESPACE, (template | {"metadata": {"name": f"n-{n}"}} for n in numbers))
    await program.calm(seconds=2.0, within=1800)


async def idle(lab: Lab, program: Program, seconds: float) -> tuple[float, int]:
    """Percent of a core, and writes."""
    mark, before = lab.audit.mark(), program.cpu_seconds()
    await asyncio.sleep(seconds)
    used = program.cpu_seconds() - before
    return used / seconds * 100, sum(request.changes for request in lab.audit.since(mark, OPERATOR_USER))
