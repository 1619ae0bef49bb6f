"""What is told of an action type beside its parameters: its page in docs/actions/ and its rules for runners."""

from dataclasses import dataclass
from enum import StrEnum

from controller.core.ports import Json


class Family(StrEnum):
    """Types that are used together; a cluster may give a runner the rights of a whole family."""

    WORKLOADS = "Workloads"
    PODS = "Pods"
    NODES = "Nodes"
    OBJECTS = "Objects"
    JOBS = "Jobs"
    OUTSIDE = "Outside calls"
    FLOW = "People and flow"
    GITOPS = "GitOps"


@dataclass(frozen=True)
class Right:
    """One RBAC rule that a runner needs. `group` "" is the core group."""

    group: str
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    cluster: bool = False
    """Whether it must be granted for the whole cluster (ClusterRole), as for nodes."""
    names: tuple[str, ...] = ()
    """Names to fill in, where a rule for all objects would be too much."""
    why: str = ""
    """When it is needed, if not always: `optional: to warn of autoscalers`."""

    @property
    def optional(self) -> bool:
        """Whether the action works without it."""
        return bool(self.why)

    def rule(self) -> Json:
        """As a rule of a Role."""
        names = {"resourceNames": list(self.names)} if self.names else {}
        return {"apiGroups": [self.group], "resources": list(self.resources), **names, "verbs": list(self.verbs)}


@dataclass(frozen=True)
class About:
    """A few words each; empty where there is nothing to say."""

    family: Family
    rights: tuple[Right, ...] = ()
    undone_by: str = ""
    """What takes it back: `the replicas from before`. Empty: nothing does."""
    repeats: str = ""
    """When it is idempotent, where that depends on its parameters."""
    runner: str = ""
    """When it needs a runner, where that depends on its parameters."""
