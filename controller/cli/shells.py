"""What shells and kubectl read to complete commands, and how they ask. Imports nothing heavy itself."""

import os
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from io import StringIO
from typing import Any

from typer.completion import get_completion_script  # type: ignore[attr-defined]

PROGRAM = "kubectl-actions"
VARIABLE = "_KUBECTL_ACTIONS_COMPLETE"
"""Set by the scripts of the shells when they ask."""
_LINES = {VARIABLE: "complete_fish", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
"""Typer's answer in the form for fish, `word` or `word<TAB>a word on it` on each line: plain data."""
_TYPED = "_TYPER_COMPLETE_ARGS"
WITHOUT_WRAPPING = {"COLUMNS": "100000"}
"""Typer wraps what it says on a word, and shells take each line for a word of its own."""
NO_SPACE = 2
NO_FILES = 4
"""kubectl's words for: no space after the word, and no file names where there is nothing else."""
UNFINISHED = "="
"""What a word ends with that a value follows."""
ASKED_BY_KUBECTL = "__complete"
"""The first word, where kubectl asks; the words to complete follow."""
KUBECTL = f"""#!/bin/sh
# kubectl asks this program what may follow `kubectl actions`; its name must be kubectl_complete-actions, on the PATH.
exec {PROGRAM} {ASKED_BY_KUBECTL} "$@"
"""
# Typer's own script for zsh gives what it is told to eval, descriptions from the cluster included.
ZSH = rf"""#compdef {PROGRAM}

_kubectl_actions_completion() {{
  local line word
  local -a finished unfinished
  for line in "${{(@f)$({" ".join(f"{name}={value}" for name, value in _LINES.items())} \
      {_TYPED}="${{words[1,$CURRENT]}}" {PROGRAM} 2>/dev/null)}}"; do
    word=${{line%%$'\t'*}}
    line=${{word//:/\\:}}${{${{line[$#word + 1,-1]//\\/\\\\}}/$'\t'/:}}
    case $word in
      '') ;;
      *{UNFINISHED}) unfinished+=("$line") ;;
      *) finished+=("$line") ;;
    esac
  done
  if (( $#finished + $#unfinished )); then
    _describe 'kubectl actions' finished -- unfinished -S ''
  else
    _files
  fi
}}

compdef _kubectl_actions_completion {PROGRAM}
"""


def script(shell: str) -> str:
    """What a shell has to read to complete `kubectl-actions`; of `kubectl` the program that it asks."""
    match shell:
        case "kubectl":
            return KUBECTL
        case "zsh":
            return ZSH
        case _:
            return get_completion_script(prog_name=PROGRAM, complete_var=VARIABLE, shell=shell) + "\n"


def answer_kubectl(words: Sequence[str], complete: Callable[[], Any]) -> str:
    """The answer to kubectl, a line for each, for the words after `kubectl actions`. `complete`: the whole program.

    The last word is the one that is being typed. Typer is asked by its form for fish, whose lines are kubectl's.
    """
    *before, last = words or [""]
    line = shlex.join([PROGRAM, *before]) + " " + (shlex.quote(last) if last else "")
    out = StringIO()
    with (
        environment({**_LINES, _TYPED: line}),
        redirect_stdout(out),
        redirect_stderr(StringIO()),
        suppress(SystemExit),
    ):
        complete()
    offered = out.getvalue().rstrip("\n")
    told = [told.partition("\t")[0] for told in offered.splitlines()]
    unfinished = bool(told) and all(word.endswith(UNFINISHED) for word in told)
    return f"{offered}\n:{NO_FILES + (NO_SPACE if unfinished else 0)}\n"


def plugin() -> None:
    """The program `kubectl_complete-actions`."""
    from controller.cli.main import app

    sys.stdout.write(answer_kubectl(sys.argv[1:], app))


@contextmanager
def environment(values: dict[str, str]) -> Iterator[None]:
    """These variables, for as long as the block takes."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
