"""P2: how many writes an action, a retry and a workflow's step take, counted in the API server's audit log."""

from bench import objects
from bench.lab import OPERATOR_USER, Lab
from bench.loader import Call
from bench.outcomes import outcomes
from bench.process import Program
from bench.report import Result
from hack.hook_target import hook_target

NAMESPACE = "writes"
COUNT = 10
RETRIES = 2
STEPS = 5


async def measure(lab: Lab) -> list[Result]:
    """Each path alone, one after another, so that all writes in between are its own."""
    targets = [f"w-{n}" for n in range(COUNT)]
    steps = [f"s-{n}" for n in range(STEPS)]
    await lab.namespace(NAMESPACE)
    await lab.targets(NAMESPACE, [*targets, *steps])
    with hook_target() as hook, lab.operator(NAMESPACE) as program:
        await program.wait_until_ready()
        action = await _proposals(lab, program, [objects.scale(name) for name in targets])
        without = await _proposals(lab, program, [_hook(f"h-{n}", hook.url + f"/{n}") for n in range(COUNT)])
        urls = [hook.script(f"/r-{n}", [503] * RETRIES) for n in range(COUNT)]
        with_retries = await _proposals(lab, program, [_hook(f"r-{n}", url) for n, url in enumerate(urls)])
        one = await _workflow(lab, program, "one", steps[:1])
        many = await _workflow(lab, program, "many", steps[1:])
    retry = (with_retries - without) / RETRIES
    step = (many - one) / (STEPS - 2)
    fixed = one - step
    met = action <= 5 and retry <= 3 and step <= 8 and fixed <= 5
    return [
        Result(
            "P2",
            "writes per action; per retry beside its effect; per workflow step + fixed part",
            "<= 5; <= 3; <= 8 + 5",
            f"{action:g}; {retry:g}; {step:g} + {fixed:g}",
            met,
            "audit log, without dry runs and the Lease; the effect of an HTTP action is no write here",
        )
    ]


async def _proposals(lab: Lab, program: Program, manifests: list[objects.Json]) -> float:
    """Writes per proposal."""
    names = {manifest["metadata"]["name"] for manifest in manifests}
    mark = lab.audit.mark()
    async with outcomes(lab.loader, NAMESPACE) as finished:
        await lab.propose(NAMESPACE, manifests)
        await finished.wait(names, program)
    await program.calm()
    return _writes(lab, mark) / len(manifests)


async def _workflow(lab: Lab, program: Program, name: str, targets: list[str]) -> float:
    """Writes of the workflow and all its steps."""
    mark = lab.audit.mark()
    async with outcomes(lab.loader, NAMESPACE, objects.WORKFLOWS) as finished:
        await lab.loader.send(Call.create(objects.path(NAMESPACE, objects.WORKFLOWS), objects.workflow(name, targets)))
        await finished.wait({name}, program)
    await program.calm()
    return _writes(lab, mark)


def _writes(lab: Lab, mark: int) -> int:
    requests = lab.audit.since(mark, OPERATOR_USER)
    return sum(request.changes and request.namespace == NAMESPACE for request in requests)


def _hook(name: str, url: str) -> objects.Json:
    retry = {"maxAttempts": RETRIES + 1, "minWaitSeconds": 0.1, "maxWaitSeconds": 0.2}
    return objects.proposal(name, "http-request", {"method": "PUT", "url": url}, retry=retry)
