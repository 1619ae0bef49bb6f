"""What is said of policies: who may approve, what is in force, what halts."""

from typing import Any

import cli_samples as samples
import pytest
from drawing import model, piped

from controller.api.actiontype import ActionType
from controller.api.names import Mode, Risk
from controller.api.policy import ActionPolicy, PolicyStatus
from controller.cli.explaining import Explained, explanation_page, requester_of, subjects_of
from controller.cli.halting import halt_named, still_halts
from controller.cli.items import Model
from controller.cli.modes import Effect, in_force
from controller.cli.who_can import Found, answer, rule_lines
from controller.client.rbac import Approver, Holder, HolderKind
from controller.client.switches import CHANGED_BY, MADE_BY, REASON, US
from controller.core.matching import Requester


def policy(name: str, *, ours: bool = False, reason: str = "", **spec: Any) -> ActionPolicy:
    about = {"name": name, "creationTimestamp": "2026-11-22T15:00:00Z", "labels": {MADE_BY: US} if ours else {},
             "annotations": {CHANGED_BY: "alice"} | ({REASON: reason} if reason else {})}  # fmt: skip
    return ActionPolicy.model_validate({"metadata": about, "spec": spec})


def asked_by(actor: str, **status: Any) -> Model:
    entry = {**samples.entry(1, "15:04:05", "Proposed", "r", actor)}
    return model(samples.proposal("one", status={"observedGeneration": 1, "history": [entry], **status}))


@pytest.mark.parametrize(
    ("seen", "requester"),
    [
        pytest.param(model(samples.UNSEEN), Requester("alice", proven=True), id="nobody doubts it"),
        pytest.param(asked_by("alice"), Requester("alice", proven=True), id="the operator found it proven"),
        pytest.param(asked_by("unverified:alice"), Requester("alice", proven=False), id="the operator did not"),
        pytest.param(
            model(samples.proposal("one", {"requestedBy": None})), Requester("", proven=False), id="nobody is named"
        ),
    ],
)
def test_who_asked_is_as_proven_as_the_operator_found_it(seen: Model, requester: Requester) -> None:
    assert requester_of(seen) == requester


def explained(seen: Model, *policies: ActionPolicy) -> list[str]:
    subjects = subjects_of(seen, {"tier": "prod"}, {"scale-workload": Risk.MEDIUM})
    found = [Explained.make(policies, subject, samples.NOW) for subject in subjects]
    told = piped(explanation_page(seen, found, samples.NOW, ["apol/new cannot be read"]))
    return [" ".join(line.split()) for line in told]


def test_an_explanation_has_what_holds_where_it_comes_from_and_what_does_not_matter() -> None:
    lines = explained(
        asked_by("alice"),
        policy("run", mode="Execute", match={"namespaceLabels": {"tier": "prod"}}),
        policy("look", mode="Observe", match={"risks": ["High"]}),
        policy("hosts", http={"allowedHosts": ["a"]}, unheardOf=1),
    )
    assert lines == [
        "ap/one: scale-workload, risk Medium, asked for by alice in namespace shop",
        "",
        "What is in force",
        "RULE FROM VALUE",
        "mode run Execute",
        "http.allowedHosts hosts a",
        "",
        "Policies that are about it",
        "POLICY RULE IN FORCE VALUE",
        "hosts - blocks spec.unheardOf: is not carried out by this version of the operator; remove it",
        "http.allowedHosts yes a",
        "run mode yes Execute",
        "",
        "Policies that are not",
        "look match.risks: Medium is not among High",
        "! apol/new cannot be read",
    ]


def test_how_times_and_amounts_stand_is_told_and_what_it_waits_for() -> None:
    waits = asked_by("alice", phase="Blocked", blocked={"policy": "pace", "rule": "freezes",
                                                        "until": "2026-11-22T15:20:00Z"})  # fmt: skip
    freeze = {"start": "2026-11-22T00:00:00Z", "end": "2026-11-22T15:20:00Z", "reason": "sale"}
    window = {"start": "02:00", "end": "04:00", "timeZone": "UTC"}
    pace = policy("pace", mode="Execute", freezes=[freeze], windows=[window], limits={"maxPerHour": 2})
    bucket = {"start": "2026-11-22T15:00:00Z", "count": 2}
    pace = pace.model_copy(update={"status": PolicyStatus.model_validate({"buckets": [bucket]})})
    lines = explained(waits, pace)
    assert lines[1] == "Blocked by policy pace, rule freezes, until 2026-11-22 15:20:00 UTC (in 10m)"
    for said in (
        "limits.maxPerHour pace 2 (2 counted now, none free until 2026-11-22 16:01:00 UTC)",
        "windows pace 02:00-04:00 UTC (closed now, opens at 2026-11-23 02:00:00 UTC)",
        "2026-11-22T15:20:00.000Z: sale (on now, until 2026-11-22 15:20:00 UTC)",
    ):
        assert any(said in line for line in lines), lines


def test_a_policy_about_requesters_only_restricts_who_is_not_proven() -> None:
    lines = explained(asked_by("unverified:alice"), policy("ci", mode="Execute", match={"requesters": ["alice"]}))
    assert "mode no policy says Execute Observe" in lines
    assert any("perhaps: it names requesters, and who asked is not proven" in line for line in lines)


def test_a_workflow_is_explained_action_by_action() -> None:
    lines = explained(model(samples.AWAITED_FLOW), policy("nodes", mode="Execute", match={"actions": ["cordon-node"]}))
    heads = [line.partition(",")[0] for line in lines if line.startswith("aw/node-4")]
    assert heads == ["aw/node-4: cordon-node", "aw/node-4: log-message", "aw/node-4: uncordon-node"]


def test_the_mode_in_force_for_each_action() -> None:
    def action_type(name: str, risk: str) -> ActionType:
        spec = {"description": "d", "risk": risk, "idempotent": True, "parameters": {"type": "object"},
                "executor": {"builtIn": {"name": name, "version": 1}}}  # fmt: skip
        return ActionType.model_validate({"metadata": {"name": name}, "spec": spec})

    policies = [
        policy("run", mode="Execute", match={"namespaces": ["shop"]}),
        policy("look", mode="Observe", match={"risks": ["High"]}),
        policy("stop", halt=True, match={"actions": ["wait"]}),
    ]
    types = [action_type("drain", "High"), action_type("wait", "Low")]
    assert list(in_force(policies, types, "shop", {})) == [
        Effect("drain", Mode.OBSERVE, "look", None),
        Effect("wait", Mode.EXECUTE, "run", "stop"),
    ]
    assert next(in_force([], types, "shop", {})) == Effect("drain", Mode.OBSERVE, None, None)
    agent = policy("agent", mode="Observe", halt=True, match={"requesters": ["system:serviceaccount:shop:agent"]})
    assert list(in_force([*policies, agent], types, "shop", {})) == list(in_force(policies, types, "shop", {}))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("apol/stop", "stop"),
        ("actionpolicy.actionoperator.dev/stop", "stop"),
        ("halt/stop", "stop"),
        ("stop", None),
        ("ap/stop", None),
        ("apol/", None),
    ],
)
def test_what_names_a_halt(text: str, name: str | None) -> None:
    assert halt_named(text) == name


def test_what_halts_on_is_told_with_how_it_ends() -> None:
    ours = policy("kubectl-actions-halt", ours=True, reason="bad deploy", halt=True)
    assert still_halts(ours, samples.NOW) == (
        "apol/kubectl-actions-halt still halts everything (by alice, 10m ago: bad deploy); "
        "end it with: kubectl actions resume apol/kubectl-actions-halt"
    )
    theirs = policy("git", halt=True, match={"actions": ["wait"]})
    assert still_halts(theirs, samples.NOW).endswith("change it where it is kept")


def test_who_can_approve_says_what_it_could_not_read() -> None:
    bob = Approver(Holder(HolderKind.USER, "bob"), ("a",), (), ("RoleBinding b (Role r)",), may_create=False)
    agent = Approver(Holder(HolderKind.MACHINE, "ci/agent"), ("a",), ("b",), ("RoleBinding c (Role r)",), True)
    found = Found(model(samples.AWAITING), ("a", "b"), [bob, agent], ["clusterroles cannot be read"])
    lines = [" ".join(line.split()) for line in piped(answer(found))]
    assert lines[0] == "ap/scale-big needs the right to approve a, b in namespace shop"
    assert "user bob RoleBinding b (Role r); may not create actionapprovals, unless by a group of theirs" in lines
    assert "service account ci/agent b RoleBinding c (Role r)" in lines
    assert lines[-1] == "! clusterroles cannot be read, so this may be incomplete"
    nobody = piped(answer(Found(model(samples.AWAITING), ("a",), [], [])))
    assert "  nobody who is named in a binding that can be read" in nobody


@pytest.mark.parametrize(
    ("seen", "lines"),
    [
        pytest.param(
            model(samples.AWAITING),
            ["2 approvals (policy prod)", "an approval of group sre or dba (policy core)",
             "it has 1 of 2, still needed from sre or dba, each user counted once",
             "alice asked for it, and does not count"],
            id="waiting",
        ),
        pytest.param(model(samples.SUCCEEDED), ["it is finished (Succeeded): nothing is approved any more"], id="done"),
        pytest.param(
            model(samples.RETRYING), ["no approval: no policy asks for one"], id="not needed",
        ),
        pytest.param(
            model(samples.UNSEEN),
            ["not known yet: the operator has not asked for approvals", "alice asked for it, and may not count"],
            id="not looked at",
        ),
    ],
)  # fmt: skip
def test_what_it_takes(seen: Model, lines: list[str]) -> None:
    assert list(rule_lines(seen)) == lines
