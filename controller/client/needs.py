"""Rights that the installation and its people need, to be asked for one by one. Data; a test compares it with the files
of config/rbac.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from controller.api.base import GROUP
from controller.client.access import SELF_ACCESS
from controller.core.ports import Json
from controller.kube.api import Api
from controller.kube.resources import ACCESS_REVIEWS
from controller.kube.retries import write_again


@dataclass(frozen=True)
class Need:
    """One right, as a request of the authorizer. `namespace` empty: in the whole cluster."""

    verb: str
    group: str
    resource: str
    namespace: str = ""
    name: str = ""

    def __str__(self) -> str:
        """`patch actionproposals.actionoperator.dev/status`."""
        plural, slash, subresource = self.resource.partition("/")
        group = f".{self.group}" if self.group else ""
        where = f" in namespace {self.namespace}" if self.namespace else ""
        return f"{self.verb} {plural}{group}{slash}{subresource}{' ' + self.name if self.name else ''}{where}"


_ADMISSION = "admissionregistration.k8s.io"
_WORKED = ("actionproposals", "actionworkflows", "actionrunbooks", "actionschedules")


def operator_needs(namespace: str, leases: Iterable[str]) -> tuple[Need, ...]:
    """What the operator itself may do, with Leases of these names in that namespace (config/rbac/operator.yaml)."""
    kinds = ("actiontypes", "actionpolicies", *_WORKED)
    return (
        *(Need(verb, GROUP, kind) for kind in kinds for verb in ("get", "list", "watch")),
        *(Need(verb, GROUP, "actionapprovals") for verb in ("list", "watch")),
        Need("create", "authorization.k8s.io", "subjectaccessreviews"),
        *(Need("patch", GROUP, f"{kind}/status") for kind in kinds),
        *(Need(verb, GROUP, kind) for kind in _WORKED[:2] for verb in ("create", "delete")),
        Need("create", "events.k8s.io", "events"),
        *(Need(verb, "", "namespaces") for verb in ("get", "list", "watch")),
        *(
            Need("list", _ADMISSION, f"{form}admissionpolic{end}")
            for form in ("validating", "mutating")
            for end in ("ies", "ybindings")
        ),
        Need("get", "", "serviceaccounts"),
        Need("create", "coordination.k8s.io", "leases", namespace),
        *(
            Need(verb, "coordination.k8s.io", "leases", namespace, lease)
            for lease in leases
            for verb in ("get", "patch")
        ),
    )


@dataclass(frozen=True)
class Role:
    """What somebody can do with one of the ClusterRoles of config/rbac/roles.yaml."""

    what: str
    cluster_role: str
    cluster_wide: bool
    needs: Sequence[Need]


def roles(namespace: str) -> tuple[Role, ...]:
    """The roles of people in one namespace, what matters most first."""

    def here(*verbs: str, of: str) -> list[Need]:
        return [Need(verb, GROUP, of, namespace) for verb in verbs]

    return (
        Role("see what there is", "action-viewer", cluster_wide=False, needs=[
            need for kind in _WORKED[:2] for need in here("get", "list", of=kind)]),
        Role("read action types and policies", "action-catalogue-viewer", cluster_wide=True, needs=[
            Need("list", GROUP, "actiontypes"), Need("list", GROUP, "actionpolicies")]),
        Role("propose", "action-proposer", cluster_wide=False, needs=[
            *here("create", of="actionproposals"), *here("propose", of="actiontypes")]),
        Role("approve", "action-approver", cluster_wide=False, needs=[
            *here("create", of="actionapprovals"), *here("approve", of="actiontypes")]),
        Role("cancel and suspend", "action-canceller", cluster_wide=False, needs=here("patch", of="actionproposals")),
        Role("halt and change policies", "action-policy-editor", cluster_wide=True, needs=[
            Need("create", GROUP, "actionpolicies"), Need("delete", GROUP, "actionpolicies")]),
    )  # fmt: skip


async def may(api: Api, need: Need, user: str | None = None) -> bool:
    """Whether RBAC lets that user do it; None: us. Raises the errors of `core.errors`, RightMissing of the question."""
    plural, _, subresource = need.resource.partition("/")
    attributes: Mapping[str, str] = {
        "verb": need.verb, "group": need.group, "resource": plural, "subresource": subresource,
        "namespace": need.namespace, "name": need.name,
    }  # fmt: skip
    spec: Json = {"resourceAttributes": {key: value for key, value in attributes.items() if value or key == "group"}}
    if user is None:
        body: Json = {"apiVersion": SELF_ACCESS.api_version, "kind": SELF_ACCESS.kind, "spec": spec}
        answer = await write_again(partial(api.create, SELF_ACCESS, body), tries=3, seconds=5.0)
    else:
        spec |= {"user": user, "groups": groups_of(user)}
        body = {"apiVersion": ACCESS_REVIEWS.api_version, "kind": ACCESS_REVIEWS.kind, "spec": spec}
        answer = await api.review(ACCESS_REVIEWS, body)
    return bool((answer.get("status") or {}).get("allowed"))


def groups_of(user: str) -> list[str]:
    """The groups that the API server gives a ServiceAccount, known by its user name."""
    namespace = user.removeprefix("system:serviceaccount:").partition(":")[0]
    return ["system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated"]
