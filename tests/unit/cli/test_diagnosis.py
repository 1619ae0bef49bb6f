"""How `doctor` judges what it has read: the classic mistakes, each with what mends it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from drawing import piped

from controller.api.crd import crd
from controller.api.kinds import KINDS
from controller.api.names import Mode
from controller.cli import diagnosis
from controller.cli.findings import Finding, State, page
from controller.cli.modes import Effect
from controller.runtime import assembly, standing

NOW = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("version", "state", "says"),
    [
        ("v1.37.2", State.OK, "v1.37.2"),
        ("v1.36.0-rc.1+k3s1", State.OK, "v1.36"),
        ("v1.33.1-gke.100", State.NOTE, "does not fill it in"),
        ("v1.31.9", State.BROKEN, "v1.31.9 is too old: actions need 1.32 or newer"),
        ("main", State.NOTE, "not a version"),
    ],
)
def test_an_old_kubernetes_is_told(version: str, state: State, says: str) -> None:
    found = diagnosis.kubernetes({"gitVersion": version})
    assert found.state is state
    assert says in found.said
    assert diagnosis.stamps({"gitVersion": version}) is (state is State.OK)


def stored() -> dict[str, Any]:
    """Our CRDs as an API server has them."""
    made = {diagnosis.name_of(kind): crd(kind) for kind in KINDS}
    for one in made.values():
        one["status"] = {"conditions": [{"type": "Established", "status": "True"}]}
    return made


def test_crds_as_shipped_are_in_order() -> None:
    assert diagnosis.definitions(stored(), "0.1.0").state is State.OK


def test_missing_crds_are_told_with_what_installs_them() -> None:
    none = diagnosis.definitions({}, "0.1.0")
    assert none.state is State.BROKEN
    assert none.mend[0].startswith("kubectl apply --server-side -f crds/")
    assert "--context" in none.mend[1]
    some = {name: one for name, one in stored().items() if "polic" not in name}
    assert diagnosis.definitions(some, "0.1.0").said == "missing: ActionPolicy"
    assert diagnosis.served_only(["ActionProposal"]).state is State.BROKEN
    assert diagnosis.served_only(kind.INFO.kind for kind in KINDS).state is State.OK


def test_crds_that_are_not_served_not_established_or_of_another_version_are_told() -> None:
    unserved, unready, other = stored(), stored(), stored()
    name = diagnosis.name_of(KINDS[0])
    unserved[name]["spec"]["versions"][0]["served"] = False
    unready[name]["status"]["conditions"][0]["status"] = "False"
    other[name]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["description"] = "from later"
    found = diagnosis.definitions(unserved, "0.1.0")
    assert (found.state, "not served" in found.said) == (State.BROKEN, True)
    found = diagnosis.definitions(unready, "0.1.0")
    assert (found.state, found.mend) == (State.BROKEN, (f"kubectl describe crd {name}",))
    found = diagnosis.definitions(other, "0.1.0")
    assert (found.state, KINDS[0].INFO.kind in found.said) == (State.NOTE, True)


def lease(seconds_ago: float, holder: str = "pod-a") -> dict[str, Any]:
    renewed = (NOW - timedelta(seconds=seconds_ago)).isoformat()
    return {"spec": {"holderIdentity": holder, "renewTime": renewed, "leaseDurationSeconds": 15}}


@pytest.mark.parametrize(
    ("found", "state", "says"),
    [
        (None, State.BROKEN, "there is no Lease ops/op"),
        (lease(3), State.OK, "pod-a leads"),
        (lease(19), State.OK, "pod-a leads"),
        (lease(60), State.BROKEN, "has not renewed it for 60s (limit 15 s)"),
        (lease(1, holder=""), State.BROKEN, "the operator was stopped"),
    ],
)
def test_an_operator_that_is_not_there_is_told(found: Any, state: State, says: str) -> None:
    (told,) = diagnosis.operators({"op": found}, "ops", NOW)
    assert (told.state, says in told.said) == (state, True), told.said
    assert bool(told.mend) is (state is State.BROKEN)
    assert any("kubectl get pods -n ops;" in line for line in told.mend) is (state is State.BROKEN)


def test_of_several_shards_each_is_told() -> None:
    told = list(diagnosis.operators({"op-a": lease(3), "op-b": None}, "ops", NOW))
    assert [(one.about, one.state) for one in told] == [("Operator op-a", State.OK), ("Operator op-b", State.BROKEN)]


@pytest.mark.parametrize(("skew", "state"), [(None, State.SKIPPED), (-2.0, State.OK), (9.0, State.NOTE)])
def test_a_wrong_clock_is_told(skew: float | None, state: State) -> None:
    assert diagnosis.clock(skew).state is state


def effect(mode: Mode, halted_by: str | None = None) -> Effect:
    return Effect("wait", mode, "p", halted_by)


def test_an_absent_policy_is_told_with_how_to_say_execute() -> None:
    found = diagnosis.mode([effect(Mode.OBSERVE)], "shop", 0)
    assert (found.state, "there is no ActionPolicy" in found.said) == (State.NOTE, True)
    assert found.mend[0] == "kubectl actions mode Execute -n shop --reason TEXT"
    assert "no policy that is about it" in diagnosis.mode([effect(Mode.OBSERVE)], "shop", 2).said
    assert diagnosis.mode([effect(Mode.EXECUTE)], "shop", 1).state is State.OK
    halted = diagnosis.mode([effect(Mode.EXECUTE, "stop")], "shop", 1)
    assert (halted.state, halted.mend) == (State.NOTE, ("kubectl actions resume apol/stop",))


def test_missing_rights_are_named_and_not_all_of_many() -> None:
    assert diagnosis.rights("R", "ops/op", [], 3, "mend").said == "ops/op has all 3 that it needs"
    found = diagnosis.rights("R", "ops/op", [f"get {n}" for n in range(7)], 9, "mend")
    assert found.said.endswith("get 4 and 2 more")
    assert found.mend == ("mend",)


def test_no_types_is_told_with_what_installs_them() -> None:
    found = diagnosis.types([])
    assert (found.state, found.mend[0].split("   ")[0]) == (
        State.BROKEN, "kubectl apply --server-side -f catalog/"
    )  # fmt: skip


def test_the_page_lines_up_and_sums_up() -> None:
    found = [
        Finding("CRDs", State.OK, "fine"),
        Finding("Your rights", State.NOTE, "few", ["grant them"]),
        Finding("Operator", State.BROKEN, "gone " * 20, ["start it"]),
        Finding("Clock", State.SKIPPED, "no date"),
    ]
    lines = piped(page(found))
    assert lines[0] == "✓ CRDs         fine"
    assert lines[1:3] == ["! Your rights  few", "    -> grant them"]
    assert lines[-1] == "1 broken, 1 worth a look, 1 not looked at"


def test_the_clock_is_judged_by_the_limit_that_the_operator_leads_by() -> None:
    """Here the command stands apart from the operator, so that the number is written twice."""
    assert diagnosis.MOST_SKEW_SECONDS == assembly.MOST_SKEW_SECONDS
    assert f" {assembly.MOST_SKEW_SECONDS:g} s off does not lead" in standing.SKEW.meaning
