"""P8: a restart among many finished objects."""

from bench import objects
from bench.lab import OPERATOR_USER, Lab
from bench.loader import Call
from bench.outcomes import outcomes
from bench.report import Result

NAMESPACE = "restart"


async def measure(lab: Lab, *, finished_count: int, live: int) -> list[Result]:
    """Finished objects as the operator leaves them, live ones that are due; then the operator starts."""
    done = [f"f-{n}" for n in range(finished_count)]
    due = [f"d-{n}" for n in range(live)]
    await lab.namespace(NAMESPACE)
    await lab.targets(NAMESPACE, due)
    await lab.prepare_raw()
    await lab.propose(NAMESPACE, (objects.scale(name) for name in done))
    ended = {"status": lab.finished_status()}
    await lab.loader.send_all(
        Call.patch(objects.path(NAMESPACE, objects.PROPOSALS, name, "status"), ended) for name in done
    )
    await lab.propose(NAMESPACE, (objects.scale(name) for name in due))
    mark = lab.audit.mark()
    async with outcomes(lab.loader, NAMESPACE) as seen:
        with lab.operator(NAMESPACE) as program:
            await program.wait_until_ready()
            await seen.wait(set(due), program)
            await program.calm()
    requests = [r for r in lab.audit.since(mark, OPERATOR_USER) if r.namespace == NAMESPACE and r.changes]
    effects = [r.answered_at for r in requests if r.resource == "deployments"]
    first, last = effects[0] - program.ready_at, effects[-1] - program.ready_at
    touched = sum(r.name.startswith("f-") for r in requests)
    scaled = "" if finished_count >= 10_000 else " instead of 10,000"
    return [
        Result(
            "P8", "restart: first action after ready; writes to finished objects", "<= 5 s; 0 (later 2 s)",
            f"{first:.2f} s; {touched}", first <= 5 and touched == 0,
            f"{finished_count:,} finished{scaled}, {live} live; the last of them {last:.1f} s after ready",
        )
    ]  # fmt: skip
