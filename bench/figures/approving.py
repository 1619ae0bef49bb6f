"""P12, P13: from an approval to the effect, also after a restart with many that wait; what waiting for it costs."""

import asyncio
import time
from collections.abc import Sequence
from statistics import median

from bench import objects
from bench.audit import Request
from bench.figures.waiting import idle
from bench.lab import OPERATOR_USER, Lab
from bench.loader import Call
from bench.report import Result
from hack.installation import PROVEN_SECONDS, enforce, kubectl_of

NAMESPACE = "approving"
EFFECT_SECONDS = 30.0
SINGLES = 5
EVENTS_SECONDS = 900.0
QUIET_SECONDS = 5.0


async def measure(lab: Lab, *, samples: int, waiting: int, idle_seconds: float) -> list[Result]:
    """The admission policies are in force here, and every action waits for one approval."""
    await asyncio.to_thread(enforce, kubectl_of(lab.cluster))
    await lab.loader.send(Call.create(f"/apis/{objects.API}/actionpolicies", objects.asks_for_approval()))
    await lab.namespace(NAMESPACE)
    names = [f"a-{n}" for n in range(2 * samples)]
    await lab.targets(NAMESPACE, [*names, "one"])
    await asyncio.sleep(PROVEN_SECONDS)
    with lab.operator(NAMESPACE) as program:
        await program.wait_until_ready()
        await lab.propose(NAMESPACE, (objects.scale(name) for name in names))
        await program.calm()
        taken, floors = await _approved(lab, names[:samples])
        template = objects.scale("one")
        await lab.propose(NAMESPACE, (template | {"metadata": {"name": f"w-{n}"}} for n in range(waiting)))
        await program.calm(seconds=2.0, within=1800)
        await _told(lab)
        cpu, writes = await idle(lab, program, idle_seconds)
    with lab.operator(NAMESPACE) as again:
        await again.wait_until_ready()
        after, floors_after = await _approved(lab, names[samples:])
    ratio, ratio_after = median(taken) / median(floors), median(after) / median(floors_after)
    return [
        Result(
            "P12", "approve -> effect p50 / serial calls in between; the same right after a restart", "<= 2; <= 2",
            f"{ratio:.2f} (p50 {median(taken) * 1000:.0f} ms); {ratio_after:.2f} (p50 {median(after) * 1000:.0f} ms)",
            ratio <= 2 and ratio_after <= 2,
            f"{samples} samples each; {waiting:,} others wait at the restart; from the answer to the vote to that to "
            f"the change; floor {median(floors) * 1000:.0f} ms: each sort of call, sent alone",
        ),
        Result(
            "P13", "awaiting approval: CPU; writes other than the Lease", "<= 0.5 % of a core; 0",
            f"{cpu:.2f} %; {writes}", cpu <= 0.5 and writes == 0, f"{waiting:,} objects, {idle_seconds:.0f} s",
        ),
    ]  # fmt: skip


async def _approved(lab: Lab, names: Sequence[str]) -> tuple[list[float], list[float]]:
    """Seconds from each vote to its effect, and the sum of the calls that had to come between, each sent alone."""
    taken, floors = [], []
    for name in names:
        mark = lab.audit.mark()
        voted = await _vote(lab, name)
        effect, between = await _effect(lab, mark, name, voted)
        taken.append(effect - voted)
        floors.append(await _floor(lab, name, between))
    return taken, floors


async def _vote(lab: Lab, name: str) -> float:
    """Approves what is shown; when it was answered, in seconds since the epoch."""
    subject = await lab.loader.send(Call("GET", objects.path(NAMESPACE, objects.PROPOSALS, name)))
    await lab.loader.send(Call.create(objects.path(NAMESPACE, objects.APPROVALS), objects.approval(subject)))
    return time.time()


async def _effect(lab: Lab, mark: int, name: str, voted: float) -> tuple[float, list[Request]]:
    """When the change was answered, and what the operator asked about it between the vote and then."""
    async with asyncio.timeout(EFFECT_SECONDS):
        while True:
            seen = [r for r in lab.audit.since(mark, OPERATOR_USER) if r.verb != "watch" and r.resource != "leases"]
            for n, request in enumerate(seen):
                if request.subresource == "scale" and request.name == name and request.changes:
                    return request.answered_at, seen[: n + 1]
            await asyncio.sleep(0.01)


async def _floor(lab: Lab, name: str, between: Sequence[Request]) -> float:
    """The serial calls, each priced by its like sent alone. What is asked side by side counts once."""
    target = objects.deployments(NAMESPACE, name)
    mine = objects.path(NAMESPACE, objects.PROPOSALS, name)
    scale = Call.patch(f"{target}/scale?dryRun=All", {"spec": {"replicas": objects.BEFORE}})
    read, change = await _alone(lab, Call("GET", target)), await _alone(lab, scale)
    mark = await _alone(lab, Call.patch(mine, {"metadata": {"annotations": {"bench": "x"}}}))
    side_by_side = ("validatingadmissionpolicies", "validatingadmissionpolicybindings", "mutatingadmissionpolicies",
                    "mutatingadmissionpolicybindings", "subjectaccessreviews")  # fmt: skip
    floor = read if any(r.resource in side_by_side for r in between) else 0.0
    for request in between:
        if request.resource in side_by_side:
            continue
        floor += {"scale": change, "status": mark}.get(request.subresource, read)
    return floor


async def _alone(lab: Lab, call: Call) -> float:
    taken = []
    for _ in range(SINGLES):
        begun = time.perf_counter()
        await lab.loader.send(call)
        taken.append(time.perf_counter() - begun)
    return median(taken)


async def _told(lab: Lab) -> None:
    """Until nothing more is written: Events about what was decided come after it, no faster than they may."""
    async with asyncio.timeout(EVENTS_SECONDS):
        writes = 1
        while writes:
            mark = lab.audit.mark()
            await asyncio.sleep(QUIET_SECONDS)
            writes = sum(request.changes for request in lab.audit.since(mark, OPERATOR_USER))
