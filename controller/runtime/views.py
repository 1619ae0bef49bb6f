"""From stored JSON to what a decision sees. Models are built anew for each decision."""

from collections.abc import Mapping

from controller.api.proposal import ActionProposal
from controller.api.workflow import ActionWorkflow
from controller.core.attempt_report import Report
from controller.core.limits import Usage
from controller.core.ports import Json
from controller.core.steps import child_names
from controller.core.verdicts import WORKFLOW_KIND
from controller.core.view import Access, Child, Earlier, Findings, ProposalView, WorkflowView
from controller.kube.resources import PROPOSALS, WORKFLOWS
from controller.runtime.declarations import Declarations
from controller.runtime.store import Key, Store
from controller.runtime.votes import Votes


class Views:
    """Builds views from the store and the declarations. Raises pydantic's ValidationError for unreadable objects."""

    def __init__(self, store: Store, votes: Votes, declarations: Declarations, usage: Usage) -> None:
        self._store = store
        self._votes = votes
        self._declarations = declarations
        self._usage = usage

    def proposal(
        self,
        raw: Json,
        *,
        findings: Findings | None = None,
        access: Access | None = None,
        running: bool = False,
        unstarted: bool = False,
        report: Report | None = None,
        progress: str = "",
    ) -> ProposalView:
        proposal = ActionProposal.model_validate(raw)
        raw_parent = self._parent(proposal)
        parent = ActionWorkflow.model_validate(raw_parent) if raw_parent else None
        return ProposalView(
            proposal=proposal,
            raw_spec=raw["spec"],
            world=self._declarations.world(proposal.metadata.namespace or ""),
            parent=parent,
            parent_spec=raw_parent["spec"] if raw_parent else {},
            votes=self._votes.of(proposal.metadata.uid),
            parent_votes=self._votes.of(parent.metadata.uid) if parent else (),
            findings=findings,
            access=access,
            running=running,
            unstarted=unstarted,
            report=report,
            progress=progress,
            usage=self._usage,
        )

    def workflow(
        self,
        raw: Json,
        *,
        read: Mapping[str, Child],
        findings: Mapping[str, Findings] | None = None,
        access: Access | None = None,
        earlier: Earlier | None = None,
    ) -> WorkflowView:
        """`read` are children that were read for this decision; the live ones come from the store."""
        workflow = ActionWorkflow.model_validate(raw)
        namespace = workflow.metadata.namespace or ""
        children = dict(read)
        for name in child_names(workflow):
            live = self._store.get(Key(PROPOSALS.plural, namespace, name))
            if live is not None:
                children[name] = child(live)
        return WorkflowView(
            workflow=workflow,
            raw_spec=raw["spec"],
            world=self._declarations.world(namespace),
            children=children,
            votes=self._votes.of(workflow.metadata.uid),
            findings=findings,
            access=access,
            earlier=earlier,
        )

    def _parent(self, proposal: ActionProposal) -> Json | None:
        for owner in proposal.metadata.owner_references:
            if owner.kind == WORKFLOW_KIND and owner.controller:
                raw = self._store.get(parent_key(proposal.metadata.namespace, owner.name))
                if raw is not None and raw["metadata"]["uid"] == owner.uid:
                    return raw
        return None


def child(raw: Json) -> Child:
    return Child(ActionProposal.model_validate(raw), raw["spec"])


def parent_key(namespace: str | None, name: str) -> Key:
    return Key(WORKFLOWS.plural, namespace or "", name)


def owner_key(raw: Json) -> Key | None:
    """The workflow whose step the proposal says it is."""
    owner = owner_of(raw)
    return parent_key(raw["metadata"].get("namespace"), owner["name"]) if owner else None


def owner_of(raw: Json) -> Json | None:
    """The owner reference to that workflow."""
    for owner in raw["metadata"].get("ownerReferences") or ():
        if owner.get("kind") == WORKFLOW_KIND and owner.get("controller"):
            found: Json = owner
            return found
    return None
