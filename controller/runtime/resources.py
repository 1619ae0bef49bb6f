"""The kinds that the operator itself reads and writes, as resources of the API server."""

from controller.api.actiontype import ActionType
from controller.api.base import GROUP, VERSION
from controller.api.policy import ActionPolicy
from controller.api.proposal import ActionProposal
from controller.api.resource import KindInfo
from controller.api.workflow import ActionWorkflow
from controller.core.ports import Resource


def resource(info: KindInfo) -> Resource:
    return Resource(GROUP, VERSION, info.plural, info.kind, info.namespaced)


PROPOSALS = resource(ActionProposal.INFO)
WORKFLOWS = resource(ActionWorkflow.INFO)
TYPES = resource(ActionType.INFO)
POLICIES = resource(ActionPolicy.INFO)
NAMESPACES = Resource("", "v1", "namespaces", "Namespace", namespaced=False)
SERVICE_ACCOUNTS = Resource("", "v1", "serviceaccounts", "ServiceAccount")

LIVE = "status.outcome="
"""Field selector of objects that are not finished."""
TO_DELETE = "status.outcome!=,spec.ttlSecondsAfterFinished!="
"""Field selector of finished objects that ask to be deleted some time after."""

LIVING = (PROPOSALS, WORKFLOWS)
DECLARED = (TYPES, POLICIES, NAMESPACES)
