"""What the cluster declares: what changes is told, and what cannot be read never widens what is allowed."""

from typing import Any

import pytest
from unit.core.making import REGISTRY, SETTINGS, SHIPPED

from controller.core.matching import PolicySubject
from controller.core.policy import effective
from controller.core.ports import Json
from controller.runtime.declarations import Declarations


def made() -> Declarations:
    return Declarations(REGISTRY, SETTINGS)


def policy(spec: Json, name: str = "rules") -> Json:
    return {"metadata": {"name": name, "generation": 1}, "spec": spec}


def namespace(**labels: str) -> Json:
    return {"metadata": {"name": "shop", "labels": labels}}


WAIT = SHIPPED["wait"]


def test_what_changes_is_told_once() -> None:
    declarations = made()
    assert declarations.put_type(WAIT)
    assert not declarations.put_type({**WAIT, "status": {"observedGeneration": 1}})
    assert declarations.put_type({**WAIT, "spec": {**WAIT["spec"], "description": "x"}})
    assert declarations.put_policy(policy({"mode": "Execute"}))
    assert not declarations.put_policy({**policy({"mode": "Execute"}), "status": {"observedGeneration": 1}})
    assert declarations.put_policy(policy({"mode": "Observe"}))
    assert declarations.put_namespace(namespace(team="web"))
    assert not declarations.put_namespace(namespace(team="web"))
    assert declarations.put_namespace(namespace(team="shop"))


def test_what_is_removed_is_gone() -> None:
    declarations = made()
    declarations.put_type(WAIT)
    declarations.put_policy(policy({"mode": "Execute"}))
    declarations.put_namespace(namespace(team="web"))
    for remove, name in (
        (declarations.remove_type, "wait"), (declarations.remove_policy, "rules"),
        (declarations.remove_namespace, "shop"),
    ):  # fmt: skip
        assert remove(name)
        assert not remove(name)
    world = declarations.world("shop")
    assert (dict(world.catalogue.types), world.policies, dict(world.namespace_labels)) == ({}, (), {})


@pytest.mark.parametrize(
    "spec",
    [
        {"mode": "Sometimes"},
        {"mode": "Execute", "approval": {"required": -1}},
        {"mode": "Execute", "freezes": "always"},
        {"match": {"namespaces": "shop"}, "mode": "Execute"},
        "nonsense",
        None,
    ],
)
def test_a_policy_that_cannot_be_read_halts_everything(spec: Any) -> None:
    declarations = made()
    declarations.put_policy(policy({"mode": "Execute"}, "go"))
    assert declarations.put_policy(policy(spec))
    for subject in (PolicySubject("shop", {}, "wait", None), PolicySubject("other", {"a": "b"}, "run-job", None)):
        assert effective(declarations.world("shop").policies, subject).halted_by == "rules"
    declarations.put_policy(policy({"mode": "Execute"}))
    assert effective(declarations.world("shop").policies, subject).halted_by is None


@pytest.mark.parametrize(
    "spec",
    [
        {**WAIT["spec"], "risk": "Awful"},
        {name: value for name, value in WAIT["spec"].items() if name != "idempotent"},
        {**WAIT["spec"], "parameters": {"type": "object", "maximum": 2**60}},
        {},
    ],
)
def test_a_type_that_cannot_be_read_counts_as_absent(spec: Any) -> None:
    declarations = made()
    declarations.put_type(WAIT)
    assert declarations.put_type({**WAIT, "spec": spec})
    assert "wait" not in declarations.world("shop").catalogue.types
    assert not declarations.put_type({**WAIT, "spec": spec})


def test_a_world_is_of_its_moment() -> None:
    declarations = made()
    declarations.put_type(WAIT)
    before = declarations.world("shop")
    assert declarations.world("shop") is before, "nothing changed"
    declarations.put_policy(policy({"mode": "Execute"}))
    declarations.remove_type("wait")
    declarations.put_namespace(namespace(team="web"))
    after = declarations.world("shop")
    assert ("wait" in before.catalogue.types, len(before.policies)) == (True, 0)
    assert ("wait" in after.catalogue.types, len(after.policies)) == (False, 1)
    assert after.namespace_labels == {"team": "web"}
    assert declarations.world("other").namespace_labels == {}


def stored(version: int, spec: Json, uid: str = "u1") -> Json:
    return {"metadata": {"name": "rules", "uid": uid, "generation": 1, "resourceVersion": str(version)}, "spec": spec}


def test_what_a_list_read_before_the_deletion_does_not_come_back() -> None:
    declarations = made()
    assert declarations.put_policy(stored(7, {"mode": "Execute"}))
    declarations.remove_policy("rules")
    assert not declarations.put_policy(stored(7, {"mode": "Execute"}))
    assert not declarations.put_policy(stored(6, {"mode": "Execute"}))
    assert not declarations.policies
    assert declarations.put_policy(stored(8, {"mode": "Execute"}, uid="u2")), "made again"
    assert list(declarations.policies) == ["rules"]


def test_a_version_that_is_known_is_no_news() -> None:
    """Everything is listed again each minute: what is the same is not parsed again."""
    declarations = made()
    declarations.put_policy(stored(7, {"mode": "Execute"}))
    world = declarations.world("shop")
    declarations.put_policy(stored(7, {"mode": "Execute"}))
    assert declarations.world("shop") is world
    declarations.put_policy(stored(8, {"mode": "Execute"}))
    assert declarations.world("shop") is not world
