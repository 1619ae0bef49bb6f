"""Whether admission does what it should, tried with requests that the API server answers and does not carry out: a
policy can be stored as it should be and still fail every request, or pass it.
"""

from controller.api.base import API_VERSION
from controller.cli.findings import Finding, broken, ok, skipped
from controller.core.errors import ActionError, NotFound
from controller.core.ports import Json
from controller.core.steps import WORKFLOW_LABEL
from controller.kube.answers import Denied
from controller.kube.api import Api
from controller.kube.resources import PROPOSALS

ABOUT = "Admission, tried"
NAME = "doctor-probe"
SOMEBODY_ELSE = "system:nobody-at-all"
APPLY = "kubectl apply --server-side -f config/admission   (of this version; it takes some seconds to be in force)"
_LOOK = "kubectl get validatingadmissionpolicies -l app.kubernetes.io/part-of=action-operator -o yaml   (their status)"


async def try_admission(api: Api, namespace: str, username: str, *, stamps: bool) -> Finding:
    """A lie about who asks, the mark of a step, and a plain request. `stamps`: whether names are filled in here."""
    lie = _proposal({"requestedBy": {"username": SOMEBODY_ELSE}}, {})
    mark = _proposal({}, {WORKFLOW_LABEL: NAME})
    for body, policy, what in (
        (lie, "action-operator-requester", "a proposal in the name of somebody else"),
        (mark, "action-operator-steps", "a proposal with the mark of a workflow's step"),
    ):
        found = await _refused(api, namespace, body, policy, what)
        if found is not None:
            return found
    plain = _proposal({} if stamps else {"requestedBy": {"username": username}}, {})
    try:
        made = await api.create(PROPOSALS, plain, namespace=namespace, dry_run=True)
    except ActionError as error:
        return broken(ABOUT, f"a plain proposal is refused: {error}", _LOOK)
    named = (made["spec"].get("requestedBy") or {}).get("username")
    if named != username:
        return broken(ABOUT, f"who asks is not filled in (got {named or 'nobody'}, not {username})", APPLY, _LOOK)
    return ok(ABOUT, "a lie about who asks and a forged step are refused, a plain proposal is taken")


async def _refused(api: Api, namespace: str, body: Json, policy: str, what: str) -> Finding | None:
    """None: it is, by that policy."""
    try:
        await api.create(PROPOSALS, body, namespace=namespace, dry_run=True)
    except Denied as denied:
        if f"'{policy}'" in str(denied):
            return None
        if denied.missing is not None or "'action-operator-propose'" in str(denied):
            return skipped(ABOUT, f"you may not propose in namespace {namespace}; have it tried by somebody who may")
        return broken(ABOUT, f"{what} is refused, but not as it should be: {denied}", _LOOK)
    except NotFound:
        return skipped(ABOUT, f"there is no namespace {namespace} to try it in; name one with -n")
    except ActionError as error:
        return broken(ABOUT, f"{what} is not answered as it should be: {error}", _LOOK)
    said = f"the API server takes {what}: policy {policy} is not in force, so nobody's name proves anything"
    return broken(ABOUT, said, APPLY, _LOOK)


def _proposal(spec: Json, labels: Json) -> Json:
    asked = {"action": "wait", "parameters": {"seconds": 1}, "reason": "a dry run of kubectl actions doctor"}
    metadata: Json = {"name": NAME, **({"labels": labels} if labels else {})}
    return {"apiVersion": API_VERSION, "kind": "ActionProposal", "metadata": metadata, "spec": {**asked, **spec}}
