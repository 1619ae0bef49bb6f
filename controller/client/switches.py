"""Kill switch and mode as policies of their own: no GitOps tool knows them, so none reverts them.

A halt is an ActionPolicy with nothing but `halt: true` and what it matches; ending it deletes it. The mode is one more
policy for each scope. All carry the label below; who made them last stands in an annotation that the API server proves.
"""

import contextlib
import hashlib
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from controller.api.base import API_VERSION
from controller.api.names import Mode
from controller.api.policy import ActionPolicy
from controller.client.scope import Scope
from controller.core.digest import canonical
from controller.core.errors import Conflict, NotFound
from controller.core.ports import Json
from controller.kube.api import Api
from controller.kube.resources import POLICIES
from controller.kube.retries import write_again

MADE_BY, US = "app.kubernetes.io/managed-by", "kubectl-actions"
REASON = "actionoperator.dev/reason"
CHANGED_BY = "actionoperator.dev/changed-by"
HALT_NAME, MODE_NAME = "kubectl-actions-halt", "kubectl-actions-mode"
_HASH_LENGTH = 8
_TRIES, _SECONDS = 3, 10.0


@dataclass(frozen=True)
class Halted:
    """The policy that halts, and whether it did before."""

    policy: ActionPolicy
    before: bool


def policy_name(base: str, scope: Scope) -> str:
    """`kubectl-actions-halt` for everything, else with a hash of the scope: the same scope is the same policy."""
    match = scope.match()
    return f"{base}-{hashlib.sha256(canonical(match)).hexdigest()[:_HASH_LENGTH]}" if match else base


def policy_manifest(name: str, scope: Scope, spec: Json, *, reason: str, username: str) -> Json:
    """A policy of ours with that rule and scope."""
    annotations = {CHANGED_BY: username} | ({REASON: reason} if reason else {})
    match = scope.match()
    return {
        "apiVersion": API_VERSION,
        "kind": ActionPolicy.INFO.kind,
        "metadata": {"name": name, "labels": {MADE_BY: US}, "annotations": annotations},
        "spec": ({"match": match} if match else {}) | spec,
    }


def is_ours(policy: ActionPolicy) -> bool:
    """Whether these commands made it."""
    return policy.metadata.labels.get(MADE_BY) == US


def is_a_halt(policy: ActionPolicy) -> bool:
    """Whether it is a halt that `halt` made, and nothing else."""
    spec = policy.spec.model_dump(exclude_none=True, exclude_defaults=True)
    return is_ours(policy) and policy.spec.halt is True and set(spec) <= {"halt", "match"}


def halts(policies: Iterable[ActionPolicy]) -> list[ActionPolicy]:
    """All policies that halt something, whoever made them."""
    return [policy for policy in policies if policy.spec.halt]


async def halt(api: Api, scope: Scope, *, reason: str, username: str) -> Halted:
    """Halts the scope. A halt must not fail over a name: where it is taken by something else, it gets another."""
    name = policy_name(HALT_NAME, scope)
    body = policy_manifest(name, scope, {"halt": True}, reason=reason, username=username)
    try:
        return Halted(await _create(api, body), before=False)
    except Conflict:
        pass
    try:
        found = ActionPolicy.model_validate(await api.get(POLICIES, name))
        if is_a_halt(found) and found.spec.match.wire() == ActionPolicy.model_validate(body).spec.match.wire():
            return Halted(found, before=True)
    except (NotFound, ValueError):
        pass  # gone again, or unreadable
    body["metadata"]["name"] = f"{name}-{secrets.token_hex(4)}"
    return Halted(await _create(api, body), before=False)


async def end_halt(api: Api, name: str, username: str) -> ActionPolicy:
    """Deletes a halt that `halt` made. Raises NotFound; ValueError for any other policy."""
    raw = await api.get(POLICIES, name)
    policy = ActionPolicy.model_validate(raw)
    if not is_a_halt(policy):
        raise ValueError(
            f"ActionPolicy {name} is not a halt of `kubectl actions halt`; change it where it is kept, or with: "
            f"kubectl edit apol {name}"
        )
    await lift(api, policy, username)
    return policy


async def lift(api: Api, policy: ActionPolicy, username: str) -> None:
    """Takes the halt back, then deletes its policy: the API server refuses to delete one that halts, for a deletion
    leaves no name of who did it.
    """
    about = policy.metadata
    change = {"metadata": {"uid": about.uid, "annotations": {CHANGED_BY: username}}, "spec": {"halt": False}}
    with contextlib.suppress(NotFound):
        await write_again(partial(api.patch, POLICIES, about.name, change), tries=_TRIES, seconds=_SECONDS)
    await delete(api, policy)


async def delete(api: Api, policy: ActionPolicy) -> None:
    """Deletes just this policy; one that is gone already is as good."""
    about = policy.metadata
    with contextlib.suppress(NotFound):
        await write_again(partial(api.delete, POLICIES, about.name, uid=about.uid), tries=_TRIES, seconds=_SECONDS)


async def set_mode(api: Api, mode: Mode, scope: Scope, *, reason: str, username: str) -> ActionPolicy:
    """Says the mode for the scope by a policy of ours. Raises Conflict where its name belongs to another policy."""
    name = policy_name(MODE_NAME, scope)
    body = policy_manifest(name, scope, {"mode": mode.value}, reason=reason, username=username)
    try:
        return await _create(api, body)
    except Conflict:
        found = ActionPolicy.model_validate(await api.get(POLICIES, name))
    if not is_ours(found):
        raise Conflict(
            f"ActionPolicy {name} is there and was not made by this command; delete it or change it yourself"
        )
    if found.spec.mode is mode:
        return found
    annotations = {CHANGED_BY: username, REASON: reason or None}
    patch = {"metadata": {"annotations": annotations}, "spec": {"mode": mode.value}}
    changed = await write_again(partial(api.patch, POLICIES, name, patch), tries=_TRIES, seconds=_SECONDS)
    return ActionPolicy.model_validate(changed)


@dataclass(frozen=True)
class Policies:
    """All policies by name, and the names of those that this program cannot read: the operator halts for them."""

    readable: Sequence[ActionPolicy]
    unreadable: Sequence[str] = ()


async def read_policies(api: Api) -> Policies:
    """Raises RightMissing, and NotFound without our kinds."""
    readable, unreadable = [], []
    for raw in (await api.list(POLICIES)).items:
        try:
            readable.append(ActionPolicy.model_validate(raw))
        except ValueError:
            unreadable.append(str(raw["metadata"]["name"]))
    return Policies(sorted(readable, key=lambda policy: policy.metadata.name), sorted(unreadable))


async def _create(api: Api, body: Json) -> ActionPolicy:
    made = await write_again(partial(api.create, POLICIES, body), tries=_TRIES, seconds=_SECONDS)
    return ActionPolicy.model_validate(made)
