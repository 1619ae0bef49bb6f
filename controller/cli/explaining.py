"""policy explain: every policy, whether it is about one object, what it contributes, and what is in force."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from rich.console import Group, RenderableType
from rich.text import Text

from controller.api.actiontype import ActionType
from controller.api.names import Mode, Phase, Risk
from controller.api.policy import ActionPolicy
from controller.cli.catalogue import RISKS
from controller.cli.data import write
from controller.cli.exits import Exit
from controller.cli.find import find
from controller.cli.items import SHORT, Model
from controller.cli.modes import MODE_STYLES, read_types
from controller.cli.options import ReportForm
from controller.cli.page import blocked_text
from controller.cli.refusals import Refused
from controller.cli.screen import INDENT, Grid, Lines, draw, section, shown
from controller.cli.session import Run
from controller.cli.table import STYLES, UNREADABLE
from controller.client.cluster import namespace_labels
from controller.client.switches import read_policies
from controller.client.votes import covered_actions
from controller.core.errors import RightMissing
from controller.core.explain import Considered, Explanation, RuleInForce, explain
from controller.core.matching import UNPROVEN, Fit, PolicySubject, Requester
from controller.core.ports import Json
from controller.core.standings import standing

UNVERIFIED = "unverified:"
_MAYBE = "perhaps: it names requesters, and who asked is not proven; it restricts, and gives no leave"


@dataclass(frozen=True)
class Explained:
    """What the policies say of one action of the object."""

    subject: PolicySubject
    explanation: Explanation
    standings: Mapping[tuple[str, str], str]
    """How rules of time and amount stand now, by policy and field."""

    @classmethod
    def make(cls, policies: Sequence[ActionPolicy], subject: PolicySubject, now: datetime) -> "Explained":
        found = explain(policies, subject)
        by_name = {policy.metadata.name: policy for policy in policies}
        stated = {(policy, rule.field) for rule in found.rules for policy in rule.policies}
        told = {(policy, field): standing(by_name[policy], field, now) for policy, field in stated}
        return cls(subject, found, {where: words for where, words in told.items() if words})

    def standing(self, rule: RuleInForce) -> str:
        """Rules of time and amount are of one policy each."""
        return self.standings.get((rule.policies[0], rule.field), "") if rule.policies else ""


async def explain_policies(run: Run, name: str, *, form: ReportForm) -> Exit:
    """The whole command."""
    item = await find(run.api, run.namespace, name)
    if item.model is None:
        raise Refused(f"{item.short}: {UNREADABLE}")
    policies = await read_policies(run.api)
    risks = await _risks(run)
    labels = await namespace_labels(run.api, item.namespace)
    gaps = [f"apol/{name} cannot be read by this program; the operator halts for such" for name in policies.unreadable]
    if labels is None and any(policy.spec.match.namespace_labels for policy in policies.readable):
        gaps.append(
            f"the labels of namespace {item.namespace} cannot be read, so policies that match by them seem not to"
        )
    subjects = subjects_of(item.model, labels or {}, risks)
    found = [Explained.make(policies.readable, subject, run.now()) for subject in subjects]
    if form is ReportForm.TEXT:
        draw(run.out, explanation_page(item.model, found, run.now(), gaps))
    else:
        write(run.out, _as_data(item.model, found, gaps), form)
    return Exit.OK


def subjects_of(model: Model, labels: Mapping[str, str], risks: Mapping[str, Risk]) -> list[PolicySubject]:
    """What policies are matched against: each action of the object, as its requester asked for it."""
    namespace = model.metadata.namespace or ""
    actions = covered_actions(model)
    return [PolicySubject(namespace, labels, action, risks.get(action), requester_of(model)) for action in actions]


def requester_of(model: Model) -> Requester:
    """Who asked; not proven where the operator itself says so in the first line of the history."""
    named = model.spec.requested_by
    if named is None:
        return UNPROVEN
    first = next((entry.actor for entry in model.status.history if entry.n == 1), "")
    return Requester(named.username, proven=not first.startswith(UNVERIFIED))


def explanation_page(model: Model, found: Sequence[Explained], now: datetime, gaps: Sequence[str] = ()) -> Group:
    """For people: what it waits for, then for each action what is in force, and where it comes from."""
    parts: list[RenderableType] = []
    for number, one in enumerate(found):
        parts += [*([Text()] if parts else []), _head(model, one.subject)]
        if number == 0 and model.status.blocked:
            waits = Text("Blocked by ", STYLES[Phase.BLOCKED])
            parts.append(waits.append_text(shown(blocked_text(model.status.blocked, now))))
        parts += section("What is in force", _in_force(one))
        about = [policy for policy in one.explanation.policies if policy.fit is not Fit.NO]
        if about:
            rows = [row for policy in about for row in _contributions(policy)]
            parts += section("Policies that are about it", Grid(rows, header=_ABOUT, indent=INDENT))
        others = [policy for policy in one.explanation.policies if policy.fit is Fit.NO]
        if others:
            rows = [(shown(policy.policy), shown("; ".join(policy.why_not))) for policy in others]
            parts += section("Policies that are not", Grid(rows, indent=INDENT))
    parts += [Lines(shown(f"! {gap}", "yellow")) for gap in gaps]
    return Group(*parts)


_ABOUT = ("POLICY", "RULE", "IN FORCE", "VALUE")


def _head(model: Model, subject: PolicySubject) -> Text:
    asker = subject.requester
    who = asker.username or "somebody who is not named"
    unproven = "" if asker.proven else " (not proven)"
    line = Text().append_text(shown(f"{SHORT[type(model)]}/{model.metadata.name}: {subject.action}", "bold"))
    line.append(", risk ").append(str(subject.risk or "unknown"), RISKS[subject.risk] if subject.risk else "yellow")
    return line.append_text(shown(f", asked for by {who}{unproven} in namespace {subject.namespace}"))


def _in_force(one: Explained) -> Grid:
    rows = []
    if not any(rule.field == "mode" for rule in one.explanation.rules):
        observe = Text(str(Mode.OBSERVE), MODE_STYLES[Mode.OBSERVE])
        rows.append((Text("mode"), Text("no policy says Execute", "dim"), observe))
    for rule in one.explanation.rules:
        origin = ", ".join(rule.policies) or "they contradict each other"
        stands = one.standing(rule)
        value = shown(rule.value).append_text(shown(f" ({stands})", "cyan")) if stands else shown(rule.value)
        rows.append((shown(rule.field), shown(origin, "" if rule.policies else "red"), value))
    return Grid(rows, header=("RULE", "FROM", "VALUE"), indent=INDENT)


def _contributions(policy: Considered) -> Iterator[Sequence[Text]]:
    name = shown(policy.policy)
    if policy.fit is Fit.MAYBE:
        yield name, Text("match"), Text("-"), Text(_MAYBE, "yellow")
        name = Text()
    for fault in policy.faults:
        yield name, Text("-"), Text("blocks", "red"), shown(fault, "red")
        name = Text()
    for one in policy.contributions:
        effect = Text("yes", "green") if one.in_force else Text("no", "dim")
        yield name, shown(one.field), effect, shown(one.value)
        name = Text()
    if name:
        yield name, Text("-"), Text("-"), Text("says nothing", "dim")


async def _risks(run: Run) -> dict[str, Risk]:
    """The risk of each action type, as far as it may be read."""
    try:
        types: Sequence[ActionType] = await read_types(run)
    except RightMissing:
        return {}
    return {action_type.metadata.name: action_type.spec.risk for action_type in types}


def _as_data(model: Model, found: Sequence[Explained], gaps: Sequence[str]) -> Json:
    return {
        "subject": {"kind": model.INFO.kind, "namespace": model.metadata.namespace, "name": model.metadata.name},
        "blocked": model.status.blocked.wire() if model.status.blocked else None,
        "requestedBy": {"username": requester_of(model).username, "proven": requester_of(model).proven},
        "actions": [
            {
                "action": one.subject.action,
                "risk": one.subject.risk.value if one.subject.risk else None,
                "rules": [_rule_data(one, rule) for rule in one.explanation.rules],
                "policies": [_policy_data(policy) for policy in one.explanation.policies],
            }
            for one in found
        ],
        "incomplete": list(gaps),
    }


def _rule_data(one: Explained, rule: RuleInForce) -> Json:
    return {
        "field": rule.field,
        "value": rule.value,
        "policies": list(rule.policies),
        "now": one.standing(rule) or None,
    }


def _policy_data(policy: Considered) -> Json:
    return {
        "name": policy.policy,
        "fit": policy.fit.value,
        "whyNot": list(policy.why_not),
        "faults": list(policy.faults),
        "contributions": [
            {"field": one.field, "value": one.value, "inForce": one.in_force} for one in policy.contributions
        ],
    }
