"""mode: what policies let actions do here, and the mode as a policy of this command's own."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from rich.console import Group, RenderableType
from rich.text import Text

from controller.api.actiontype import ActionType
from controller.api.names import Mode
from controller.api.policy import ActionPolicy
from controller.cli.asking import confirm
from controller.cli.data import write
from controller.cli.exits import Exit
from controller.cli.halting import check_names
from controller.cli.options import ReportForm
from controller.cli.refusals import Refused
from controller.cli.screen import INDENT, Grid, Lines, draw, one_line, section, shown
from controller.cli.session import Run
from controller.cli.times import age
from controller.client.cluster import namespace_labels
from controller.client.scope import Scope, covers, match_words, may_touch
from controller.client.switches import (
    CHANGED_BY,
    MODE_NAME,
    REASON,
    delete,
    is_ours,
    policy_name,
    read_policies,
    set_mode,
)
from controller.core.errors import NotFound
from controller.core.matching import PolicySubject, Requester
from controller.core.policy import effective
from controller.core.ports import Json
from controller.kube.resources import POLICIES, TYPES

MODE_STYLES = {Mode.EXECUTE: "green", Mode.OBSERVE: "yellow"}
SOMEBODY = Requester("", proven=True)
"""Whom no policy names in `match.requesters`."""
_EFFECT = ("ACTION", "MODE", "BY", "HALTED BY")
_POLICY = ("NAME", "MODE", "HALT", "AGE", "CHANGED BY", "FOR", "REASON")


@dataclass(frozen=True)
class Effect:
    """What is in force for one action in one namespace."""

    action: str
    mode: Mode
    mode_from: str | None
    halted_by: str | None


async def show_mode(run: Run, namespace: str, *, form: ReportForm) -> Exit:
    """Which policies say a mode or halt, and what is in force for each action of the namespace."""
    policies = await read_policies(run.api)
    speaking = [policy for policy in policies.readable if policy.spec.mode or policy.spec.halt]
    types = await read_types(run)
    labels = await namespace_labels(run.api, namespace)
    lines = list(in_force(policies.readable, types, namespace, labels or {}))
    if form is not ReportForm.TEXT:
        write(run.out, _as_data(namespace, speaking, lines), form)
        return Exit.OK
    parts: list[RenderableType] = [Text("Policies", "bold")]
    parts.append(_policy_table(speaking, run.now()) if speaking else Text("  none says a mode or halts", "dim"))
    heading = f"In namespace {namespace}"
    parts += section(heading, Grid([_effect_row(line) for line in lines], header=_EFFECT, indent=INDENT))
    by_name = [policy.metadata.name for policy in speaking if policy.spec.match.requesters is not None]
    if by_name:
        named = ", ".join(f"apol/{name}" for name in by_name)
        text = f"! this is without {named}: only about the requesters named there; see policy explain for one object"
        parts.append(Lines(shown(text, "yellow")))
    if labels is None and any(policy.spec.match.namespace_labels for policy in speaking):
        parts.append(Lines(Text(f"! the labels of namespace {namespace} cannot be read; policies that match by "
                                "them are taken not to match", "yellow")))  # fmt: skip
    parts += [
        Lines(shown(f"! apol/{name} cannot be read by this program; the operator may halt everything because of it",
                    "yellow"))
        for name in policies.unreadable
    ]  # fmt: skip
    draw(run.out, Group(*parts))
    return Exit.OK


async def change_mode(run: Run, mode: Mode, scope: Scope, *, reason: str, yes: bool) -> Exit:
    """Says the mode by a policy of this command's own. Observe only tightens; Execute gives leave."""
    await check_names(run, scope)
    policies = await read_policies(run.api)
    name = policy_name(MODE_NAME, scope)
    others = [policy for policy in policies.readable if policy.metadata.name != name]
    observing = [policy for policy in others if policy.spec.mode is Mode.OBSERVE]
    if mode is Mode.EXECUTE:
        stronger = [policy for policy in observing if covers(policy.spec.match, scope)]
        if stronger:
            named = ", ".join(f"apol/{policy.metadata.name}" for policy in stronger)
            raise Refused(f"Execute would change nothing: {named} says Observe for all of that, and Observe wins")
        _warn_of_leave(run, scope, observing)
        confirm(run, f"Let actions run: {scope}?", yes=yes)
    me = await run.client.identity()
    made = await set_mode(run.api, mode, scope, reason=reason, username=me.username)
    back = f"take it back with: kubectl actions mode --clear{_scope_options(scope)}"
    return _say(run, f"apol/{made.metadata.name} says {mode} for {scope}; {back}")


async def clear_mode(run: Run, scope: Scope) -> Exit:
    """Takes back what `mode` said for the scope; what other policies say then holds."""
    name = policy_name(MODE_NAME, scope)
    try:
        policy = ActionPolicy.model_validate(await run.api.get(POLICIES, name))
    except NotFound:
        raise Refused(
            f"`kubectl actions mode` says nothing for {scope}; see: kubectl actions mode", Exit.NOT_FOUND
        ) from None
    if not is_ours(policy):
        raise Refused(f"apol/{name} was not made by this command; delete it yourself: kubectl delete apol {name}")
    await delete(run.api, policy)
    return _say(run, f"apol/{name} is gone: it said {policy.spec.mode} for {scope}; the other policies hold")


def _warn_of_leave(run: Run, scope: Scope, observing: Sequence[ActionPolicy]) -> None:
    run.note(
        f"this gives leave: with mode Execute, actions run without being asked again wherever it matches ({scope}), "
        "as far as approvals, limits and windows of other policies and the rights of their runner let them"
    )
    for policy in observing:
        if may_touch(policy.spec.match, scope):
            run.note(f"apol/{policy.metadata.name} keeps Observe for {match_words(policy.spec.match)}")


def in_force(
    policies: Sequence[ActionPolicy], types: Sequence[ActionType], namespace: str, labels: Mapping[str, str]
) -> Iterator[Effect]:
    """The mode of each action there, for whoever no policy names; without any opinion it is Observe."""
    for action_type in types:
        name = action_type.metadata.name
        merged = effective(policies, PolicySubject(namespace, labels, name, action_type.spec.risk, SOMEBODY))
        yield Effect(name, merged.mode or Mode.OBSERVE, merged.mode_from, merged.halted_by)


def _effect_row(effect: Effect) -> Sequence[Text]:
    return (
        shown(effect.action),
        Text(str(effect.mode), MODE_STYLES[effect.mode]),
        shown(effect.mode_from or "no policy says Execute"),
        shown(effect.halted_by or "-", "red" if effect.halted_by else ""),
    )


def _policy_table(policies: Sequence[ActionPolicy], now: datetime) -> Grid:
    rows = [
        (
            shown(policy.metadata.name),
            Text(str(policy.spec.mode), MODE_STYLES[policy.spec.mode]) if policy.spec.mode else Text("-"),
            Text("yes", "red") if policy.spec.halt else Text("-"),
            Text(age(policy.metadata.creation_timestamp, now)),
            one_line(policy.metadata.annotations.get(CHANGED_BY) or "-"),
            one_line(match_words(policy.spec.match)),
            one_line(policy.metadata.annotations.get(REASON) or "-"),
        )
        for policy in policies
    ]
    return Grid(rows, header=_POLICY, indent=INDENT)


def _as_data(namespace: str, policies: Sequence[ActionPolicy], effects: Sequence[Effect]) -> Json:
    said = [
        {
            "name": policy.metadata.name,
            "mode": policy.spec.mode.value if policy.spec.mode else None,
            "halt": bool(policy.spec.halt),
            "match": policy.spec.match.wire(),
            "changedBy": policy.metadata.annotations.get(CHANGED_BY),
            "reason": policy.metadata.annotations.get(REASON),
        }
        for policy in policies
    ]
    effect = [
        {"action": one.action, "mode": one.mode.value, "by": one.mode_from, "haltedBy": one.halted_by}
        for one in effects
    ]
    return {"namespace": namespace, "inForce": effect, "policies": said}


async def read_types(run: Run) -> list[ActionType]:
    """The action types that can be read, by name."""
    found = []
    for raw in (await run.api.list(TYPES)).items:
        try:
            found.append(ActionType.model_validate(raw))
        except ValueError:
            continue
    return sorted(found, key=lambda action_type: action_type.metadata.name)


def _scope_options(scope: Scope) -> str:
    """The options that name the scope again."""
    parts = [f" -n {name}" for name in scope.namespaces]
    if scope.namespace_labels:
        labels = ",".join(f"{name}={value}" for name, value in scope.namespace_labels.items())
        parts.append(f" --namespace-selector {labels}")
    parts += [f" --action {name}" for name in scope.actions]
    parts += [f" --risk {risk}" for risk in scope.risks]
    return "".join(parts)


def _say(run: Run, text: str) -> Exit:
    run.out.print(one_line(text), soft_wrap=True)
    return Exit.OK
