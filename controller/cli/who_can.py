"""who-can: who may approve one object, by RBAC as far as we may read it, and how many of them it takes."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.text import Text

from controller.api.common import Identity, Quorum
from controller.api.workflow import ActionWorkflow
from controller.cli.approvals import waits_for
from controller.cli.approving import no_approval_needed, own_counts
from controller.cli.data import write
from controller.cli.exits import Exit
from controller.cli.find import find
from controller.cli.items import SHORT, Model
from controller.cli.options import ReportForm
from controller.cli.refusals import Refused
from controller.cli.screen import INDENT, Grid, Lines, draw, section, shown
from controller.cli.session import Run
from controller.cli.table import UNREADABLE
from controller.client.rbac import Approver, HolderKind, Rbac, approvers, unknown_roles
from controller.client.votes import covered_actions
from controller.core.errors import RightMissing
from controller.core.ports import Json, Resource
from controller.kube.api import Api

_GROUP, _VERSION = "rbac.authorization.k8s.io", "v1"
ROLE_BINDINGS = Resource(_GROUP, _VERSION, "rolebindings", "RoleBinding")
CLUSTER_ROLE_BINDINGS = Resource(_GROUP, _VERSION, "clusterrolebindings", "ClusterRoleBinding", namespaced=False)
ROLES = Resource(_GROUP, _VERSION, "roles", "Role")
CLUSTER_ROLES = Resource(_GROUP, _VERSION, "clusterroles", "ClusterRole", namespaced=False)


@dataclass(frozen=True)
class Found:
    """Who may approve one object."""

    model: Model
    actions: tuple[str, ...]
    approvers: Sequence[Approver]
    gaps: Sequence[str]
    """What could not be read, so that somebody may be missing here."""


async def who_can(run: Run, name: str, *, form: ReportForm) -> Exit:
    """The whole command."""
    item = await find(run.api, run.namespace, name)
    if item.model is None:
        raise Refused(f"{item.short}: {UNREADABLE}")
    rbac, unread = await read_rbac(run.api, item.namespace)
    actions = covered_actions(item.model)
    gaps = [f"{plural} cannot be read" for plural in unread]
    gaps += [f"what {role} allows is not known" for role in unknown_roles(rbac) if not _hidden(role, unread)]
    found = Found(item.model, actions, approvers(rbac, actions), gaps)
    if form is ReportForm.TEXT:
        draw(run.out, answer(found))
    else:
        write(run.out, as_data(found), form)
    return Exit.OK


async def read_rbac(api: Api, namespace: str) -> tuple[Rbac, list[str]]:
    """Bindings and roles that bear on a namespace, and the plurals of those that we may not list."""
    unread: list[str] = []

    async def listed(resource: Resource) -> Sequence[Json]:
        try:
            return (await api.list(resource, namespace=namespace if resource.namespaced else None)).items
        except RightMissing:
            unread.append(resource.plural)
            return ()

    found = await asyncio.gather(*map(listed, (ROLE_BINDINGS, CLUSTER_ROLE_BINDINGS, ROLES, CLUSTER_ROLES)))
    return Rbac(*found), sorted(unread)


def answer(found: Found) -> Group:
    """For people."""
    about = found.model.metadata
    short = f"{SHORT[type(found.model)]}/{about.name}"
    head = f"{short} needs the right to approve {', '.join(found.actions)} in namespace {about.namespace}"
    full = [approver for approver in found.approvers if approver.full]
    part = [approver for approver in found.approvers if not approver.full]
    parts: list[RenderableType] = [Lines(shown(head))]
    nobody = Text("  nobody who is named in a binding that can be read", "yellow")
    parts += section("Who may approve", _people(full) if full else nobody)
    if part:
        parts += section("Only some of it", _people(part, missing=True))
    parts += section("What it takes", Group(*(Lines(shown(line), INDENT) for line in rule_lines(found.model))))
    parts += [Lines(shown(f"! {gap}, so this may be incomplete", "yellow")) for gap in found.gaps]
    return Group(*parts)


def rule_lines(model: Model) -> Iterator[str]:
    """The rule in force, as the operator noted it in status."""
    status, asker = model.status, model.spec.requested_by
    if status.outcome is not None:
        yield f"it is finished ({status.outcome}): nothing is approved any more"
        return
    if needless := no_approval_needed(model):
        yield f"no approval: {needless}"
        return
    if status.approval is None:
        yield "not known yet: the operator has not asked for approvals"
    else:
        for quorum in status.approval.quorums:
            yield _quorum(quorum)
        yield f"it has {waits_for(status.approval)}, each user counted once"
    counts = {True: "and may approve it", False: "and does not count", None: "and may not count"}[own_counts(model)]
    if asker is not None:
        yield f"{asker.username} asked for it, {counts}"
    runbook = model.status.runbook if isinstance(model, ActionWorkflow) else None
    if runbook is not None and runbook.edited_by is not None:
        yield f"{runbook.edited_by.username} last edited the runbook {runbook.name}, {counts}"


def _quorum(quorum: Quorum) -> str:
    """`2 approvals of group sre or dba (policy prod)`."""
    many = f"{quorum.required} approvals" if quorum.required > 1 else "an approval"
    groups = f" of group {' or '.join(quorum.groups)}" if quorum.groups else ""
    return f"{many}{groups} ({f'policy {quorum.policy}' if quorum.policy else 'setting OPERATOR_APPROVAL_MODE'})"


def as_data(found: Found) -> Json:
    """For programs."""
    about, progress = found.model.metadata, found.model.status.approval
    return {
        "subject": {"kind": found.model.INFO.kind, "namespace": about.namespace, "name": about.name},
        "actions": list(found.actions),
        "approvers": [
            {
                "kind": str(one.holder.kind),
                "name": one.holder.name,
                "may": list(one.actions),
                "mayNot": list(one.missing),
                "mayCreateApprovals": one.may_create,
                "through": list(one.through),
            }
            for one in found.approvers
        ],
        "approval": progress.wire() if progress else None,
        "requestedBy": _name(found.model.spec.requested_by),
        "incomplete": list(found.gaps),
    }


def _people(rows: Sequence[Approver], *, missing: bool = False) -> Grid:
    header = ("WHO", "NAME", *(("NOT",) if missing else ()), "THROUGH")
    return Grid([_row(one, missing) for one in rows], header=header, indent=INDENT)


def _row(one: Approver, missing: bool) -> Sequence[Text]:
    through = shown(", ".join(one.through))
    if not one.may_create:
        # Users may have this right by a group that only the authenticator knows of.
        by_group = ", unless by a group of theirs" if one.holder.kind is HolderKind.USER else ""
        through.append(f"; may not create actionapprovals{by_group}", "yellow")
    names = [shown(", ".join(one.missing))] if missing else []
    return (Text(str(one.holder.kind)), shown(one.holder.name), *names, through)


def _hidden(role: str, unread: Sequence[str]) -> bool:
    """Whether the role is unknown just because roles of its kind may not be read, which is told once."""
    return f"{role.partition(' ')[0].lower()}s" in unread


def _name(identity: Identity | None) -> str | None:
    return identity.username if identity else None
