"""What operator, programs and command line read and write, as resources of the API server."""

from controller.api.actiontype import ActionType
from controller.api.approval import ActionApproval
from controller.api.base import GROUP, VERSION
from controller.api.policy import ActionPolicy
from controller.api.proposal import ActionProposal
from controller.api.resource import KindInfo
from controller.api.runbook import ActionRunbook
from controller.api.schedule import ActionSchedule
from controller.api.workflow import ActionWorkflow
from controller.core.ports import Resource


def resource(info: KindInfo) -> Resource:
    """The resource of one of our kinds."""
    return Resource(GROUP, VERSION, info.plural, info.kind, info.namespaced)


PROPOSALS = resource(ActionProposal.INFO)
WORKFLOWS = resource(ActionWorkflow.INFO)
APPROVALS = resource(ActionApproval.INFO)
TYPES = resource(ActionType.INFO)
POLICIES = resource(ActionPolicy.INFO)
RUNBOOKS = resource(ActionRunbook.INFO)
SCHEDULES = resource(ActionSchedule.INFO)

NAMESPACES = Resource("", "v1", "namespaces", "Namespace", namespaced=False)
SERVICE_ACCOUNTS = Resource("", "v1", "serviceaccounts", "ServiceAccount")
JOBS = Resource("batch", "v1", "jobs", "Job")
PODS = Resource("", "v1", "pods", "Pod")
EVENTS = Resource("events.k8s.io", "v1", "events", "Event")
LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease")
ACCESS_REVIEWS = Resource("authorization.k8s.io", "v1", "subjectaccessreviews", "SubjectAccessReview", namespaced=False)
SELF_REVIEWS = Resource("authentication.k8s.io", "v1", "selfsubjectreviews", "SelfSubjectReview", namespaced=False)

LIVE = "status.outcome="
"""Field selector of objects that are not finished."""
FINISHED = "status.outcome!="
"""Field selector of objects that are finished."""
TO_DELETE = "status.outcome!=,spec.ttlSecondsAfterFinished!="
"""Field selector of finished objects that ask to be deleted some time after."""

LIVING = (PROPOSALS, WORKFLOWS)
"""The kinds that end: what is finished is not watched any more."""
WORKED = (*LIVING, SCHEDULES)
"""The kinds that are worked on."""
DECLARED = (TYPES, POLICIES, RUNBOOKS, NAMESPACES)
"""The kinds that say how."""


def selector_of(worked: Resource) -> str:
    """Field selector of those that are to be worked on."""
    return LIVE if worked in LIVING else ""
