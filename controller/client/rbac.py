"""Who may approve, by the bindings and roles of RBAC. Pure.

RBAC is read as its authorizer reads it: a RoleBinding of the namespace or a ClusterRoleBinding gives its subjects the
rules of its role; `*` stands for every verb, API group or resource; rules without `resourceNames` are for every name.
Who is in which group is known to the authenticator alone, so users have here what is theirs by name, or by groups that
every authenticated user is in. Other authorizers (a webhook, `system:masters`) are not seen.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from controller.api.actiontype import ActionType
from controller.api.approval import ActionApproval
from controller.api.base import GROUP
from controller.client.access import APPROVE, APPROVE_AS_MACHINE, MACHINE
from controller.core.ports import Json

AUTHENTICATED = "system:authenticated"
MACHINES = "system:serviceaccounts"


class HolderKind(StrEnum):
    USER = "user"
    GROUP = "group"
    MACHINE = "service account"


@dataclass(frozen=True, order=True)
class Holder:
    """Whom a binding names. A service account is written `namespace/name`."""

    kind: HolderKind
    name: str

    @property
    def username(self) -> str:
        """The user name that the API server knows it by; a group has none."""
        return MACHINE + self.name.replace("/", ":") if self.kind is HolderKind.MACHINE else self.name

    @property
    def groups(self) -> tuple[str, ...]:
        """Groups that it is in without anybody having to say so."""
        if self.kind is HolderKind.MACHINE:
            return (MACHINES, f"{MACHINES}:{self.name.partition('/')[0]}", AUTHENTICATED)
        return (AUTHENTICATED,) if self.kind is HolderKind.USER else ()

    @property
    def is_machine(self) -> bool:
        """Whether it is a service account, or a group of nothing but service accounts."""
        if self.kind is HolderKind.GROUP:
            return self.name == MACHINES or self.name.startswith(f"{MACHINES}:")
        return self.kind is HolderKind.MACHINE


@dataclass(frozen=True)
class Approver:
    """Somebody who may approve some of the actions."""

    holder: Holder
    actions: tuple[str, ...]
    """Those that they may approve."""
    missing: tuple[str, ...]
    """Those that they may not."""
    through: tuple[str, ...]
    """`RoleBinding approvers (ClusterRole action-approver)`, each binding that gives some of it."""
    may_create: bool
    """Whether they may create ActionApprovals at all."""

    @property
    def full(self) -> bool:
        return not self.missing


@dataclass(frozen=True)
class Rbac:
    """Bindings and roles as the API server lists them, of one namespace and of the cluster."""

    role_bindings: Sequence[Json] = ()
    cluster_role_bindings: Sequence[Json] = ()
    roles: Sequence[Json] = ()
    cluster_roles: Sequence[Json] = ()


@dataclass
class _Held:
    """What one holder has, while it is put together."""

    rights: set[tuple[str, str]] = field(default_factory=set)
    """Verb and action."""
    through: dict[str, None] = field(default_factory=dict)
    create: bool = False


def approvers(rbac: Rbac, actions: Sequence[str]) -> list[Approver]:
    """Everybody who is named in a binding and may approve at least one of the actions; those who may all come first."""
    held = _held(rbac, actions)
    found = [_approver(holder, held, actions) for holder in held]
    return sorted(
        (approver for approver in found if approver.actions),
        key=lambda approver: (not approver.full, approver.holder),
    )


def unknown_roles(rbac: Rbac) -> list[str]:
    """Roles that bindings refer to and that were not found, so that what they give is not known."""
    rules = _rules(rbac)
    return sorted({f"{key[0]} {key[1]}" for binding in _bindings(rbac) if (key := _role_of(binding)) not in rules})


def _held(rbac: Rbac, actions: Sequence[str]) -> Mapping[Holder, _Held]:
    rules = _rules(rbac)
    held: dict[Holder, _Held] = {}
    for binding in _bindings(rbac):
        role = _role_of(binding)
        rights = {right for rule in rules.get(role, ()) for right in _approvals(rule, actions)}
        create = any(_allows(rule, "create", ActionApproval.INFO.plural, "") for rule in rules.get(role, ()))
        if not rights and not create:
            continue
        label = f"{binding['kind']} {binding['metadata']['name']} ({role[0]} {role[1]})"
        for holder in _holders(binding):
            one = held.setdefault(holder, _Held())
            one.rights |= rights
            one.create = one.create or create
            if rights:
                one.through[label] = None
    return held


def _approver(holder: Holder, held: Mapping[Holder, _Held], actions: Sequence[str]) -> Approver:
    own = [held[holder]]
    own += [held[group] for name in holder.groups if (group := Holder(HolderKind.GROUP, name)) in held]
    rights = set().union(*(one.rights for one in own))
    verbs = (APPROVE, APPROVE_AS_MACHINE) if holder.is_machine else (APPROVE,)
    may = tuple(action for action in actions if all((verb, action) in rights for verb in verbs))
    return Approver(
        holder,
        actions=may,
        missing=tuple(action for action in actions if action not in may),
        through=tuple(dict.fromkeys(label for one in own for label in one.through)),
        may_create=any(one.create for one in own),
    )


def _approvals(rule: Json, actions: Iterable[str]) -> Iterator[tuple[str, str]]:
    for verb in (APPROVE, APPROVE_AS_MACHINE):
        for action in actions:
            if _allows(rule, verb, ActionType.INFO.plural, action):
                yield verb, action


def _allows(rule: Json, verb: str, plural: str, name: str) -> bool:
    """Whether an RBAC rule allows the verb on that object of ours; `name` empty: on one that has no name yet."""
    names = rule.get("resourceNames") or ()
    return (
        _has(rule, "verbs", verb)
        and _has(rule, "apiGroups", GROUP)
        and _has(rule, "resources", plural)
        and (not names or name in names)
    )


def _has(rule: Json, key: str, value: str) -> bool:
    given = rule.get(key) or ()
    return value in given or "*" in given


def _bindings(rbac: Rbac) -> Iterator[Json]:
    """All of them, with their kinds: lists of the API server leave these out."""
    for kind, bindings in (("RoleBinding", rbac.role_bindings), ("ClusterRoleBinding", rbac.cluster_role_bindings)):
        for binding in bindings:
            yield {**binding, "kind": kind}


def _rules(rbac: Rbac) -> Mapping[tuple[str, str], Sequence[Json]]:
    listed = (("Role", rbac.roles), ("ClusterRole", rbac.cluster_roles))
    return {(kind, role["metadata"]["name"]): role.get("rules") or () for kind, roles in listed for role in roles}


def _role_of(binding: Json) -> tuple[str, str]:
    return binding["roleRef"]["kind"], binding["roleRef"]["name"]


def _holders(binding: Json) -> Iterator[Holder]:
    for subject in binding.get("subjects") or ():
        name = subject["name"]
        match subject["kind"]:
            case "User" if name.startswith(MACHINE) and name.count(":") == 3:  # a service account by its user name
                yield Holder(HolderKind.MACHINE, name.removeprefix(MACHINE).replace(":", "/"))
            case "User":
                yield Holder(HolderKind.USER, name)
            case "Group":
                yield Holder(HolderKind.GROUP, name)
            case "ServiceAccount":
                yield Holder(HolderKind.MACHINE, f"{subject['namespace']}/{name}")
