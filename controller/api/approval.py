"""ActionApproval: one person's immutable vote on one digest of one proposal or workflow."""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from controller.api.base import SET, ActionName, Digest, Rule, SpecModel, Text
from controller.api.common import Identity
from controller.api.resource import AGE, NAME_RULE, Column, KindInfo, Resource, Scope


class Vote(StrEnum):
    APPROVE = "Approve"
    REJECT = "Reject"


class SubjectKind(StrEnum):
    PROPOSAL = "ActionProposal"
    WORKFLOW = "ActionWorkflow"


class Subject(SpecModel):
    """What is voted on."""

    kind: SubjectKind
    """ActionProposal or ActionWorkflow."""
    name: Annotated[str, Field(min_length=1, max_length=63)]
    """Its name."""
    uid: Annotated[str, Field(min_length=1, max_length=64)]
    """Its uid: a vote never passes to another object of the same name."""


class ApprovalSpec(SpecModel):
    """The vote. Immutable."""

    subject: Subject
    """What is voted on."""
    digest: Digest
    """`status.digest` of the subject as the voter saw it."""
    actions: Annotated[tuple[ActionName, ...], Field(min_length=1, max_length=240, json_schema_extra=SET)]
    """Every action type that the vote covers."""
    decision: Vote
    """Approve or Reject."""
    comment: Text = ""
    """Why."""
    answer: Any = None
    """The answer, where a proposal of type `ask` puts a question: any JSON that fits its schema, at most 2 KiB."""
    approver: Identity | None = None
    """Who votes."""

    RULES = (Rule(rule="self == oldSelf", message="an approval cannot change; make a new one"),)


class ActionApproval(Resource):
    """One person's immutable vote on one digest of one proposal or workflow."""

    INFO = KindInfo(
        kind="ActionApproval",
        plural="actionapprovals",
        short_name="aa",
        scope=Scope.NAMESPACED,
        columns=(
            Column("Kind", ".spec.subject.kind"),
            Column("Subject", ".spec.subject.name"),
            Column("Decision", ".spec.decision"),
            Column("Approver", ".spec.approver.username"),
            AGE,
        ),
        selectable=(".spec.subject.uid",),
    )
    RULES = (NAME_RULE,)

    spec: ApprovalSpec
