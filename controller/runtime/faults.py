"""Shows a fault of the operator itself, or an object that it cannot read, in that object's own status."""

from dataclasses import dataclass

from pydantic import ValidationError

from controller.api.common import LifecycleStatus
from controller.api.proposal import ActionProposal, ProposalStatus
from controller.api.schedule import ActionSchedule
from controller.api.workflow import ActionWorkflow, WorkflowStatus
from controller.core.lifecycle import Moment
from controller.core.poison import mishandled, mishandled_schedule, unreadable, unreadable_status
from controller.core.ports import Json, Resource
from controller.core.settings import Settings
from controller.kube.resources import PROPOSALS, SCHEDULES, WORKFLOWS
from controller.runtime.clock import Clock
from controller.runtime.recorder import Recorder


@dataclass(frozen=True)
class _Kind:
    resource: Resource
    model: type[ActionProposal] | type[ActionWorkflow]
    empty: LifecycleStatus


_KINDS = {
    kind.resource.plural: kind
    for kind in (
        _Kind(PROPOSALS, ActionProposal, ProposalStatus()),
        _Kind(WORKFLOWS, ActionWorkflow, WorkflowStatus()),
    )
}


class Faults:
    """Writes what went wrong with an object where its owner looks."""

    def __init__(self, recorder: Recorder, clock: Clock, settings: Settings) -> None:
        self._recorder = recorder
        self._clock = clock
        self._settings = settings

    async def show(self, plural: str, raw: Json, error: Exception) -> Json:
        """The object as stored. Raises the errors of our own status writes."""
        if plural == SCHEDULES.plural:
            return await self._show_in_schedule(raw, error)
        if plural not in _KINDS:
            return raw
        kind = _KINDS[plural]
        now, generation = self._clock(), raw["metadata"].get("generation", 0)
        try:
            old = kind.model.model_validate(raw).status
        except ValidationError as unread:
            if message := unreadable_status(unread):
                return await self._recorder.write_message(kind.resource, raw, message)
            status = unreadable(kind.empty, unread, Moment(now, generation, self._settings.actor))
            return await self._recorder.write(kind.resource, raw, kind.empty, status)
        status = mishandled(old, error, generation=generation, now=now)
        return await self._recorder.write(kind.resource, raw, old, status)

    async def _show_in_schedule(self, raw: Json, error: Exception) -> Json:
        try:
            old = ActionSchedule.model_validate(raw).status
        except ValidationError:
            return raw  # the fault is in the log
        generation = raw["metadata"].get("generation", 0)
        status = mishandled_schedule(old, error, generation=generation, now=self._clock())
        return await self._recorder.write(SCHEDULES, raw, old, status)
