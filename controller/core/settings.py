"""Settings that decisions depend on."""

from dataclasses import dataclass

from controller.api.base import OPERATOR
from controller.core.shard import EVERYTHING, Shard


@dataclass(frozen=True)
class Settings:
    """Of the operator process; `grace_seconds`: how long after creation something missing is not yet a fault."""

    grace_seconds: float = 10.0
    default_timeout_seconds: int = 300
    owner: str = "operator"
    """Names this process start in the attempts that it claims."""
    shard: Shard = EVERYTHING
    """What of all objects it works on."""
    approval_mode: bool = False
    """Whether everything needs at least one approval, whatever policies say."""
    actor: str = OPERATOR
    """Who the history names for what the operator does by itself."""
