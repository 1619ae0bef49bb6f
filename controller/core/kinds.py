"""Which kinds the generic actions may touch, those that take any kind: what policies allow, never what none can. Pure.

Kinds are named as in `spec.kinds.allowed`: `apps/Deployment`, those of the core group by their name alone: `ConfigMap`.
No policy can allow what gives rights, takes part in admission, defines kinds, holds credentials or steers the operator.
Of what belongs to the whole cluster the executors touch nothing.
"""

import re

from controller.api.base import GROUP

NEVER_GROUPS = frozenset({
    GROUP,
    "rbac.authorization.k8s.io", "authorization.k8s.io", "authentication.k8s.io", "certificates.k8s.io",
    "admissionregistration.k8s.io", "apiextensions.k8s.io", "apiregistration.k8s.io",
})  # fmt: skip
NEVER_KINDS = frozenset({"Secret", "ServiceAccount", "Namespace", "Node", "PersistentVolume"})
"""Of the core group."""

_NAME = re.compile(r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Z][A-Za-z0-9]*")


def kind_name(api_version: str, kind: str) -> str:
    """`apps/Deployment`, `ConfigMap`."""
    group = api_version.rpartition("/")[0]
    return f"{group}/{kind}" if group else kind


def never(name: str) -> bool:
    """Whether no policy can allow the kind."""
    group, _, kind = name.rpartition("/")
    if not group:
        return kind in NEVER_KINDS
    return group in NEVER_GROUPS or group.endswith(f".{GROUP}")


def listing_fault(name: str) -> str | None:
    """What is wrong with a name in `spec.kinds.allowed`."""
    if not _NAME.fullmatch(name):
        return f"{name} must be group/Kind, or Kind alone in the core group: apps/Deployment, ConfigMap"
    return f"{name} {NEVER}; remove it" if never(name) else None


def refusal(name: str, allowed: frozenset[str] | None) -> str | None:
    """Why policies do not let the kind be touched. `allowed` None: none that surely matches names any."""
    if allowed is None:
        return f"no ActionPolicy that matches has spec.kinds.allowed; {name} must stand in it"
    if name in allowed:
        return None
    told = ", ".join(sorted(allowed)) or "none"
    return f"{name} is not among the kinds that spec.kinds.allowed of all matching policies have in common: {told}"


NEVER = "is out of reach of the generic actions, whatever policies say"
