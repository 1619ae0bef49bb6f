"""What a kubeconfig names: its context, user and cluster; or in one line what is wrong with which file, and what to do.

The official client's loader reads it. What is wrong it says by keys of its own, or with a TypeError.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from controller.core.errors import PermanentFailure

WRONG_CONTENT = (OSError, ValueError, TypeError, KeyError, AttributeError)
"""What the official loader raises, besides its own errors, for files that are not as it thinks."""
_ANOTHER_FILE = "mend it, or name another with --kubeconfig"
_MOST_NAMES = 10


@dataclass(frozen=True)
class Context:
    """The context in force, and its user."""

    name: str
    content: Mapping[str, Any]
    user: Mapping[str, Any]


def is_there(path: str) -> bool:
    """Whether one of the files exists; `path` joins several as `KUBECONFIG` does."""
    return any(file.is_file() for file in _files(path))


def merged(official: ModuleType, path: str) -> Any:
    """All files as the official loader's one node. Raises PermanentFailure."""
    try:
        return official.KubeConfigMerger(path).config
    except (official.ConfigException, official.yaml.YAMLError, *WRONG_CONTENT) as error:
        wrong = _wrong_file(official, path) or f"kubeconfig {path}: {one_line(error)}; {_ANOTHER_FILE}"
        raise PermanentFailure(wrong) from error


def context_of(config: Any, asked: str | None, path: str) -> Context:
    """The context that is asked for, else the current one. Raises PermanentFailure where it leads nowhere."""
    contexts = _entries(config, "context")
    names = ", ".join(sorted(contexts)[:_MOST_NAMES]) + (", ..." if len(contexts) > _MOST_NAMES else "")
    if not contexts:
        raise PermanentFailure(f"kubeconfig {path}: it has no contexts; {_ANOTHER_FILE}")
    name = asked or config.value.get("current-context")
    if not name:
        raise PermanentFailure(
            f"kubeconfig {path}: it has no current-context; name a context with --context (there are: {names}), "
            "or set it: kubectl config use-context NAME"
        )
    if name not in contexts:
        which = f"there is no context {name}" if asked else f"its current-context {name} is not in it"
        raise PermanentFailure(f"kubeconfig {path}: {which}; name another with --context (there are: {names})")
    content = contexts[name]
    for kind in ("cluster", "user"):
        if content.get(kind) and content[kind] not in _entries(config, kind):
            raise PermanentFailure(
                f"kubeconfig {path}: context {name} names {kind} {content[kind]}, which is not in it; "
                "add it, or name another context with --context"
            )
    return Context(name, content, _entries(config, "user").get(content.get("user", ""), {}))


def one_line(error: object) -> str:
    """Its text; YAML's and those of plugins have several lines."""
    return " ".join(str(error).split())


def plain(node: Any) -> dict[str, Any]:
    """The mapping in one of the official loader's nodes."""
    value = getattr(node, "value", node)
    return value if isinstance(value, dict) else {}


def _files(path: str) -> list[Path]:
    return [Path(part).expanduser() for part in path.split(os.pathsep) if part]


def _entries(config: Any, kind: str) -> dict[str, dict[str, Any]]:
    """All of one kind by name; the first of a name counts."""
    found = [plain(node) for node in plain(config).get(f"{kind}s") or ()]
    return {str(entry["name"]): plain(entry.get(kind)) for entry in reversed(found) if entry.get("name")}


def _wrong_file(official: ModuleType, path: str) -> str | None:
    """Reads the files once more, to tell which of them it is."""
    for file in filter(Path.exists, _files(path)):
        try:
            with file.open() as text:
                content = official.yaml.safe_load(text)
        except OSError as error:
            return f"kubeconfig {file}: it cannot be read: {error.strerror}; {_ANOTHER_FILE}"
        except official.yaml.MarkedYAMLError as error:
            return f"kubeconfig {file}: it is not YAML: {error.problem} {_place(error.problem_mark)}; {_ANOTHER_FILE}"
        except (official.yaml.YAMLError, ValueError) as error:
            return f"kubeconfig {file}: it is not YAML: {one_line(error)}; {_ANOTHER_FILE}"
        if not isinstance(content, dict):
            return f"kubeconfig {file}: it has no clusters, users and contexts; {_ANOTHER_FILE}"
    return None


def _place(mark: Any) -> str:
    return f"(line {mark.line + 1}, column {mark.column + 1})" if mark else ""
