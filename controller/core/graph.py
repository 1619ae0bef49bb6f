"""Steps as a graph: what comes before what, and what is wrong with it. Knows nothing but names."""

from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

from controller.api.workflow import Order, Step


def predecessors(steps: Sequence[Step], order: Order) -> Mapping[str, tuple[str, ...]]:
    """For each step, those that must have ended before it starts. In a Sequence: the one before."""
    if order is Order.SEQUENCE:
        names = [step.name for step in steps]
        return {name: tuple(names[index - 1 : index]) if index else () for index, name in enumerate(names)}
    return {step.name: step.depends_on for step in steps}


def upstream(before: Mapping[str, tuple[str, ...]]) -> Mapping[str, frozenset[str]]:
    """For each step, all that come before it, directly or not. Empty for a graph with faults."""
    found: dict[str, frozenset[str]] = {}
    try:
        for name in TopologicalSorter(before).static_order():
            direct = before.get(name, ())
            found[name] = frozenset(direct).union(*(found[step] for step in direct))
    except CycleError:
        return {}
    return found


def graph_faults(steps: Sequence[Step], order: Order, path: str = "spec.steps") -> Iterator[str]:
    """Doubled names, dependencies that do not exist, cycles."""
    names = [step.name for step in steps]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"{path}: the name {name} is used more than once"
    unknown = len(set(names)) < len(names)
    for step in steps:
        for missing in sorted(set(step.depends_on) - set(names)):
            unknown = True
            yield f"{path}[{step.name}].dependsOn: there is no step {missing} (there are: {', '.join(names)})"
    if not unknown:
        yield from _cycle(steps, order, path)


def step_path(name: str) -> str:
    """How messages name a step: `spec.steps[drain]`."""
    return f"spec.steps[{name}]"


def _cycle(steps: Sequence[Step], order: Order, path: str) -> Iterator[str]:
    try:
        TopologicalSorter(predecessors(steps, order)).prepare()
    except CycleError as error:
        ring = " -> ".join(reversed(error.args[1]))
        yield f"{path}: {ring} wait for each other; take one of these dependencies out"
