"""logs: what the pods of a proposal's Jobs have written; of an action without pods, its transitions."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field

from controller.api.actiontype import ActionType
from controller.api.base import rfc3339
from controller.api.common import HistoryEntry
from controller.api.proposal import ActionProposal
from controller.api.workflow import ActionWorkflow
from controller.cli.exits import Exit
from controller.cli.find import find
from controller.cli.items import Item
from controller.cli.refusals import Refused
from controller.cli.screen import one_line, shown
from controller.cli.session import Run
from controller.cli.table import UNREADABLE
from controller.core.errors import NotFound, PermanentFailure, RightMissing
from controller.core.origin import PROPOSAL_UID
from controller.core.ports import Json
from controller.kube.resources import JOBS, PODS, PROPOSALS, TYPES

WITH_PODS = frozenset({"run-job", "trigger-cronjob"})
"""Built-in executors that start pods."""
JOB_NAME_LABEL = "batch.kubernetes.io/job-name"
LOOK_SECONDS = 1.0


@dataclass(frozen=True)
class Wanted:
    """What of the logs. `tail`: only that many of the last lines, None = all."""

    follow: bool
    tail: int | None
    timestamps: bool


@dataclass
class _Told:
    """What was printed already."""

    transitions: int = 0
    until: dict[tuple[str, str], str] = field(default_factory=dict)
    """Time of the last line, by pod and container."""
    headed: tuple[str, str] | None = None


async def logs(run: Run, name: str, wanted: Wanted) -> Exit:
    """The whole command."""
    item = await find(run.api, run.namespace, name)
    match item.model:
        case None:
            raise Refused(f"{item.short}: {UNREADABLE}")
        case ActionWorkflow() as workflow:
            return await _of_steps(run, item, workflow, wanted)
        case ActionProposal() as proposal:
            await _of_proposal(run, item, proposal, wanted, "")
    return Exit.OK


async def _of_steps(run: Run, item: Item, workflow: ActionWorkflow, wanted: Wanted) -> Exit:
    """Each step's, one after the other, in the order in which they started."""
    if wanted.follow:
        raise Refused(f"{item.short} is a workflow: follow one step, see kubectl actions describe {item.short}, "
                      f"or all of it with kubectl actions watch {item.short}", Exit.USAGE)  # fmt: skip
    begun = [step for step in workflow.status.steps if step.proposal]
    if not begun:
        run.note(f"no step of {item.short} has started")
    for step in begun:
        try:
            raw = await run.api.get(PROPOSALS, str(step.proposal), namespace=item.namespace)
        except NotFound:
            run.note(f"step {step.name}: ap/{step.proposal} is gone, and its logs with it")
            continue
        one = Item(ActionProposal, raw)
        if isinstance(one.model, ActionProposal):
            await _of_proposal(run, one, one.model, wanted, f"[{step.name}] ")
    return Exit.OK


async def _of_proposal(run: Run, item: Item, proposal: ActionProposal, wanted: Wanted, before: str) -> None:
    pods = await starts_pods(run, proposal.spec.action)
    if not pods and not before:
        run.note(f"{proposal.spec.action} runs no pod; these are the transitions of {item.short}")
    told = _Told()
    while True:
        finished = proposal.status.outcome is not None
        if pods:
            await _print_pods(run, item, wanted, told, before)
        else:
            _print_transitions(run, proposal.status.history, wanted, told, before)
        if not wanted.follow or finished:
            break
        await asyncio.sleep(LOOK_SECONDS)
        proposal = await run.client.get(item.name, ActionProposal, namespace=item.namespace)
    if pods and not told.until:
        line = f"{item.short} has no pod that has written anything: {proposal.status.message or 'it has not started'}"
        run.note(before + line)


async def starts_pods(run: Run, action: str) -> bool:
    """Whether actions of that type start pods; as far as we may read it, else perhaps."""
    try:
        spec = ActionType.model_validate(await run.api.get(TYPES, action)).spec
    except (RightMissing, ValueError):
        return True
    except NotFound:
        return action in WITH_PODS
    built_in = spec.executor.built_in
    return spec.executor.job is not None or (built_in is not None and built_in.name in WITH_PODS)


def _print_transitions(run: Run, history: Sequence[HistoryEntry], wanted: Wanted, told: _Told, before: str) -> None:
    news = [entry for entry in history if entry.n > told.transitions]
    if wanted.tail is not None and not told.transitions:
        news = news[max(0, len(news) - wanted.tail) :]
    for entry in news:
        said = (
            f"{entry.reason} by {entry.actor}: {entry.message}" if entry.message else f"{entry.reason} by {entry.actor}"
        )
        run.out.print(one_line(f"{before}{rfc3339(entry.at)} {said}"), soft_wrap=True)
    if history:
        told.transitions = history[-1].n
    run.out.file.flush()


async def _print_pods(run: Run, item: Item, wanted: Wanted, told: _Told, before: str) -> None:
    selector = await _selector(run, item)
    listed = await run.api.list(PODS, namespace=item.namespace, label_selector=selector)
    pods = sorted(listed.items, key=lambda pod: (pod["metadata"]["creationTimestamp"], pod["metadata"]["name"]))
    places = [(pod["metadata"]["name"], container) for pod in pods for container in containers(pod)]
    for place in places:
        async for line in _news(run, item, place, wanted, told):
            if len(places) > 1 and told.headed != place:
                run.out.print(shown(f"{before}==> pod/{place[0]}, container {place[1]} <=="), soft_wrap=True)
                told.headed = place
            run.out.print(shown(before + line), soft_wrap=True)
    run.out.file.flush()


async def _selector(run: Run, item: Item) -> str:
    """Of the pods of its Jobs; those of trigger-cronjob are labelled as their CronJob says."""
    own = f"{PROPOSAL_UID}={item.uid}"
    try:
        jobs = (await run.api.list(JOBS, namespace=item.namespace, label_selector=own)).items
    except RightMissing:
        return own
    return f"{JOB_NAME_LABEL} in ({','.join(job['metadata']['name'] for job in jobs)})" if jobs else own


def containers(pod: Json) -> Iterator[str]:
    """Those that may have written something, in the order in which they start."""
    spec = pod.get("spec") or {}
    for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
        yield str(container["name"])


async def _news(run: Run, item: Item, place: tuple[str, str], wanted: Wanted, told: _Told) -> AsyncIterator[str]:
    """What a container has written since last time."""
    pod, container = place
    last = told.until.get(place, "")
    query = {"container": container, "timestamps": "true"}
    if last:
        query["sinceTime"] = last[: len("2026-11-22T15:04:05")] + "Z"
    elif wanted.tail is not None:
        query["tailLines"] = str(wanted.tail)
    try:
        text = await run.api.text(PODS, pod, "log", namespace=item.namespace, **query)
    except PermanentFailure:
        if not wanted.follow:
            raise
        return  # not started yet; it is asked again
    for line in text.splitlines():
        at, _, said = line.partition(" ")
        if at > last:  # of one second, what was told comes again
            told.until[place] = at
            yield line if wanted.timestamps else said
