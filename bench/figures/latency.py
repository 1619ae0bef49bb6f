"""P3, P4: how long an action takes when there is no queue, and when half of the capacity is used."""

import asyncio
import random
import time
from dataclasses import dataclass, field
from statistics import median, quantiles

from bench import objects
from bench.audit import Request
from bench.lab import OPERATOR_USER, Lab
from bench.loader import Call
from bench.outcomes import Outcomes, outcomes
from bench.process import Program
from bench.report import Result

NAMESPACE = "latency"
CAPACITY_COUNT = 150
READ, STATUS, SCALE = "read", "status write", "scale"
"""Sorts of calls; a dry run costs about what the change does, and is priced as one."""


@dataclass
class SingleCalls:
    """Seconds of single calls, one at a time with nothing else going on, by sort."""

    taken: dict[str, list[float]] = field(default_factory=lambda: {READ: [], STATUS: [], SCALE: []})

    def p50(self, sort: str) -> float:
        return median(self.taken[sort])


async def measure(lab: Lab, *, samples: int, half_seconds: float) -> list[Result]:
    """One a second, each followed by single calls; then Poisson arrivals at half of the measured capacity."""
    await lab.namespace(NAMESPACE)
    await lab.prepare_raw()
    single = [f"l-{n}" for n in range(samples)]
    burst = [f"c-{n}" for n in range(CAPACITY_COUNT)]
    await lab.targets(NAMESPACE, [*single, *burst])
    calls = SingleCalls()
    async with outcomes(lab.loader, NAMESPACE) as finished:
        with lab.operator(NAMESPACE) as program:
            await program.wait_until_ready()
            await program.calm()
            mark = lab.audit.mark()
            taken = [await _one(lab, program, finished, name, calls) for name in single]
            serial = _serial_calls(lab, mark, samples)
            begun = time.perf_counter()
            await lab.propose(NAMESPACE, (objects.scale(name) for name in burst))
            await finished.wait(set(burst), program)
            capacity = CAPACITY_COUNT / (time.perf_counter() - begun)
            await program.calm()
            loaded, queued = await _half(lab, program, finished, capacity / 2, half_seconds)
    floor = sum(count * calls.p50(sort) for sort, count in serial.items())
    ratio = median(taken) / floor
    told = ", ".join(f"{count:g} {sort}s at {calls.p50(sort) * 1000:.1f} ms" for sort, count in serial.items())
    late, slow = _p99(queued), _p99(loaded)
    return [
        Result(
            "P3", "create to terminal at 1/s, p50 / (serial calls x single-call p50)", "<= 2.0 (later 1.5)",
            f"{ratio:.2f} (p50 {median(taken) * 1000:.0f} ms)", ratio <= 2.0,
            f"{samples} samples; floor {floor * 1000:.0f} ms: {told}",
        ),
        Result(
            "P4", "at half capacity: time in queue p99; completion p99", "<= 1 s; <= 5 s (later 0.1; 1)",
            f"{late:.2f} s; {slow:.2f} s", late <= 1 and slow <= 5,
            f"{len(loaded)} Poisson arrivals, {capacity / 2:.0f}/s; queue: from creation to its first request",
        ),
    ]  # fmt: skip


async def _one(lab: Lab, program: Program, finished: Outcomes, name: str, calls: SingleCalls) -> float:
    """Seconds from the answer to the creation to the watch that shows the end; then single calls of each sort."""
    begun = time.perf_counter()
    await lab.propose(NAMESPACE, [objects.scale(name)])
    created = time.perf_counter()
    await finished.wait({name}, program)
    target = objects.deployments(NAMESPACE, name)
    scale = Call.patch(f"{target}/scale?dryRun=All", {"spec": {"replicas": objects.BEFORE}})
    await asyncio.sleep(0.2)
    for _ in range(3):
        for sort, call in ((READ, Call("GET", target)), (STATUS, lab.raw_call()), (SCALE, scale)):
            before = time.perf_counter()
            await lab.loader.send(call)
            calls.taken[sort].append(time.perf_counter() - before)
    await asyncio.sleep(max(0.0, 1.0 - (time.perf_counter() - begun)))
    return finished.seen[name] - created


def _serial_calls(lab: Lab, mark: int, count: int) -> dict[str, float]:
    """Calls per action that come one after another: all but Events. By sort."""
    totals = {READ: 0, STATUS: 0, SCALE: 0}
    for request in lab.audit.since(mark, OPERATOR_USER):
        if request.namespace == NAMESPACE and request.resource != "events" and request.verb != "watch":
            totals[{"status": STATUS, "scale": SCALE}.get(request.subresource, READ)] += 1
    return {sort: round(total / count, 1) for sort, total in totals.items()}


async def _half(
    lab: Lab, program: Program, finished: Outcomes, rate: float, seconds: float
) -> tuple[list[float], list[float]]:
    """Open loop: completion times, and times until the operator first asks for the target, in seconds."""
    names = [f"p-{n}" for n in range(max(20, int(rate * seconds)))]
    await lab.targets(NAMESPACE, names)
    mark = lab.audit.mark()
    created: dict[str, tuple[float, float]] = {}

    async def create(name: str) -> None:
        await lab.propose(NAMESPACE, [objects.scale(name)])
        created[name] = (time.perf_counter(), time.time())

    arrivals = random.Random(1)
    async with asyncio.TaskGroup() as group:
        for name in names:
            group.create_task(create(name))
            await asyncio.sleep(arrivals.expovariate(rate))
    await finished.wait(set(names), program)
    first: dict[str, Request] = {}
    for request in lab.audit.since(mark, OPERATOR_USER):
        first.setdefault(request.name, request)
    return (
        [finished.seen[name] - created[name][0] for name in names],
        [max(0.0, first[name].answered_at - created[name][1]) for name in names],
    )


def _p99(values: list[float]) -> float:
    return quantiles(values, n=100, method="inclusive")[98]
