"""The health of every situation of every kind, over objects recorded from a running operator.

By kstatus's published rules, by Argo CD's with our health.lua, and by Flux's with the samples' expressions.
"""

import re
from datetime import UTC, datetime
from typing import Any

import lupa.lua51 as lupa
import pytest
import yaml
from harness.argo_health import SCRIPT, argo_health
from harness.flux_health import flux_health
from harness.health_table import CASES, LIFE, LIVING, RECORDED, TABLE, recorded
from harness.kstatus import Status, kstatus

from controller.api.kinds import KINDS
from controller.api.names import Outcome, Phase
from controller.api.proposal import ProposalStatus
from controller.api.workflow import WorkflowStatus
from controller.core.poison import mishandled
from hack.installation import ROOT

GITOPS = ROOT / "config" / "gitops"
NOW = datetime(2026, 12, 1, tzinfo=UTC)
STATUS = {"ActionProposal": ProposalStatus, "ActionWorkflow": WorkflowStatus}
NEVER_SEEN = ("ActionWorkflow", "Pending")
"""A workflow is Pending only while the operator fails on it."""
SEEN = [case for case in CASES if case != NEVER_SEEN]
OTHER_PLACES = """
local first = string and string.upper or nil
return {status = "Healthy", message = first and "has libraries" or "has none"}
"""


def kustomization(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((GITOPS / "flux" / f"{name}.yaml").read_text())
    return found


STRICT, PATIENT = kustomization("wait-for-outcome"), kustomization("go-on-without-people")


@pytest.mark.parametrize(("kind", "situation"), SEEN)
def test_everybody_sees_it_as_the_table_says(kind: str, situation: str) -> None:
    found, row = recorded(kind, situation), TABLE[kind][situation]
    assert kstatus(found) == row.kstatus
    assert argo_health(found).status == row.argo
    if row.kstatus is not Status.TERMINATING:  # Flux does not ask its expressions about what is being deleted
        assert flux_health(found, STRICT) == row.strict
        assert flux_health(found, PATIENT) == row.patient


@pytest.mark.parametrize("kind", LIVING)
def test_an_object_that_the_operator_fails_on_is_on_its_way(kind: str) -> None:
    found = recorded(kind, "New")
    status = mishandled(STATUS[kind](), ValueError("x"), generation=1, now=NOW)
    found["status"] = status.wire()
    assert found["status"]["phase"] == "Pending"
    row = TABLE[kind]["Pending"]
    assert (kstatus(found), argo_health(found).status) == (row.kstatus, row.argo)
    assert (flux_health(found, STRICT), flux_health(found, PATIENT)) == (row.strict, row.patient)


@pytest.mark.parametrize(("kind", "situation"), SEEN)
def test_an_edit_that_nobody_has_looked_at_yet_is_on_its_way(kind: str, situation: str) -> None:
    found = recorded(kind, situation)
    found["metadata"].pop("deletionTimestamp", None)
    found["metadata"]["generation"] += 1
    assert kstatus(found) == flux_health(found, STRICT) == flux_health(found, PATIENT) == "InProgress"
    assert argo_health(found).status == "Progressing"


def test_every_phase_and_every_kind_with_a_status_is_in_the_table_and_recorded() -> None:
    assert {phase.value for phase in Phase} <= set(LIFE)
    assert {kind.INFO.kind for kind in KINDS} - {"ActionApproval"} == set(TABLE)
    files = {(file.parent.name, file.stem) for file in RECORDED.glob("*/*.yaml")}
    assert files == set(SEEN)
    for kind in LIVING:
        for outcome in Outcome:
            assert recorded(kind, outcome.value)["status"]["outcome"] == outcome.value


@pytest.mark.parametrize(("kind", "situation"), SEEN)
def test_people_are_told_why(kind: str, situation: str) -> None:
    found, message = recorded(kind, situation), argo_health(recorded(kind, situation)).message
    if situation in ("New", "Deleting"):
        assert message in ("the operator has not looked at it yet", "is being deleted")
        return
    assert any(condition["message"] and condition["message"] in message for condition in found["status"]["conditions"])
    assert message.startswith(found["status"].get("phase", message))


def test_the_health_script_has_no_more_libraries_than_argo_cd_gives_it() -> None:
    assert argo_health(recorded("ActionType", "Ready"), OTHER_PLACES).message == "has none"
    with pytest.raises(lupa.LuaError):
        argo_health(recorded("ActionType", "Ready"), "return {status = string.upper('healthy')}")


def test_argo_cd_is_given_the_script_for_every_kind_that_has_a_status() -> None:
    (generator,) = yaml.safe_load((GITOPS / "argocd" / "kustomization.yaml").read_text())["configMapGenerator"]
    assert (generator["name"], SCRIPT.name) == ("argocd-cm", "health.lua")
    expected = [f"resource.customizations.health.actionoperator.dev_{kind}=health.lua" for kind in sorted(TABLE)]
    assert generator["files"] == expected


@pytest.mark.parametrize("rules", [*STRICT["spec"]["healthCheckExprs"], *PATIENT["spec"]["healthCheckExprs"]])
def test_expressions_are_about_our_kinds(rules: dict[str, str]) -> None:
    assert rules["apiVersion"] == "actionoperator.dev/v1alpha1"
    assert rules["kind"] in LIVING


def shown() -> dict[str, tuple[str, str]]:
    """What the guide's table says of each situation: kstatus and Argo CD."""
    rows = re.findall(r"^\| ([A-Z][^|]*) \| (\w+) \| (\w+) \|", (ROOT / "docs" / "gitops.md").read_text(), re.MULTILINE)
    return {
        situation.strip(): (by_kstatus, by_argo)
        for situations, by_kstatus, by_argo in rows
        for situation in re.sub(r"\([^)]*\)", "", situations).split(",")
    }


def test_the_guide_shows_this_table() -> None:
    expected = {name: (row.kstatus.value, row.argo) for rows in TABLE.values() for name, row in rows.items()}
    assert shown() == expected
