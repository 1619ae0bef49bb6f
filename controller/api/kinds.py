"""All kinds of the API, for those who do a thing once per kind: generate, install, list, watch."""

from controller.api.actiontype import ActionType
from controller.api.approval import ActionApproval
from controller.api.policy import ActionPolicy
from controller.api.proposal import ActionProposal
from controller.api.resource import Resource
from controller.api.runbook import ActionRunbook
from controller.api.schedule import ActionSchedule
from controller.api.workflow import ActionWorkflow

KINDS: tuple[type[Resource], ...] = (
    ActionType,
    ActionPolicy,
    ActionProposal,
    ActionWorkflow,
    ActionApproval,
    ActionRunbook,
    ActionSchedule,
)
