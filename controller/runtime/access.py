"""Asks, right before it matters, whether those who asked and voted still may and are still known for who they are."""

import asyncio
from collections.abc import Collection, Iterable, Sequence

from controller.api.approval import ActionApproval
from controller.api.common import Identity
from controller.core.approvals import is_machine
from controller.core.view import Access, ProposalView, WorkflowView
from controller.kube.access import Right, may
from controller.kube.api import Api
from controller.kube.resources import SERVICE_ACCOUNTS, TYPES
from controller.runtime.enforcing import Enforcing


class AccessReviews:
    """Gathers `Access`. Raises the errors of `core.errors`: what is not known is not leave."""

    def __init__(self, api: Api, enforcing: Enforcing) -> None:
        self._api = api
        self._enforcing = enforcing

    async def of_proposal(self, view: ProposalView) -> Access:
        namespace = view.proposal.metadata.namespace or ""
        _, revoked = await asyncio.gather(
            self._enforcing.refresh(), self._revoked(view.votes, {view.proposal.spec.action}, namespace)
        )
        return Access(revoked)

    async def of_workflow(self, view: WorkflowView) -> Access:
        metadata, spec = view.workflow.metadata, view.workflow.spec
        namespace, actions = metadata.namespace or "", view.actions
        wanted = [Right("propose", TYPES, action, namespace) for action in actions]
        if spec.service_account_name:
            wanted.append(Right("use", SERVICE_ACCOUNTS, spec.service_account_name, namespace))
        _, revoked, missing, missing_of_editor = await asyncio.gather(
            self._enforcing.refresh(),
            self._revoked(view.votes, actions, namespace),
            self._missing(spec.requested_by, wanted, "spec.requestedBy: {}"),
            self._missing(_editor(view), wanted, "spec.runbookRef: {}, who last edited the runbook,"),
        )
        return Access(revoked, missing + missing_of_editor)

    async def _revoked(
        self, votes: Sequence[ActionApproval], actions: Collection[str], namespace: str
    ) -> frozenset[str]:
        """Uids of the votes whose voters may not approve every one of the actions.

        Each vote goes by its own stamp: what another of the same user name shows says nothing of it.
        """
        voters = {vote.spec.approver for vote in votes if vote.spec.approver}
        found = await asyncio.gather(*(self._all(who, _needed(who, actions, namespace)) for who in voters))
        refused = {who for who, allowed in zip(voters, found, strict=True) if not allowed}
        return frozenset(vote.metadata.uid for vote in votes if vote.spec.approver in refused)

    async def _missing(self, who: Identity | None, wanted: Sequence[Right], told: str) -> tuple[str, ...]:
        """`told`: how a fault begins, with a place for the user's name."""
        if who is None:
            return ()
        found = await asyncio.gather(*(may(self._api, who, right) for right in wanted))
        return tuple(
            f"{told.format(who.username)} may not {right}"
            for right, allowed in zip(wanted, found, strict=True)
            if not allowed
        )

    async def _all(self, who: Identity, rights: Iterable[Right]) -> bool:
        return all(await asyncio.gather(*(may(self._api, who, right) for right in rights)))


def _editor(view: WorkflowView) -> Identity | None:
    """Who says what the workflow does, if that is another than who asks for it."""
    editor = view.runbook.runbook.spec.edited_by if view.runbook else None
    return None if editor == view.workflow.spec.requested_by else editor


def _needed(who: Identity, actions: Collection[str], namespace: str) -> list[Right]:
    verbs = ["approve", "approve-as-machine"] if is_machine(who) else ["approve"]
    return [Right(verb, TYPES, action, namespace) for verb in verbs for action in sorted(actions)]
