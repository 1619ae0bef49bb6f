"""Options that commands share. Imports nothing heavy: `--help` must be there at once."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

FORMS = "write NAME, ap/NAME (a proposal) or aw/NAME (a workflow)"
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_NO_NAMES = frozenset({"", ".", ".."})


@dataclass(frozen=True)
class Connection:
    """Which cluster, as whom, in which namespace. None = as the kubeconfig says."""

    namespace: str | None = None
    context: str | None = None
    kubeconfig: str | None = None
    username: str | None = None
    groups: tuple[str, ...] = ()


class ListForm(StrEnum):
    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"


class PendingForm(StrEnum):
    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"


class ReportForm(StrEnum):
    TEXT = "text"
    JSON = "json"
    YAML = "yaml"


class PageForm(StrEnum):
    TEXT = "text"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"


class CreatedForm(StrEnum):
    JSON = "json"
    YAML = "yaml"
    NAME = "name"


class GraphForm(StrEnum):
    TEXT = "text"
    MERMAID = "mermaid"
    DOT = "dot"


class DataForm(StrEnum):
    JSON = "json"
    YAML = "yaml"


@dataclass(frozen=True)
class Starting:
    """How something is proposed. None = not said. `dry_run`: the API server's; `preview`: our mode DryRun."""

    name: str | None
    reason: str | None
    ticket: str | None
    runner: str | None
    dry_run: bool
    preview: bool
    wait: bool
    timeout_seconds: float | None
    form: CreatedForm | None


@dataclass(frozen=True)
class Operator:
    """Where the operator is. None = looked for."""

    namespace: str | None
    lease: str | None
    account: str | None


@dataclass(frozen=True)
class Following:
    """How what follows something finished is proposed. `form`: only print the manifest."""

    name: str | None
    reason: str | None
    wait: bool
    form: DataForm | None


class KindChoice(StrEnum):
    ALL = "all"
    PROPOSALS = "proposals"
    WORKFLOWS = "workflows"


def object_name(text: str) -> str:
    """The text if it can be NAME or KIND/NAME. Raises ValueError."""
    parts = text.split("/")
    if len(parts) > 2 or not _NO_NAMES.isdisjoint(parts) or "%" in text:
        raise ValueError(f"{text!r} is not a name; {FORMS}")
    return text


def namespace_name(text: str) -> str:
    """The text if it can be a namespace, or is empty, which stands for the context's. Raises ValueError."""
    if text and not _NAMESPACE.fullmatch(text):
        raise ValueError(f"{text!r} is not a namespace; write at most 63 lower-case letters, digits and '-'")
    return text


def runbook_name(text: str) -> str:
    """The name of a runbook from NAME or arb/NAME. Raises ValueError."""
    kind, slash, name = text.rpartition("/")
    known = ("arb", "actionrunbook", "actionrunbooks", "runbook", "actionrunbook.actionoperator.dev")
    if (slash and kind.lower() not in known) or name in _NO_NAMES or "%" in text:
        raise ValueError(f"{text!r} is not a runbook; write NAME or arb/NAME")
    return name


def type_name(text: str) -> str:
    """The name of an action type from NAME or at/NAME. Raises ValueError."""
    kind, slash, name = text.rpartition("/")
    known = ("at", "actiontype", "actiontypes", "type", "actiontype.actionoperator.dev")
    if (slash and kind.lower() not in known) or name in _NO_NAMES or "%" in text:
        raise ValueError(f"{text!r} is not an action type; write NAME or at/NAME")
    return name


def assignments(texts: Iterable[str]) -> dict[str, str]:
    """`replicas=6` by name. Raises ValueError for what has no name, no value, or is given twice."""
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise ValueError(f"{text!r}: write parameters like -p replicas=6")
        if name in found:
            raise ValueError(f"-p {name} is given twice")
        found[name] = value
    return found
