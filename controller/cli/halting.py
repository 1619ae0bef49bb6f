"""halt and resume: the kill switch as policies of its own, which no GitOps tool reverts."""

from collections.abc import Sequence
from datetime import datetime

from controller.api.base import GROUP
from controller.api.policy import ActionPolicy
from controller.cli.asking import confirm
from controller.cli.data import write
from controller.cli.exits import Exit
from controller.cli.options import DataForm
from controller.cli.refusals import Refused
from controller.cli.screen import one_line
from controller.cli.session import Run
from controller.cli.times import age
from controller.client.scope import Scope, match_words
from controller.client.switches import (
    CHANGED_BY,
    HALT_NAME,
    REASON,
    Policies,
    halts,
    is_a_halt,
    lift,
    policy_manifest,
    policy_name,
    read_policies,
)
from controller.client.switches import halt as halt_scope
from controller.core.errors import NotFound, RightMissing
from controller.core.validation import unknown_action
from controller.kube.resources import NAMESPACES, TYPES


async def halt(run: Run, scope: Scope, *, reason: str, form: DataForm | None) -> Exit:
    """Nothing new starts, at once and without a question: this is the command for the worst moment."""
    me = await run.client.identity()
    if form is not None:
        name = policy_name(HALT_NAME, scope)
        write(run.out, policy_manifest(name, scope, {"halt": True}, reason=reason, username=me.username), form)
        return Exit.OK
    await check_names(run, scope)
    made = await halt_scope(run.api, scope, reason=reason, username=me.username)
    name = made.policy.metadata.name
    if made.before:
        return _say(run, f"{scope} is halted already by apol/{name}{_by(made.policy, run.now())}; nothing was changed")
    return _say(run, f"{scope} is halted: nothing new starts until: kubectl actions resume apol/{name}")


async def check_names(run: Run, scope: Scope) -> None:
    """Raises Refused for a name that is nobody's: a halt with a slip of the pen would halt nothing, unnoticed."""
    try:
        types = {raw["metadata"]["name"] for raw in (await run.api.list(TYPES)).items} if scope.actions else set()
        for action in scope.actions:
            if action not in types:
                raise Refused(f"--action: {unknown_action(dict.fromkeys(types), action)}", Exit.NOT_FOUND)
        for namespace in scope.namespaces:
            await run.api.get(NAMESPACES, namespace)
    except NotFound as error:
        raise Refused(str(error), Exit.NOT_FOUND) from None
    except RightMissing:
        pass  # who may not look is believed


def halt_named(text: str) -> str | None:
    """The name of the policy, where the text names one: `apol/kubectl-actions-halt`, as kubectl prints it too."""
    kind, slash, name = text.partition("/")
    info = ActionPolicy.INFO
    words = (info.short_name, info.singular, info.plural, "policy", "halt")
    return name if slash and name and kind.lower().removesuffix(f".{GROUP}") in words else None


async def resume_halt(run: Run, name: str | None, *, every: bool, yes: bool) -> Exit:
    """Takes back one halt of `halt`, or all of them; tells what still halts. Without a word which, it asks."""
    policies = await read_policies(run.api)
    ours = [policy for policy in policies.readable if is_a_halt(policy)]
    chosen = _chosen(policies, ours, name, every=every)
    if chosen and name is None and not every:
        confirm(run, f"End the halt of {match_words(chosen[0].spec.match)}{_by(chosen[0], run.now())}?", yes=yes)
    for policy in chosen:
        await lift(run.api, policy, (await run.client.identity()).username)
        _say(run, f"apol/{policy.metadata.name} is gone: it halted {match_words(policy.spec.match)}")
    gone = {policy.metadata.uid for policy in chosen}
    left = [policy for policy in halts(policies.readable) if policy.metadata.uid not in gone]
    for policy in left:
        run.note(still_halts(policy, run.now()))
    for unreadable in policies.unreadable:
        run.note(f"apol/{unreadable} cannot be read by this program; the operator may halt everything because of it")
    if not chosen and not left:
        run.note("nothing is halted")
    return Exit.OK


def still_halts(policy: ActionPolicy, now: datetime) -> str:
    """The line for a policy that halts on."""
    name = policy.metadata.name
    how = f"end it with: kubectl actions resume apol/{name}" if is_a_halt(policy) else "change it where it is kept"
    return f"apol/{name} still halts {match_words(policy.spec.match)}{_by(policy, now)}; {how}"


def _chosen(policies: Policies, ours: Sequence[ActionPolicy], name: str | None, *, every: bool) -> list[ActionPolicy]:
    if name is not None:
        found = [policy for policy in policies.readable if policy.metadata.name == name]
        if not found:
            raise Refused(f"there is no ActionPolicy {name}; see: kubectl actions mode", Exit.NOT_FOUND)
        if not is_a_halt(found[0]):
            raise Refused(
                f"apol/{name} was not made by `kubectl actions halt`; change it where it is kept, or with: "
                f"kubectl edit apol {name}"
            )
        return found
    if every or len(ours) <= 1:
        return list(ours)
    names = ", ".join(f"apol/{policy.metadata.name} ({match_words(policy.spec.match)})" for policy in ours)
    raise Refused(f"there are {len(ours)} halts: {names}; name one of them, or take back all with --all", Exit.USAGE)


def _by(policy: ActionPolicy, now: datetime) -> str:
    """` (by alice, 5m ago: bad deploy)`."""
    who, why = policy.metadata.annotations.get(CHANGED_BY), policy.metadata.annotations.get(REASON)
    said = f"by {who}, " if who else ""
    said += f"{age(policy.metadata.creation_timestamp, now)} ago"
    return f" ({said}: {why})" if why else f" ({said})"


def _say(run: Run, text: str) -> Exit:
    run.out.print(one_line(text), soft_wrap=True)
    return Exit.OK
