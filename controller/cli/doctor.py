"""doctor: looks at the cluster, the installation and our rights, and says how to mend what is wrong."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from importlib.metadata import version
from shlex import quote

from controller.api.base import API_VERSION, OPERATOR
from controller.api.common import Identity
from controller.api.policy import ActionPolicy
from controller.cli import diagnosis
from controller.cli.admission_trial import ABOUT, APPLY, try_admission
from controller.cli.data import write
from controller.cli.exits import Exit
from controller.cli.findings import Finding, State, as_data, broken, note, ok, page, skipped
from controller.cli.modes import SOMEBODY, in_force, read_types
from controller.cli.operators import Place, find_operator
from controller.cli.options import Operator, ReportForm
from controller.cli.refusals import told
from controller.cli.screen import draw
from controller.cli.session import Run
from controller.cli.times import stamp
from controller.client.cluster import namespace_labels
from controller.client.needs import Need, Role, may, operator_needs, roles
from controller.client.switches import Policies, read_policies
from controller.core.errors import ActionError, NotFound, RightMissing
from controller.core.matching import PolicySubject
from controller.core.policy import effective
from controller.core.ports import Json, Resource
from controller.kube.admission import AdmissionPolicies
from controller.kube.grants import to_impersonate
from controller.kube.resources import SERVICE_ACCOUNTS

CRDS = Resource("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", namespaced=False)
_RBAC = "kubectl apply --server-side -f config/rbac/operator.yaml   (or: helm upgrade --install)"
_AT_ONCE = 8


async def examine(run: Run, where: Operator, *, form: ReportForm) -> Exit:
    """The whole command."""
    found, code = await _all(run, where)
    if form is ReportForm.TEXT:
        draw(run.out, page(found))
    else:
        write(run.out, {"findings": list(as_data(found))}, form)
    return code


async def _all(run: Run, where: Operator) -> tuple[list[Finding], Exit]:
    """Everything, in the order in which one thing needs the other; nothing more where nothing can be."""
    try:
        release = await run.api.version()
        me = await run.client.identity()
    except ActionError as error:
        text, code = told(error)
        which = "kubectl config current-context   (which context), kubectl cluster-info   (its address)"
        return [broken("API server", text, which, "name another: --context NAME or --kubeconfig FILE")], code
    server = (await run.client.api.session.login.current()).server
    found = [ok("API server", f"{server}, as {me.username}, namespace {run.namespace}")]
    found.append(diagnosis.kubernetes(release))
    found.append(diagnosis.clock(run.api.session.clock_skew_seconds()))
    found.append(await _looked("CRDs", _definitions(run)))
    if found[-1].state is not State.BROKEN:
        found += await _installation(run, where, me, release)
    wrong = any(one.state is State.BROKEN for one in found)
    return found, Exit.ERROR if wrong else Exit.OK


async def _installation(run: Run, where: Operator, me: Identity, release: Json) -> list[Finding]:
    place = await find_operator(run.api, where)
    now = run.now() - timedelta(seconds=run.api.session.clock_skew_seconds() or 0.0)
    found = [
        await _looked("Admission", _admission(run)),
        await _looked(ABOUT, try_admission(run.api, run.namespace, me.username, stamps=diagnosis.stamps(release))),
        await _looked("Action types", _types(run)),
        *diagnosis.operators(place.leases, place.lease_namespace, now),
        await _looked("Operator's rights", _operators_rights(run, place)),
    ]
    return [*found, *await _policies(run, place), await _looked("Your rights", _my_rights(run, me))]


async def _looked(about: str, looking: Awaitable[Finding]) -> Finding:
    """The finding; what we may not read is not looked at, and says so."""
    try:
        return await looking
    except RightMissing as error:
        return skipped(about, f"you may not read it: {error}")
    except ActionError as error:
        return broken(about, f"cannot be looked at: {error}")


async def _definitions(run: Run) -> Finding:
    try:
        stored = {raw["metadata"]["name"]: raw for raw in (await run.api.list(CRDS)).items}
    except RightMissing:
        return await _served(run)
    return diagnosis.definitions(stored, version(OPERATOR))


async def _served(run: Run) -> Finding:
    """The same as far as everybody may know it: which kinds are served."""
    try:
        served = {str(entry["kind"]) for entry in await run.api.served(API_VERSION)}
    except NotFound:
        served = set()
    return diagnosis.served_only(served)


async def _admission(run: Run) -> Finding:
    found = await AdmissionPolicies(run.api).read()
    if found.since is not None:
        return ok("Admission", f"stored as shipped, since {stamp(found.since)}")
    if found.unreadable:
        return skipped("Admission", f"you may not read it: {str(found.fault).partition(': ')[2]}")
    return broken("Admission", f"names prove nothing, so no vote counts: {found.fault}", APPLY)


async def _types(run: Run) -> Finding:
    return diagnosis.types(await read_types(run))


async def _operators_rights(run: Run, place: Place) -> Finding:
    needs = operator_needs(place.lease_namespace, place.leases)
    missing = await _missing(needs, lambda need: may(run.api, need, place.user))
    return diagnosis.rights("Operator's rights", f"{place.namespace}/{place.account}", missing, len(needs), _RBAC)


async def _missing(needs: Sequence[Need], ask: Callable[[Need], Awaitable[bool]]) -> list[str]:
    turns = asyncio.Semaphore(_AT_ONCE)

    async def one(need: Need) -> bool:
        async with turns:
            return await ask(need)

    allowed = await asyncio.gather(*(one(need) for need in needs))
    return [str(need) for need, has in zip(needs, allowed, strict=True) if not has]


async def _policies(run: Run, place: Place) -> list[Finding]:
    try:
        policies = await read_policies(run.api)
        types = await read_types(run)
        labels = await namespace_labels(run.api, run.namespace) or {}
    except RightMissing as error:
        return [skipped("Policies", f"you may not read them: {error}")]
    except NotFound:
        make = f"or make it: kubectl create namespace {run.namespace}"
        return [broken("Namespace", f"there is no namespace {run.namespace}", "name one with -n", make)]
    effects = list(in_force(policies.readable, types, run.namespace, labels))
    found = [diagnosis.mode(effects, run.namespace, len(policies.readable))]
    found += _unreadable(policies)
    for runner in _runners(policies.readable, run.namespace, labels, [one.metadata.name for one in types]):
        found.append(await _looked(f"Runner {runner}", _runner(run, place, runner)))
    return found


def _unreadable(policies: Policies) -> list[Finding]:
    said = "cannot be read by this version; the operator may halt everything because of it"
    return [
        broken("Policies", f"apol/{name} {said}", f"kubectl get apol {name} -o yaml") for name in policies.unreadable
    ]


def _runners(
    policies: Sequence[ActionPolicy], namespace: str, labels: dict[str, str], actions: Sequence[str]
) -> list[str]:
    """The runners that policies name for that namespace."""
    merged = (effective(policies, PolicySubject(namespace, labels, action, None, SOMEBODY)) for action in actions)
    return sorted({one.runner for one in merged if one.runner})


async def _runner(run: Run, place: Place, runner: str) -> Finding:
    about = f"Runner {runner}"
    try:
        await run.api.get(SERVICE_ACCOUNTS, runner, namespace=run.namespace)
    except NotFound:
        said = "policies name it, but there is no such ServiceAccount: actions that touch the API are refused here"
        return broken(about, said, f"kubectl create serviceaccount {runner} -n {run.namespace}")
    free = Need("impersonate", "", "serviceaccounts", run.namespace, runner)
    bound = Need("impersonate:serviceaccount", "authentication.k8s.io", "serviceaccounts", run.namespace, runner)
    if await may(run.api, free, place.user) or await may(run.api, bound, place.user):
        return ok(about, "the operator may act as it")
    grant = to_impersonate(place.user, run.namespace, runner)
    return broken(about, "the operator may not act as it, so nothing runs that touches the API", grant)


async def _my_rights(run: Run, me: Identity) -> Finding:
    able: list[Role] = []
    unable: list[Role] = []
    for role in roles(run.namespace):
        missing = await _missing(role.needs, lambda need: may(run.api, need))
        (unable if missing else able).append(role)
    said = f"in namespace {run.namespace} you may {_words(able)}" if able else "you may do nothing with actions"
    said += f"; you may not {_words(unable)}" if unable else ""
    sees = any(role.cluster_role == "action-viewer" for role in able)
    mend = [_binding(role, me.username, run.namespace) for role in unable]
    if not sees:
        return broken("Your rights", said, *mend)
    return note("Your rights", said, *mend) if unable else ok("Your rights", said)


def _words(found: Sequence[Role]) -> str:
    return ", ".join(role.what for role in found)


def _binding(role: Role, username: str, namespace: str) -> str:
    """The command by which an administrator gives it."""
    name = f"{role.cluster_role}-{''.join(c if c.isalnum() else '-' for c in username.lower()).strip('-')}"[:63]
    kind, where = ("clusterrolebinding", "") if role.cluster_wide else ("rolebinding", f" -n {namespace}")
    return (
        f"{role.what}: kubectl create {kind} {name}{where} --clusterrole={role.cluster_role} --user={quote(username)}"
    )
