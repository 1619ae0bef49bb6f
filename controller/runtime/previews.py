"""Gathers previews: whether the runner exists, what the API server's dry run as the runner says, what checks say."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from controller.actions.races import racing
from controller.api.common import ObjectMeta
from controller.api.names import Reason
from controller.api.proposal import ProposalSpec
from controller.api.workflow import Step
from controller.core.checks import read_objects
from controller.core.errors import CallNotAllowed, NotFound, PermanentFailure, RightMissing, TransientFailure
from controller.core.policy import EffectivePolicy
from controller.core.view import Fault, Findings, ProposalView, WorkflowView
from controller.core.workflow_gates import kept_steps
from controller.core.world import TypeEntry
from controller.kube.api import Api
from controller.kube.resources import SERVICE_ACCOUNTS
from controller.runtime.checks import ahead
from controller.runtime.executors import Executors

PREVIEW_SECONDS = 15.0
PREVIEW_ATTEMPTS = 3
"""Of one that others' writes come between: it looks and asks for a dry run with what it saw."""
STEPS_AT_ONCE = 8
RUNNER_SECONDS = 5.0
"""For how long a runner that was seen to exist is not asked for again."""


class Previews:
    """Asks executors for previews."""

    def __init__(self, api: Api, executors: Executors, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._api = api
        self._executors = executors
        self._monotonic = monotonic
        self._runners: dict[tuple[str, str], float] = {}
        """When each runner was last seen to exist."""

    async def of_proposal(self, view: ProposalView) -> Findings:
        spec, about = view.proposal.spec, view.proposal.metadata
        return await self._find(view.type, spec, about, view.runner, view.policy)

    async def of_workflow(self, view: WorkflowView) -> dict[str, Findings]:
        """By step name, each as things are now."""
        side_by_side, kept = asyncio.Semaphore(STEPS_AT_ONCE), kept_steps(view)

        async def found(step: Step) -> Findings:
            if step.computed or step.name in kept:
                return Findings()  # what it would change is known when it starts, or done already
            async with side_by_side:
                return await self._find(
                    view.world.catalogue.types.get(step.action),
                    step,
                    view.workflow.metadata,
                    view.runner_of(step.action),
                    view.policy_of(step.action),
                )

        steps = view.definition.all
        all_found = await asyncio.gather(*(found(step) for step in steps))
        return {step.name: one for step, one in zip(steps, all_found, strict=True)}

    async def _find(
        self,
        entry: TypeEntry | None,
        asked: ProposalSpec | Step,
        about: ObjectMeta,
        runner: str | None,
        policy: EffectivePolicy,
    ) -> Findings:
        if entry is None:
            return Findings()
        try:
            ready = self._executors.ready(entry, asked.parameters, about=about, runner=runner, policy=policy)
            async with asyncio.timeout(PREVIEW_SECONDS):
                if runner and (ready.acts_as_runner or read_objects((*asked.preconditions, *asked.verify))):
                    await self._demand_runner(about.namespace or "", runner)
                preview = await racing(partial(ready.executor.preview, ready.request), attempts=PREVIEW_ATTEMPTS)
                warnings = await ahead(asked.preconditions, asked.verify, ready.request)
                return Findings(preview=replace(preview, warnings=(*warnings, *preview.warnings)))
        except TimeoutError:
            return Findings(unavailable=f"no answer within {PREVIEW_SECONDS:g} s")
        except _RunnerMissingError as error:
            return Findings(fault=Fault(Reason.RUNNER_MISSING, str(error), missing=True))
        except NotFound as error:
            return Findings(fault=Fault(Reason.TARGET_MISSING, str(error), missing=True))
        except RightMissing as error:
            return Findings(fault=Fault(Reason.RIGHT_MISSING, str(error), missing=True))
        except CallNotAllowed as error:
            return Findings(fault=Fault(Reason.PREVIEW_REFUSED, str(error), missing=True, lasting=True))
        except TransientFailure as error:
            return Findings(unavailable=str(error))
        except PermanentFailure as error:
            return Findings(fault=Fault(Reason.PREVIEW_REFUSED, str(error), missing=True))

    async def _demand_runner(self, namespace: str, runner: str) -> None:
        now = self._monotonic()
        if now - self._runners.get((namespace, runner), -RUNNER_SECONDS) < RUNNER_SECONDS:
            return
        self._runners.pop((namespace, runner), None)
        try:
            await self._api.get(SERVICE_ACCOUNTS, runner, namespace=namespace)
        except NotFound:
            raise _RunnerMissingError(
                f"spec.serviceAccountName: there is no ServiceAccount {runner} in namespace {namespace}; create it"
            ) from None
        self._runners[namespace, runner] = now


class _RunnerMissingError(Exception):
    pass
