"""Options that commands share. Imports nothing heavy: `--help` must be there at once."""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True)
class Connection:
    """Which cluster, as whom, in which namespace. None = as the kubeconfig says."""

    namespace: str | None = None
    context: str | None = None
    kubeconfig: str | None = None


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


class DataForm(StrEnum):
    JSON = "json"
    YAML = "yaml"


class KindChoice(StrEnum):
    ALL = "all"
    PROPOSALS = "proposals"
    WORKFLOWS = "workflows"
