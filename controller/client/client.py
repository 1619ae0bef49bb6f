"""ActionClient: propose actions and workflows, approve them, wait for their outcome, cancel, suspend, undo, halt."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar, cast

from controller.api.approval import ActionApproval, Vote
from controller.api.common import Identity, RetryConfig, RetrySpec
from controller.api.names import Mode
from controller.api.policy import ActionPolicy
from controller.api.proposal import ActionProposal, ProposalSpec
from controller.api.workflow import ActionWorkflow, WorkflowSpec
from controller.client.cluster import read_rules, who_we_are
from controller.client.errors import NotFinished, ValidationError
from controller.client.requests import (
    Recommendation,
    generated_name,
    manifest,
    order_faults,
    parsed,
    step_mappings,
)
from controller.client.rules import Asked
from controller.client.scope import EVERYTHING, Scope
from controller.client.standing import standing
from controller.client.switches import end_halt, halt
from controller.client.undo import undo_request
from controller.client.votes import vote_manifest
from controller.client.voting import Cast, cast_vote
from controller.core.errors import Conflict, LostAnswer, NotFound, PermanentFailure, TransientFailure
from controller.core.graph import step_path
from controller.core.ports import Json
from controller.kube.api import Api
from controller.kube.login import Login
from controller.kube.resources import resource
from controller.kube.retries import write_again
from controller.kube.session import Session

T = TypeVar("T", bound=ActionProposal | ActionWorkflow)

Retry = RetryConfig | RetrySpec | None

FIRST_POLL_SECONDS = 0.2
LAST_POLL_SECONDS = 2.0
WRITE_TRIES = 3


class ActionClient:
    """Speaks to one API server as one user: `async with ActionClient(namespace="shop") as client`.

    Credentials: the given kubeconfig or context; `KUBECONFIG`; the pod's ServiceAccount; `~/.kube/config`. The
    namespace is the given one, else the context's, else `default`.

    Before it creates something the client checks what the operator would refuse, by the ActionTypes and ActionPolicies
    of the cluster. What the user may not read (types, policies, the namespace's labels) is left to the operator, which
    checks everything again. Beside the errors named, all calls raise those of `core.errors`: RightMissing,
    TransientFailure when the API server is away, PermanentFailure without credentials.
    """

    def __init__(
        self, *, kubeconfig: str | None = None, context: str | None = None, namespace: str | None = None
    ) -> None:
        self._session = Session(Login(kubeconfig, context))
        self._namespace = namespace
        self._identity: Json | None = None
        self._asked_identity = False
        self.api = Api(self._session)

    async def __aenter__(self) -> "ActionClient":
        if self._namespace is None:
            self._namespace = (await self._session.login.current()).namespace or "default"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    @property
    def namespace(self) -> str:
        """Where objects are made and looked for unless a call says otherwise."""
        return self._namespace or "default"

    async def propose_action(
        self,
        action: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        reason: str,
        namespace: str | None = None,
        name: str | None = None,
        ticket: str | None = None,
        service_account_name: str | None = None,
        mode: str = Mode.EXECUTE,
        retry: Retry = None,
        timeout_seconds: int | None = None,
        not_before: datetime | None = None,
        starting_deadline_seconds: int | None = None,
        active_deadline_seconds: int | None = None,
        ttl_seconds_after_finished: int | None = None,
    ) -> ActionProposal:
        """Creates an ActionProposal and returns it. Without a name it gets that of the action and a random part.

        Raises:
            ValueError: there is no such action; the text lists those there are, the closest first.
            ObserveOnlyError: policy lets it only be observed, and `mode` is not DryRun.
            ValidationError: something in it is wrong; all faults at once.
            Conflict: the name is taken.
        """
        spec = parsed(
            ProposalSpec,
            {
                "action": action,
                "parameters": dict(parameters or {}),
                "reason": reason,
                "ticket": ticket,
                "serviceAccountName": service_account_name,
                "requestedBy": await self._who_we_are(),
                "mode": _asked_mode(mode),
                "retry": retry,
                "timeoutSeconds": timeout_seconds,
                "notBefore": not_before,
                "startingDeadlineSeconds": starting_deadline_seconds,
                "activeDeadlineSeconds": active_deadline_seconds,
                "ttlSecondsAfterFinished": ttl_seconds_after_finished,
            },
        )
        where = namespace or self.namespace
        rules = await read_rules(self.api, where)
        rules.check([Asked("spec", spec.action, spec.parameters)], spec.mode, spec.requester)
        body = manifest(ActionProposal.INFO, name or generated_name(action), where, spec)
        return await self._create(ActionProposal, body)

    async def propose_workflow(
        self,
        name: str,
        description: str,
        actions: Sequence[Recommendation],
        ticket: str | None = None,
        *,
        namespace: str | None = None,
        reason: str | None = None,
        service_account_name: str | None = None,
        order: str = "Sequence",
        on_failure: str = "Stop",
        max_parallel: int | None = None,
        mode: str = Mode.EXECUTE,
        retry: Retry = None,
        not_before: datetime | None = None,
        starting_deadline_seconds: int | None = None,
        active_deadline_seconds: int | None = None,
        ttl_seconds_after_finished: int | None = None,
    ) -> ActionWorkflow:
        """Creates an ActionWorkflow and returns it. `reason` is the description if it is not given.

        `actions` are `ActionRecommendation`s or mappings like `{"action": "wait", "parameters": {"seconds": 9}}`,
        as needed with `name`, `depends_on` (and order="Graph"), `timeout_seconds`, `retry`.

        Raises:
            ValueError: no actions, or actions that do not exist; the text lists those there are, the closest first.
            ObserveOnlyError: policy lets one of them only be observed, and `mode` is not DryRun.
            ValidationError: something in it is wrong; all faults of all steps at once.
            Conflict: the name is taken.
        """
        if not actions:
            raise ValueError(f"workflow {name} has no actions; give at least one")
        spec = parsed(
            WorkflowSpec,
            {
                "description": description,
                "reason": reason or description,
                "order": order,
                "steps": step_mappings(actions),
                "onFailure": on_failure,
                "maxParallel": max_parallel,
                "ticket": ticket,
                "serviceAccountName": service_account_name,
                "requestedBy": await self._who_we_are(),
                "mode": _asked_mode(mode),
                "retry": retry,
                "notBefore": not_before,
                "startingDeadlineSeconds": starting_deadline_seconds,
                "activeDeadlineSeconds": active_deadline_seconds,
                "ttlSecondsAfterFinished": ttl_seconds_after_finished,
            },
        )
        where = namespace or self.namespace
        rules = await read_rules(self.api, where)
        wrong = list(order_faults(spec))
        asked = [
            Asked(step_path(step.name), step.action, step.parameters, frozenset(one.path for one in step.computed))
            for step in spec.steps
        ]
        try:
            rules.check(asked, spec.mode, spec.requester)
        except ValidationError as error:
            wrong += error.faults
        if wrong:
            raise ValidationError(wrong)
        return await self._create(ActionWorkflow, manifest(ActionWorkflow.INFO, name, where, spec))

    async def propose_undo(
        self, name: str, *, namespace: str | None = None, new_name: str | None = None, reason: str | None = None
    ) -> ActionProposal:
        """Proposes what puts back what a finished proposal changed, by default as `<name>-undo`.

        Raises NothingToUndo with the reason, and what `propose_action` raises; Conflict if it was already proposed.
        """
        done = await self.get(name, ActionProposal, namespace=namespace)
        request = undo_request(done, name=new_name, reason=reason)
        return await self.propose_action(
            request.undo.action,
            request.undo.parameters,
            reason=request.reason,
            namespace=request.namespace,
            name=request.name,
            ticket=request.ticket,
            service_account_name=request.service_account_name,
        )

    async def approve(
        self,
        name: str,
        *,
        kind: type[ActionProposal] | type[ActionWorkflow] = ActionProposal,
        comment: str = "",
        namespace: str | None = None,
        digest: str | None = None,
    ) -> ActionApproval:
        """Approves what it would run and change now, as the current user; doing it twice is one approval.

        `digest`: the `status.digest` that was shown to whoever decides. Give it wherever somebody looked at the object
        before; without it, what stands there at this moment is approved.

        Raises:
            NotFound: there is no such object.
            NothingToApprove: it is finished or has started, or the operator has not previewed it yet.
            DigestChanged: its digest is not the given one any more.
            RightMissing: the API server refuses the approval; the text is its own.
        """
        return (await self.vote(name, kind, Vote.APPROVE, comment=comment, namespace=namespace, digest=digest)).approval

    async def reject(
        self,
        name: str,
        *,
        kind: type[ActionProposal] | type[ActionWorkflow] = ActionProposal,
        comment: str = "",
        namespace: str | None = None,
        digest: str | None = None,
    ) -> ActionApproval:
        """Rejects it as the current user: one rejection ends it, and cancels what has started.

        Raises what `approve` raises.
        """
        return (await self.vote(name, kind, Vote.REJECT, comment=comment, namespace=namespace, digest=digest)).approval

    async def vote(
        self,
        name: str,
        kind: type[ActionProposal] | type[ActionWorkflow],
        decision: Vote,
        *,
        comment: str = "",
        namespace: str | None = None,
        digest: str | None = None,
    ) -> Cast:
        """The vote, and whether it had been cast before. Raises what `approve` raises."""
        subject = await self.get(name, kind, namespace=namespace)
        body = vote_manifest(subject, decision, await self.identity(), comment=comment, shown_digest=digest)
        return await cast_vote(self.api, body, subject)

    async def halt(self, scope: Scope = EVERYTHING, *, reason: str = "") -> ActionPolicy:
        """Lets nothing new start in that scope, by an ActionPolicy of its own; doing it twice is one halt.

        Raises RightMissing where the user may not create ActionPolicies.
        """
        return (await halt(self.api, scope, reason=reason, username=(await self.identity()).username)).policy

    async def end_halt(self, name: str) -> ActionPolicy:
        """Takes back a halt that was made by `halt`. Raises NotFound, ValueError for any other policy."""
        return await end_halt(self.api, name, (await self.identity()).username)

    async def identity(self) -> Identity:
        """Who we are to the API server. Raises PermanentFailure where it does not tell."""
        told = await self._who_we_are()
        if told is None:
            raise PermanentFailure("the API server does not tell who we are (create selfsubjectreviews)")
        return Identity.model_validate(told)

    async def get(self, name: str, kind: type[T], *, namespace: str | None = None) -> T:
        """The object as it is now. Raises NotFound."""
        found = await self.api.get(resource(kind.INFO), name, namespace=namespace or self.namespace)
        return _model(kind, found)

    async def wait(
        self, name: str, kind: type[T], *, namespace: str | None = None, timeout_seconds: float | None = None
    ) -> T:
        """The object once it is finished, whatever its outcome. Goes on through outages of the API server.

        Raises:
            NotFinished: a TimeoutError; time was up first, the text says where it stands.
            NotFound: there is no such object, or it was deleted meanwhile.
        """
        latest = await self.get(name, kind, namespace=namespace)
        trouble: TransientFailure | None = None
        pause = FIRST_POLL_SECONDS
        try:
            async with asyncio.timeout(timeout_seconds):
                while latest.status.outcome is None:
                    await asyncio.sleep(pause)
                    pause = min(pause * 1.5, LAST_POLL_SECONDS)
                    before = latest
                    try:
                        latest, trouble = await self.get(name, kind, namespace=namespace), None
                    except TransientFailure as error:
                        trouble = error
                    if latest.metadata.uid != before.metadata.uid:
                        raise NotFound(f"{kind.INFO.kind} {name} was deleted and made again while it was waited for")
        except TimeoutError:
            where = f"{latest.metadata.namespace}/{name}"
            text = f"{where} is not finished after {timeout_seconds:g} s: {standing(latest, datetime.now(UTC))}"
            if trouble is not None:
                text += f" (as last heard; {trouble})"
            raise NotFinished(text, latest) from None
        return latest

    async def cancel(self, name: str, kind: type[T], *, namespace: str | None = None) -> T:
        """Asks for it to be cancelled; `wait` tells what came of it. PermanentFailure if it is already finished."""
        return await self._change(name, kind, {"cancelled": True}, namespace)

    async def suspend(self, name: str, kind: type[T], *, namespace: str | None = None) -> T:
        """Lets nothing new start. PermanentFailure if it is already finished."""
        return await self._change(name, kind, {"suspend": True}, namespace)

    async def resume(self, name: str, kind: type[T], *, namespace: str | None = None) -> T:
        """Lets a suspended one go on. PermanentFailure if it is already finished."""
        return await self._change(name, kind, {"suspend": False}, namespace)

    async def _change(self, name: str, kind: type[T], spec: Json, namespace: str | None) -> T:
        where = namespace or self.namespace
        patch = partial(self.api.patch, resource(kind.INFO), name, {"spec": spec}, namespace=where)
        return _model(kind, await write_again(patch, tries=WRITE_TRIES, seconds=10.0))

    async def _create(self, kind: type[T], body: Json) -> T:
        """Creates it, again after a lost answer: the name is fixed, so it is made once."""
        about = body["metadata"]
        lost = False
        for remaining in reversed(range(WRITE_TRIES)):
            try:
                made = await self.api.create(resource(kind.INFO), body, namespace=about["namespace"])
                return _model(kind, made)
            except LostAnswer:
                lost = True
                if not remaining:
                    raise
            except Conflict:
                if not lost:
                    raise
                found = await self.get(about["name"], kind, namespace=about["namespace"])
                if found.spec != kind.model_validate(body).spec:
                    raise
                return found
        raise AssertionError("the last try either returns or raises")

    async def _who_we_are(self) -> Json | None:
        if not self._asked_identity:
            self._identity = await who_we_are(self.api)
            self._asked_identity = True
        return self._identity


def _model(kind: type[T], raw: Json) -> T:
    return cast("T", kind.model_validate(raw))


def _asked_mode(mode: str) -> str:
    """A person may ask for Execute or DryRun; Observe is what policy says."""
    if mode not in (Mode.EXECUTE, Mode.DRY_RUN):
        raise ValidationError([f"spec.mode: must be one of Execute, DryRun (got {mode})"])
    return str(mode)
