"""A workflow as a drawing, every step below the last one that it waits for: text, Mermaid or Graphviz. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from rich.console import Group, RenderableType
from rich.text import Text

from controller.api.names import StepOutcome
from controller.api.workflow import ActionWorkflow, Step, StepStatus
from controller.cli.page import idle_word, step_state, title
from controller.cli.screen import INDENT, Grid, section, shown
from controller.cli.table import retries
from controller.cli.times import took
from controller.core.definition import Definition, definition_of, plan_of
from controller.core.graph import upstream
from controller.core.steps import by_name, given_up

_MARKS: Mapping[StepOutcome, str] = {
    StepOutcome.SUCCEEDED: "✓",
    StepOutcome.SKIPPED: "–",
    StepOutcome.UNKNOWN: "?",
}
HEADER = ("STEP", "ACTION", "STATE", "RETRIES", "TOOK", "")
_STARTED, _WAITING, _NOT_SUCCEEDED = "▸", "·", "✗"
_STYLES: Mapping[str, str] = {"✓": "green", "✗": "red", "?": "yellow", "▸": "cyan", "–": "dim", "·": "dim"}
_COLOURS: Mapping[str, str] = {
    "✓": "#2da44e", "✗": "#cf222e", "?": "#bf8700", "▸": "#0969da", "–": "#8c959f", "·": "#8c959f",
}  # fmt: skip


@dataclass(frozen=True)
class Node:
    """A step with its place: `depth` steps come before it on the longest way, `after` are those it waits for."""

    step: Step
    status: StepStatus
    depth: int
    after: tuple[str, ...]
    over: bool
    """Whether its workflow has ended: then what has not started never will."""

    @property
    def mark(self) -> str:
        if self.status.outcome is not None:
            return _MARKS.get(self.status.outcome, _NOT_SUCCEEDED)
        if self.status.uid:
            return _STARTED
        return _MARKS[StepOutcome.SKIPPED] if self.over else _WAITING


def nodes(workflow: ActionWorkflow) -> tuple[tuple[Node, ...], tuple[Node, ...]]:
    """The steps and the finally steps, each after those that it waits for."""
    definition = definition_of(workflow, plan_of(workflow))
    told = by_name(workflow.status.steps)
    over = workflow.status.outcome is not None
    return (
        _placed(definition, definition.steps, told, over=over),
        _placed(definition, definition.finally_, told, over=over),
    )


def _placed(
    definition: Definition, steps: Sequence[Step], told: Mapping[str, StepStatus], *, over: bool
) -> tuple[Node, ...]:
    before = {step.name: definition.before.get(step.name, ()) for step in steps}
    if not upstream(before) and steps:
        before = {step.name: () for step in steps}  # a ring, or a name that there is not: the fault is told elsewhere
    depths: dict[str, int] = {}

    def depth(name: str) -> int:
        if name not in depths:
            depths[name] = 1 + max((depth(other) for other in before[name]), default=-1)
        return depths[name]

    order = {step.name: position for position, step in enumerate(steps)}
    made = [
        Node(step, told.get(step.name) or StepStatus(name=step.name), depth(step.name), before[step.name], over)
        for step in steps
    ]
    children: dict[str, list[Node]] = {}
    for node in made:
        parent = max(node.after, key=lambda name: (depths[name], order[name]), default="")
        children.setdefault(parent, []).append(node)
    return tuple(_walk(children, ""))


def _walk(children: Mapping[str, Sequence[Node]], parent: str) -> Iterator[Node]:
    for node in children.get(parent, ()):
        yield node
        yield from _walk(children, node.step.name)


def drawing(workflow: ActionWorkflow, now: datetime) -> RenderableType:
    """For a terminal."""
    main, last = nodes(workflow)
    parts: list[RenderableType] = [
        title(workflow),
        Grid([_row(node, now) for node in main], header=HEADER, indent=INDENT),
    ]
    if last:
        parts += section("Finally", Grid([_row(node, now) for node in last], indent=INDENT))
    back = [node for node in (*main, *last) if node.status.rollback]
    if back:
        parts += section("Taken back", Grid([_back(node) for node in back], indent=INDENT))
    return Group(*parts)


def _row(node: Node, now: datetime) -> Sequence[Text]:
    status = node.status
    branch = "   " * (node.depth - 1) + "└─ " if node.depth else ""
    name = Text.assemble((branch, "dim"), (node.mark, _STYLES[node.mark]), " ").append_text(shown(node.step.name))
    also = node.after if len(node.after) > 1 else ()
    how = [f"after {', '.join(also)}"] if also else []
    how += [f"when {node.step.when}"] if node.step.when else []
    return (
        name,
        shown(node.step.action),
        step_state(status, over=node.over),
        retries(status, now),
        Text(took(status.started_at, status.completed_at)),
        shown("; ".join(how), "dim"),
    )


def _back(node: Node) -> Sequence[Text]:
    back = node.status.rollback
    outcome = (back and back.outcome) or None
    state = "not taken back" if given_up(node.status) else str(outcome or "under way")
    return shown(node.step.name), Text(state), shown((back and back.message) or "")


def mermaid(workflow: ActionWorkflow) -> str:
    """A Mermaid flowchart, as Markdown pages of many tools draw it."""
    main, last = nodes(workflow)
    lines = ["flowchart TD"]
    names = {node.step.name: f"s{number}" for number, node in enumerate((*main, *last))}
    lines += [f'  {names[node.step.name]}["{node.mark} {_words(node)}"]' for node in (*main, *last)]
    lines += [f"  {names[other]} --> {names[node.step.name]}" for node in (*main, *last) for other in node.after]
    ends = _ends(main)
    firsts = [node for node in last if not node.after]
    lines += [f"  {names[end.step.name]} -.-> {names[first.step.name]}" for end in ends for first in firsts]
    lines += [f"  style {names[node.step.name]} stroke:{_COLOURS[node.mark]}" for node in (*main, *last)]
    return "\n".join(lines) + "\n"


def dot(workflow: ActionWorkflow) -> str:
    """A Graphviz graph."""
    main, last = nodes(workflow)
    lines = ["digraph workflow {", "  node [shape=box];"]
    for node in (*main, *last):
        label = f"{node.mark} {_words(node)}"
        lines.append(f'  "{node.step.name}" [label="{label}", color="{_COLOURS[node.mark]}"];')
    lines += [f'  "{other}" -> "{node.step.name}";' for node in (*main, *last) for other in node.after]
    firsts = [node for node in last if not node.after]
    for end in _ends(main):
        lines += [f'  "{end.step.name}" -> "{first.step.name}" [style=dashed];' for first in firsts]
    return "\n".join([*lines, "}"]) + "\n"


def _words(node: Node) -> str:
    """Names of steps and types are checked; nothing else is in a drawing for other tools."""
    state = node.status.outcome or ("started" if node.status.uid else idle_word(over=node.over))
    return f"{node.step.name}: {node.step.action} ({state})"


def _ends(main: Sequence[Node]) -> Sequence[Node]:
    """The steps that no other waits for: finally steps come after all of them."""
    waited_for = {name for node in main for name in node.after}
    return [node for node in main if node.step.name not in waited_for]
