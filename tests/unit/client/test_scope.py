"""What a policy of a command's own is about, in words and against other policies."""

from typing import Any

import pytest

from controller.api.policy import ActionPolicy, Match
from controller.client.scope import EVERYTHING, Scope, covers, match_words, may_touch
from controller.client.switches import HALT_NAME, MADE_BY, US, halts, is_a_halt, is_ours, policy_manifest, policy_name

SHOP = Scope(namespaces=["shop"])


@pytest.mark.parametrize(
    ("scope", "match", "words"),
    [
        (EVERYTHING, {}, "everything"),
        (Scope(["shop", "cart", "shop"]), {"namespaces": ["cart", "shop"]}, "everything in namespace cart or shop"),
        (Scope(actions=["wait"]), {"actions": ["wait"]}, "wait"),
        (
            Scope(["shop"], {"tier": "prod"}, ["wait"], ["High", "Critical"]),
            {"namespaces": ["shop"], "namespaceLabels": {"tier": "prod"}, "actions": ["wait"],
             "risks": ["Critical", "High"]},
            "wait and risk Critical or High in namespace shop and namespaces with tier=prod",
        ),
    ],
)  # fmt: skip
def test_a_scope_as_a_match_and_in_words(scope: Scope, match: dict[str, Any], words: str) -> None:
    assert scope.match() == match
    assert str(scope) == words


def test_a_match_that_scopes_do_not_have() -> None:
    assert match_words(Match.model_validate({"requesters": ["ci"], "actions": []})) == "nothing and what ci asks for"


@pytest.mark.parametrize(
    ("match", "scope", "all_of_it", "some"),
    [
        pytest.param({}, EVERYTHING, True, True, id="everything"),
        pytest.param({}, SHOP, True, True, id="more than asked"),
        pytest.param({"namespaces": ["shop"]}, SHOP, True, True, id="the same"),
        pytest.param({"namespaces": ["shop", "cart"]}, SHOP, True, True, id="it and more"),
        pytest.param({"namespaces": ["cart"]}, SHOP, False, False, id="elsewhere"),
        pytest.param({"namespaces": ["shop"]}, EVERYTHING, False, True, id="a part"),
        pytest.param({"actions": ["wait"]}, SHOP, False, True, id="one action"),
        pytest.param({"risks": ["High"]}, Scope(risks=["Low"]), False, False, id="another risk"),
        pytest.param({"namespaceLabels": {"a": "b"}}, SHOP, False, True, id="labels: nobody knows"),
        pytest.param({"namespaceLabels": {"a": "b"}}, Scope(namespace_labels={"a": "b"}), True, True, id="labels"),
        pytest.param({"namespaceLabels": {"a": "b"}}, Scope(namespace_labels={"a": "c"}), False, False, id="others"),
        pytest.param({"requesters": ["ci"]}, SHOP, False, True, id="some requesters"),
    ],
)
def test_how_another_policy_bears_on_a_scope(match: dict[str, Any], scope: Scope, all_of_it: bool, some: bool) -> None:
    parsed = Match.model_validate(match)
    assert (covers(parsed, scope), may_touch(parsed, scope)) == (all_of_it, some)


def test_the_same_scope_is_the_same_policy() -> None:
    assert policy_name(HALT_NAME, EVERYTHING) == "kubectl-actions-halt"
    assert policy_name(HALT_NAME, Scope(["b", "a"])) == policy_name(HALT_NAME, Scope(["a", "b", "a"]))
    names = {policy_name(HALT_NAME, scope) for scope in (EVERYTHING, SHOP, Scope(actions=["shop"]))}
    assert len(names) == 3
    assert all(len(name) <= 63 for name in names)


def a_policy(spec: dict[str, Any], *, ours: bool = True) -> ActionPolicy:
    labels = {MADE_BY: US} if ours else {}
    return ActionPolicy.model_validate({"metadata": {"name": "p", "labels": labels}, "spec": spec})


def test_a_halt_is_a_policy_with_nothing_else() -> None:
    body = policy_manifest("p", SHOP, {"halt": True}, reason="bad deploy", username="alice")
    assert body["spec"] == {"match": {"namespaces": ["shop"]}, "halt": True}
    assert body["metadata"]["annotations"] == {
        "actionoperator.dev/reason": "bad deploy", "actionoperator.dev/changed-by": "alice",
    }  # fmt: skip
    assert is_a_halt(ActionPolicy.model_validate(body))
    assert policy_manifest("p", EVERYTHING, {"halt": True}, reason="", username="alice")["spec"] == {"halt": True}


@pytest.mark.parametrize(
    ("policy", "ours", "ends_by_command"),
    [
        pytest.param(a_policy({"halt": True}), True, True, id="a halt"),
        pytest.param(a_policy({"halt": True}, ours=False), False, False, id="somebody else's"),
        pytest.param(a_policy({"halt": True, "mode": "Execute"}), True, False, id="says more"),
        pytest.param(a_policy({"halt": False}), True, False, id="does not halt"),
        pytest.param(a_policy({"halt": True, "later": 1}), True, False, id="has a field that we do not know"),
    ],
)
def test_only_what_the_command_made_is_ended_by_it(policy: ActionPolicy, ours: bool, ends_by_command: bool) -> None:
    assert (is_ours(policy), is_a_halt(policy)) == (ours, ends_by_command)
    assert bool(halts([policy])) is (policy.spec.halt is True)
