"""The generated parts of docs/reference/: words of the API, options of the operator, commands with their options."""

import ast
import inspect
from collections.abc import Iterator, Sequence
from enum import StrEnum
from itertools import pairwise
from types import ModuleType
from typing import Any, cast

import typer

from controller.api import names
from controller.cli import main as cli
from controller.operator import main as operator

WORDS = (names.Phase, names.Outcome, names.StepOutcome, names.AttemptResult, names.Reason, names.Transition)
PLUGIN = "kubectl actions"


def reference_parts() -> dict[str, str]:
    """By name of the place: `Reason.words` and so on, `settings`, `commands`."""
    meanings = _meanings(names)
    made = {f"{words.__name__}.words": _words(words, meanings[words.__name__]) for words in WORDS}
    group: Any = typer.main.get_command(operator.app)
    made["settings"] = _options(group.commands["run"])
    made["commands"] = "\n".join(_commands(typer.main.get_command(cli.app), PLUGIN))
    return made


def _words(words: type[StrEnum], meanings: dict[str, str]) -> str:
    rows = (f"| `{word.value}` | {meanings.get(word.name) or _same_outcome(word)} |" for word in words)
    return "\n".join(["| word | meaning |", "| --- | --- |", *rows]) + "\n"


def _same_outcome(word: StrEnum) -> str:
    """Of a step's outcome: that of its proposal. Raises KeyError where a word has no meaning of its own."""
    return f"its proposal has outcome {names.Outcome[word.name].value}"


def _meanings(module: ModuleType) -> dict[str, dict[str, str]]:
    """Of each class of words: the text below each word, by the word's name. Python forgets it, so it is read."""
    found: dict[str, dict[str, str]] = {}
    for node in ast.parse(inspect.getsource(module)).body:
        if isinstance(node, ast.ClassDef):
            found[node.name] = dict(_below(node.body))
    return found


def _below(body: Sequence[ast.stmt]) -> Iterator[tuple[str, str]]:
    for word, text in pairwise(body):
        match word, text:
            case ast.Assign(targets=[ast.Name(id=name)]), ast.Expr(value=ast.Constant(value=str(meaning))):
                yield name, " ".join(meaning.split())


def _commands(group: Any, prefix: str) -> Iterator[str]:
    for name, command in sorted(group.commands.items()):
        typed = f"{prefix} {name}"
        if hasattr(command, "commands"):
            yield from _commands(command, typed)
        else:
            arguments = " ".join(map(_argument, _of_kind(command, "argument")))
            yield f"### {typed.removeprefix(PLUGIN).strip()}\n\n`{' '.join(f'{typed} {arguments}'.split())}`\n"
            yield f"{cast('str', command.help).strip()}\n"
            yield _options(command)


def _argument(argument: Any) -> str:
    name = str(argument.metavar or argument.name).upper()
    return name if argument.required else f"[{name.strip('[]')}]"


def _options(command: Any) -> str:
    rows = ["| option | meaning |", "| --- | --- |"]
    for option in _of_kind(command, "option"):
        forms = ", ".join(f"`{form}`" for form in (*option.opts, *option.secondary_opts))
        said = [" ".join((option.help or "").split())]
        if option.envvar:
            said.append(f"Environment: `{option.envvar}`.")
        if option.default not in (None, False, "", (), []) and "default" not in said[0].lower():
            said.append(f"Default: `{getattr(option.default, 'value', option.default)}`.")
        meaning = " ".join(said).replace("|", "\\|")
        rows.append(f"| {forms} | {meaning} |")
    return "\n".join(rows) + "\n"


def _of_kind(command: Any, kind: str) -> list[Any]:
    return [one for one in command.params if one.param_type_name == kind and not getattr(one, "hidden", False)]
