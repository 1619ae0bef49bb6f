"""The generated parts of the pages in docs/actions/: an index; of each type its facts, its example, its rights."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from controller.actions.about import Family, Right
from controller.actions.base import Action

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples" / "actions"


def action_parts(actions: Iterable[Action[Any]]) -> dict[str, str]:
    """By name of the place: `actions`, `scale-workload.facts`, `.example`, `.rights`."""
    known = list(actions)
    made = {"actions": _index(known)}
    for action in known:
        made[f"{action.name}.facts"] = _facts(action)
        made[f"{action.name}.example"] = _fenced(example(action.name))
        made[f"{action.name}.rights"] = _rights(action.about.rights)
    return made


def example(name: str) -> str:
    """The manifest of the type's example. It is run as it stands by tests/e2e/test_action_examples.py."""
    path = EXAMPLES / f"{name}.yaml"
    return path.read_text(encoding="utf-8") if path.is_file() else f"# examples/actions/{name}.yaml is missing\n"


def _index(actions: list[Action[Any]]) -> str:
    lines = ["| type | what it does | risk | idempotent | runner | undo |", "| --- | --- | --- | --- | --- | --- |"]
    for family in Family:
        members = [action for action in actions if action.about.family is family]
        if members:
            lines.append(f"| **{family}** | | | | | |")
        lines += [
            f"| [{action.name}]({action.name}.md) | {action.description} | {action.risk} | {_repeats(action)} | "
            f"{_runner(action)} | {action.about.undone_by} |"
            for action in members
        ]
    return "\n".join(lines) + "\n"


def _facts(action: Action[Any]) -> str:
    facts = {
        "risk": str(action.risk),
        "idempotent": _repeats(action),
        "needs a runner": _runner(action),
        "undone by": action.about.undone_by or "nothing",
        "time for one attempt": f"{action.timeout_seconds} s, unless the proposal says otherwise",
    }
    lines = [
        action.description,
        "",
        "| | |",
        "| --- | --- |",
        *(f"| {name} | {fact} |" for name, fact in facts.items()),
    ]
    return "\n".join(lines) + "\n"


def _repeats(action: Action[Any]) -> str:
    return action.about.repeats or ("yes" if action.idempotent else "no: at most once")


def _runner(action: Action[Any]) -> str:
    return action.about.runner or ("yes" if action.needs_runner else "no")


def _rights(rights: tuple[Right, ...]) -> str:
    if not rights:
        return "None: it touches nothing in the cluster.\n"
    blocks = [
        _fenced(f"rules:   # {kind}\n" + "".join(_rules(right for right in rights if right.cluster is cluster)))
        for cluster, kind in ((False, "Role in the proposal's namespace"), (True, "ClusterRole"))
        if any(right.cluster is cluster for right in rights)
    ]
    return "\n".join(blocks)


def _rules(rights: Iterable[Right]) -> Iterator[str]:
    for right in rights:
        rule = yaml.safe_dump(right.rule(), default_flow_style=True, sort_keys=False, width=10_000).strip()
        yield f"- {rule}" + (f"   # {right.why}" if right.why else "") + "\n"


def _fenced(text: str) -> str:
    return f"```yaml\n{text}```\n"
