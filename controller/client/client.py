"""ActionClient: propose actions, workflows and runs of runbooks, approve, wait, cancel, suspend, undo, halt."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from controller.api.approval import ActionApproval, Vote
from controller.api.common import Identity, RetryConfig, RetrySpec
from controller.api.names import Mode
from controller.api.policy import ActionPolicy
from controller.api.proposal import ActionProposal
from controller.api.workflow import ActionWorkflow
from controller.client.again import retry_workflow, undo_workflow
from controller.client.cluster import who_we_are
from controller.client.objects import T, change, create, read, steps_of
from controller.client.proposing import proposal_manifest, read_runbook, run_manifest, workflow_manifest
from controller.client.requests import Recommendation
from controller.client.scope import EVERYTHING, Scope
from controller.client.switches import end_halt, halt
from controller.client.undo import undo_request
from controller.client.votes import vote_manifest
from controller.client.voting import Cast, cast_vote
from controller.client.waiting import finished
from controller.core.errors import PermanentFailure
from controller.core.ports import Json
from controller.core.runbook import RunbookEntry
from controller.kube.api import Api
from controller.kube.login import Login
from controller.kube.resources import WORKFLOWS
from controller.kube.session import Session

Retry = RetryConfig | RetrySpec | None


class ActionClient:
    """Speaks to one API server as one user: `async with ActionClient(namespace="shop") as client`.

    Credentials: the given kubeconfig or context; `KUBECONFIG`; the pod's ServiceAccount; `~/.kube/config`. The
    namespace is the given one, else the context's, else `default`. `as_user`, `as_groups`: whom to impersonate.

    Before it creates something the client checks what the operator would refuse, by the ActionTypes and ActionPolicies
    of the cluster. What the user may not read (types, policies, the namespace's labels) is left to the operator, which
    checks everything again. Beside the errors named, all calls raise those of `core.errors`: RightMissing,
    TransientFailure when the API server is away, PermanentFailure without credentials.
    """

    def __init__(
        self,
        *,
        kubeconfig: str | None = None,
        context: str | None = None,
        namespace: str | None = None,
        as_user: str | None = None,
        as_groups: Sequence[str] = (),
    ) -> None:
        self._session = Session(Login(kubeconfig, context))
        self._namespace = namespace
        self._identity: Json | None = None
        self._asked_identity = False
        own = Api(self._session)
        self.api = own.as_member(as_user, as_groups) if as_user else own

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
        dry_run: bool = False,
    ) -> ActionProposal:
        """Creates an ActionProposal and returns it. Without a name it gets that of the action and a random part.

        `dry_run`: the API server checks it and stores nothing. (`mode="DryRun"` is stored, and stops at the preview.)

        Raises:
            ValueError: there is no such action; the text lists those there are, the closest first.
            ObserveOnlyError: policy lets it only be observed, and `mode` is not DryRun.
            ValidationError: something in it is wrong; all faults at once.
            Conflict: the name is taken.
        """
        fields = {
            "action": action,
            "parameters": dict(parameters or {}),
            "reason": reason,
            "ticket": ticket,
            "serviceAccountName": service_account_name,
            "requestedBy": await self._who_we_are(),
            "mode": mode,
            "retry": retry,
            "timeoutSeconds": timeout_seconds,
            "notBefore": not_before,
            "startingDeadlineSeconds": starting_deadline_seconds,
            "activeDeadlineSeconds": active_deadline_seconds,
            "ttlSecondsAfterFinished": ttl_seconds_after_finished,
        }
        body = await proposal_manifest(self.api, namespace or self.namespace, name, fields)
        return await create(self.api, ActionProposal, body, dry_run=dry_run)

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
        fields = {
            "description": description,
            "reason": reason or description,
            "order": order,
            "onFailure": on_failure,
            "maxParallel": max_parallel,
            "ticket": ticket,
            "serviceAccountName": service_account_name,
            "requestedBy": await self._who_we_are(),
            "mode": mode,
            "retry": retry,
            "notBefore": not_before,
            "startingDeadlineSeconds": starting_deadline_seconds,
            "activeDeadlineSeconds": active_deadline_seconds,
            "ttlSecondsAfterFinished": ttl_seconds_after_finished,
        }
        body = await workflow_manifest(self.api, namespace or self.namespace, name, actions, fields)
        return await create(self.api, ActionWorkflow, body)

    async def run_runbook(
        self,
        runbook: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        namespace: str | None = None,
        name: str | None = None,
        reason: str | None = None,
        ticket: str | None = None,
        service_account_name: str | None = None,
        mode: str = Mode.EXECUTE,
        not_before: datetime | None = None,
        ttl_seconds_after_finished: int | None = None,
        dry_run: bool = False,
    ) -> ActionWorkflow:
        """Creates an ActionWorkflow that runs an ActionRunbook of the same namespace, and returns it.

        Without a name it gets that of the runbook and a random part; without a reason, the runbook's description.
        `dry_run`: the API server checks it and stores nothing.

        Raises:
            ValueError: there is no such runbook, or it runs actions that do not exist.
            ObserveOnlyError: policy lets one of its actions only be observed, and `mode` is not DryRun.
            ValidationError: something in the parameters or in the runbook is wrong; all faults at once.
            Conflict: the name is taken.
        """
        entry = await self.runbook(runbook, namespace=namespace)
        body = await self.runbook_manifest(
            entry,
            dict(parameters or {}),
            name=name,
            reason=reason,
            ticket=ticket,
            service_account_name=service_account_name,
            mode=mode,
            not_before=not_before,
            ttl_seconds_after_finished=ttl_seconds_after_finished,
        )
        return await create(self.api, ActionWorkflow, body, dry_run=dry_run)

    async def runbook(self, name: str, *, namespace: str | None = None) -> RunbookEntry:
        """The runbook as it is now. Raises ValueError with the names nearest to it where there is none."""
        return await read_runbook(self.api, namespace or self.namespace, name)

    async def runbook_manifest(
        self,
        entry: RunbookEntry,
        parameters: Json,
        *,
        name: str | None = None,
        reason: str | None = None,
        ticket: str | None = None,
        service_account_name: str | None = None,
        mode: str = Mode.EXECUTE,
        not_before: datetime | None = None,
        ttl_seconds_after_finished: int | None = None,
    ) -> Json:
        """The workflow that `run_runbook` would create. Raises what that raises, but for Conflict."""
        fields = {
            "parameters": parameters or None,
            "reason": reason or entry.runbook.spec.description,
            "ticket": ticket,
            "serviceAccountName": service_account_name,
            "requestedBy": await self._who_we_are(),
            "mode": mode,
            "notBefore": not_before,
            "ttlSecondsAfterFinished": ttl_seconds_after_finished,
        }
        return await run_manifest(self.api, entry, name, fields)

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

    async def propose_undo_of_workflow(
        self, name: str, *, namespace: str | None = None, new_name: str | None = None, reason: str | None = None
    ) -> ActionWorkflow:
        """Proposes the workflow that takes back what a finished one did, by default as `<name>-undo`.

        Raises NothingToUndo with the reason; Conflict if it was already proposed.
        """
        done = await self.get(name, ActionWorkflow, namespace=namespace)
        steps = await steps_of(self.api, done)
        return await self._propose(undo_workflow(done, steps, name=new_name, reason=reason))

    async def propose_retry(
        self,
        name: str,
        *,
        namespace: str | None = None,
        new_name: str | None = None,
        reason: str | None = None,
        unknown_too: bool = False,
    ) -> ActionWorkflow:
        """Proposes the workflow that runs the failed part of a finished one again, by default as `<name>-retry`.

        `unknown_too`: also steps whose result is not known, which may then take effect twice.

        Raises NothingToRetry with the reason; Conflict if it was already proposed.
        """
        raw = await self.api.get(WORKFLOWS, name, namespace=namespace or self.namespace)
        done = ActionWorkflow.model_validate(raw)
        return await self._propose(
            retry_workflow(done, raw["spec"], name=new_name, reason=reason, unknown_too=unknown_too)
        )

    async def _propose(self, body: Json) -> ActionWorkflow:
        body["spec"]["requestedBy"] = await self._who_we_are()
        return await create(self.api, ActionWorkflow, body)

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

    async def answer(
        self,
        name: str,
        answer: Any,
        *,
        comment: str = "",
        namespace: str | None = None,
        digest: str | None = None,
    ) -> ActionApproval:
        """Answers what a proposal of type `ask` asks, as the current user; the same answer twice is one.

        `answer`: JSON that fits its schema. Raises what `approve` raises, and ValidationError where it does not fit.
        """
        cast = await self.vote(
            name, ActionProposal, Vote.APPROVE, comment=comment, namespace=namespace, digest=digest, answer=answer
        )
        return cast.approval

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
        answer: Any = None,
    ) -> Cast:
        """The vote, and whether it had been cast before. Raises what `approve` and `answer` raise."""
        subject = await self.get(name, kind, namespace=namespace)
        me = await self.identity()
        body = vote_manifest(subject, decision, me, comment=comment, shown_digest=digest, answer=answer)
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
        return await read(self.api, kind, name, namespace or self.namespace)

    async def wait(
        self, name: str, kind: type[T], *, namespace: str | None = None, timeout_seconds: float | None = None
    ) -> T:
        """The object once it is finished, whatever its outcome. Goes on through outages of the API server.

        Raises:
            NotFinished: a TimeoutError; time was up first, the text says where it stands.
            NotFound: there is no such object, or it was deleted meanwhile.
        """
        return await finished(self.api, kind, name, namespace or self.namespace, timeout_seconds)

    async def cancel(self, name: str, kind: type[T], *, namespace: str | None = None) -> T:
        """Asks for it to be cancelled; `wait` tells what came of it. PermanentFailure if it is already finished."""
        return await change(self.api, kind, name, namespace or self.namespace, {"cancelled": True})

    async def suspend(self, name: str, kind: type[T], *, namespace: str | None = None) -> T:
        """Lets nothing new start. PermanentFailure if it is already finished."""
        return await change(self.api, kind, name, namespace or self.namespace, {"suspend": True})

    async def resume(self, name: str, kind: type[T], *, namespace: str | None = None) -> T:
        """Lets a suspended one go on. PermanentFailure if it is already finished."""
        return await change(self.api, kind, name, namespace or self.namespace, {"suspend": False})

    async def _who_we_are(self) -> Json | None:
        if not self._asked_identity:
            self._identity = await who_we_are(self.api)
            self._asked_identity = True
        return self._identity
