"""A vote on a proposal or workflow: what it covers, how it is named, whether there is anything to vote on. Pure."""

import hashlib
from typing import Any

from controller.api.approval import ActionApproval, ApprovalSpec, Subject, SubjectKind, Vote
from controller.api.base import API_VERSION
from controller.api.common import Identity
from controller.api.proposal import ActionProposal
from controller.api.workflow import ActionWorkflow
from controller.client.errors import DigestChanged, NothingToApprove, ValidationError
from controller.client.requests import MAX_NAME, manifest
from controller.client.standing import standing_still
from controller.core.answers import Question, question_of, same_answer
from controller.core.covered import covered_actions as of_workflow
from controller.core.digest import canonical
from controller.core.ports import Json

Subjects = ActionProposal | ActionWorkflow

MAX_COMMENT = 1024
ASK = "ask"
_HASH_LENGTH = 12
_VERBS = {Vote.APPROVE: "approve", Vote.REJECT: "reject"}


def covered_actions(subject: Subjects) -> tuple[str, ...]:
    """Every action type that a vote on it covers, undo and finally included, in alphabetical order."""
    if isinstance(subject, ActionProposal):
        return (subject.spec.action,)
    return tuple(sorted(of_workflow(subject)))


def check_votable(subject: Subjects, decision: Vote, shown_digest: str | None = None) -> str:
    """The digest to vote on. `shown_digest`: what the voter saw, if they say so.

    Raises:
        NothingToApprove: it is finished, has not been previewed yet, or (to approve it) has started.
        DigestChanged: what the voter saw is not what would run now.
    """
    status, verb = subject.status, _VERBS[decision]
    name = f"{subject.INFO.kind} {subject.metadata.name}"
    if status.outcome is not None:
        raise NothingToApprove(f"{name} is already finished ({status.outcome}); there is nothing to {verb}")
    if status.digest is None:
        raise NothingToApprove(f"{name} has no digest yet, so there is nothing to {verb}: {standing_still(subject)}")
    if shown_digest is not None and shown_digest != status.digest:
        raise DigestChanged(
            f"{name}: its digest is {status.digest}, not {shown_digest}: what would run, or what it would change, is "
            f"no longer what was shown; look at it again before you {verb}"
        )
    if decision is Vote.APPROVE and status.started_at is not None:
        raise NothingToApprove(f"{name} has started already; there is nothing to approve")
    return status.digest


def vote_name(subject: Subjects, *, username: str, digest: str, decision: Vote, answer: Any = None) -> str:
    """`scale-checkout-1f9a27c4b1d0`: of one user's one decision on one digest of one object, so that twice is once.

    Another answer is another vote: the first one may not have counted.
    """
    said = [] if answer is None else [answer]
    what = canonical([username, subject.metadata.uid, digest, decision.value, *said])
    tail = "-" + hashlib.sha256(what).hexdigest()[:_HASH_LENGTH]
    return subject.metadata.name[: MAX_NAME - len(tail)].rstrip("-.") + tail


def vote_manifest(
    subject: Subjects,
    decision: Vote,
    voter: Identity,
    *,
    comment: str = "",
    shown_digest: str | None = None,
    answer: Any = None,
) -> Json:
    """The ActionApproval to create. Raises what `check_votable` raises, ValidationError for comment and answer."""
    digest = check_votable(subject, decision, shown_digest)
    question = question_put(subject) if decision is Vote.APPROVE else None
    if question is not None and (fault := question.fault(answer)):
        raise ValidationError([fault])
    if question is None and answer is not None:
        raise ValidationError([f"spec.answer: {subject.INFO.kind} {subject.metadata.name} asks nothing"])
    if len(comment) > MAX_COMMENT:
        raise ValidationError([f"spec.comment: must be at most {MAX_COMMENT} characters long (got {len(comment)})"])
    about = subject.metadata
    spec = ApprovalSpec(
        subject=Subject(kind=SubjectKind(subject.INFO.kind), name=about.name, uid=about.uid),
        digest=digest,
        actions=covered_actions(subject),
        decision=decision,
        approver=voter,
        answer=answer,
        **({"comment": comment} if comment else {}),
    )
    name = vote_name(subject, username=voter.username, digest=digest, decision=decision, answer=answer)
    body = manifest(ActionApproval.INFO, name, about.namespace or "", spec)
    owner = {"apiVersion": API_VERSION, "kind": subject.INFO.kind, "name": about.name, "uid": about.uid}
    body["metadata"]["ownerReferences"] = [owner]
    return body


def question_put(subject: Subjects) -> Question | None:
    """The question that a proposal of type `ask` puts; None for all else."""
    if isinstance(subject, ActionProposal) and subject.spec.action == ASK:
        return question_of(subject.spec.parameters)
    return None


def is_the_vote(stored: ActionApproval, body: Json) -> bool:
    """Whether the stored approval is the vote, whatever its comment."""
    wanted = ApprovalSpec.model_validate(body["spec"])
    approver, voter = stored.spec.approver, wanted.approver
    return (
        (stored.spec.subject, stored.spec.digest, stored.spec.decision)
        == (wanted.subject, wanted.digest, wanted.decision)
        and same_answer(stored.spec.answer, wanted.answer)
        and set(stored.spec.actions) == set(wanted.actions)
        and approver is not None
        and voter is not None
        and approver.username == voter.username
    )
