"""P1, P5, P6: how fast actions are completed, against what the API server can take, and what they cost in CPU."""

import time
from dataclasses import dataclass
from statistics import median

from bench import objects
from bench.lab import OPERATOR_USER, Lab
from bench.loader import Call
from bench.outcomes import outcomes
from bench.process import Program
from bench.report import Result

STEADY = 1.7
OURS, NAIVE, BURST = "ours", "naive", "burst"
BASELINE_USER = "system:serviceaccount:action-operator:baseline"


@dataclass(frozen=True)
class Round:
    """One contender's round. `rate`: completed actions a second, from ready to the last write, Events included."""

    rate: float
    writes: float
    cpu_ms: float
    events: float


async def measure(lab: Lab, *, rounds: int, each: int, burst: int) -> list[Result]:
    """Interleaved: W_raw, the operator, W_raw, the baseline; then everything again. At the end the burst."""
    names = [f"t-{n}" for n in range(each)]
    for namespace in (OURS, NAIVE):
        await lab.namespace(namespace)
        await lab.targets(namespace, names)
    await lab.prepare_raw()
    raws: list[float] = []
    bare: list[float] = []
    ours: list[Round] = []
    naive: list[Round] = []
    for number in range(rounds):
        raws.append(await lab.raw_rate())
        bare.append(await lab.raw_actions())
        ours.append(await _round(lab, lab.operator(OURS), OURS, OPERATOR_USER, names))
        raws.append(await lab.raw_rate())
        naive.append(await _round(lab, await lab.baseline(NAIVE), NAIVE, BASELINE_USER, names))
        lab.say(
            f"round {number + 1} of {rounds}: W_raw {raws[-2]:.0f} and {raws[-1]:.0f}/s; "
            f"bare loader {bare[-1]:.1f} actions/s; "
            f"operator {ours[-1].rate:.0f}/s, {ours[-1].cpu_ms:.1f} ms CPU each; "
            f"plain kopf {naive[-1].rate:.0f}/s, {naive[-1].cpu_ms:.1f} ms"
        )
    raws.append(await lab.raw_rate())
    drained = await _burst(lab, burst)
    raws.append(await lab.raw_rate())
    return [
        _capacity(raws[: 2 * rounds], bare, ours, each),
        _burst_result(drained, ours[-1].writes, burst, raws[-2:]),
        _cpu(ours, naive),
    ]


async def _round(lab: Lab, program: Program, namespace: str, user: str, targets: list[str]) -> Round:
    """Proposals are made first, then the program starts and works them off."""
    await _reset(lab, namespace, targets)
    mark = lab.audit.mark()
    async with outcomes(lab.loader, namespace) as finished:
        await lab.propose(namespace, (objects.scale(name) for name in targets))
        with program:
            await program.wait_until_ready()
            await finished.wait(set(targets), program)
            await program.calm(seconds=0.5)
            cpu = program.cpu_seconds() - program.ready_cpu
        _all_succeeded(finished.counts, len(targets))
    writes = [r for r in lab.audit.since(mark, user) if r.changes and r.namespace == namespace and r.status < 400]
    events = sum(r.resource == "events" for r in writes)
    took = writes[-1].answered_at - program.ready_at
    n = len(targets)
    return Round(n / took, len(writes) / n, cpu / n * 1000, events / n)


async def _burst(lab: Lab, count: int) -> float:
    """Seconds from the first creation to the operator's last write, all created while it runs."""
    names = [f"b-{n}" for n in range(count)]
    await lab.namespace(BURST)
    await lab.targets(BURST, names)
    mark = lab.audit.mark()
    async with outcomes(lab.loader, BURST) as finished:
        with lab.operator(BURST) as program:
            await program.wait_until_ready()
            await program.calm()
            begun = time.time()
            created = await lab.propose(BURST, (objects.scale(name) for name in names))
            await finished.wait(set(names), program)
            await program.calm(seconds=0.5)
        _all_succeeded(finished.counts, count)
    writes = [r for r in lab.audit.since(mark, OPERATOR_USER) if r.changes and r.namespace == BURST]
    drained = writes[-1].answered_at - begun
    lab.say(f"burst of {count}: created in {created:.1f} s, drained in {drained:.1f} s")
    return drained


async def _reset(lab: Lab, namespace: str, targets: list[str]) -> None:
    """The Deployments as they were, the proposals of the round before gone."""
    everything = await lab.loader.send(Call("GET", objects.path(namespace, objects.PROPOSALS)))
    names = [item["metadata"]["name"] for item in everything["items"]]
    await lab.loader.send_all(Call("DELETE", objects.path(namespace, objects.PROPOSALS, name)) for name in names)
    before = {"spec": {"replicas": objects.BEFORE}}
    await lab.loader.send_all(Call.patch(objects.deployments(namespace, name), before) for name in targets)


def _all_succeeded(counts: dict[str, int], count: int) -> None:
    if counts.get("Succeeded", 0) != count:
        raise RuntimeError(f"of {count} actions ended: {dict(counts)}")


def _capacity(raws: list[float], bare: list[float], ours: list[Round], each: int) -> Result:
    # Each round against the two raw rates around it, so that what else the machine does weighs on both.
    around = [(raws[2 * n] + raws[2 * n + 1]) / 2 for n in range(len(ours))]
    shares = [r.rate * r.writes / raw for r, raw in zip(ours, around, strict=True)]
    of_bare = [r.rate / rate for r, rate in zip(ours, bare, strict=True)]
    share = median(shares)
    return Result(
        "P1", "completed actions/s x writes per action / W_raw", ">= 0.6 (later 0.8)",
        f"{share:.2f} ({min(shares):.2f} to {max(shares):.2f})", None if unsteady(raws) else share >= 0.6,
        f"median of {len(ours)} rounds of {each}: {median(r.rate for r in ours):.0f} actions/s x {ours[-1].writes:.2f} "
        f"writes; {told(raws)}; of a bare loader with the same requests: {median(of_bare):.2f} "
        f"({min(of_bare):.2f} to {max(of_bare):.2f})",
    )  # fmt: skip


def _burst_result(drained: float, writes: float, count: int, raws: list[float]) -> Result:
    share = drained / (count * writes / median(raws))
    wanted = "" if count >= 10_000 else f" ({count:,} instead of 10,000)"
    return Result(
        "P5", "10,000 at once: drain time / (10,000 x writes / W_raw)", "<= 3 (later 2)", f"{share:.2f}",
        None if unsteady(raws) else share <= 3,
        f"drained in {drained:.1f} s, creation included{wanted}; all succeeded; {told(raws)}",
    )  # fmt: skip


def unsteady(raws: list[float]) -> bool:
    """Whether W_raw varied so much during the run that a ratio to it says nothing."""
    return max(raws) > STEADY * min(raws)


def told(raws: list[float]) -> str:
    """W_raw with its spread, and whether that is too much for a verdict."""
    warning = ", too unsteady for a verdict" if unsteady(raws) else ""
    return f"W_raw {median(raws):.0f}/s ({min(raws):.0f} to {max(raws):.0f}{warning})"


def _cpu(ours: list[Round], naive: list[Round]) -> Result:
    ratios = [a.cpu_ms / b.cpu_ms for a, b in zip(ours, naive, strict=True)]
    mine, theirs = median(r.cpu_ms for r in ours), median(r.cpu_ms for r in naive)
    return Result(
        "P6", "operator CPU-s per 1,000 actions; ratio to a plain kopf handler", "<= 4.0; <= 0.6 (later 2.5)",
        f"{mine:.1f}; {median(ratios):.2f}", mine <= 4.0 and median(ratios) <= 0.6,
        f"plain kopf: {theirs:.1f} CPU-s, {median(r.rate for r in naive):.0f} actions/s, "
        f"{naive[-1].writes:.1f} writes each, no preview, claim or Events",
    )  # fmt: skip
