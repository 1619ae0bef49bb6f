"""Which objects a shard's selector fits, as the API server reads it, and which limits need one shard."""

import pytest

from controller.api.policy import ActionPolicy
from controller.core.limits import Limit, counted_by_one
from controller.core.matching import UNPROVEN, PolicySubject
from controller.core.policy import effective
from controller.core.shard import EVERYTHING, SHARD_LABEL, Shard, shard_of

NONE: dict[str, str] = {}
A, B, OTHER = {SHARD_LABEL: "a"}, {SHARD_LABEL: "b"}, {SHARD_LABEL: "c", "team": "a"}


@pytest.mark.parametrize(
    ("selector", "fitting"),
    [
        ("=a", [A]),
        (" == a", [A]),
        (" in (a)", [A]),
        (" in (a, b)", [A, B]),
        ("!=a", [NONE, B, OTHER]),
        (" notin (a,b)", [NONE, OTHER]),
        ("", [A, B, OTHER]),
    ],
)
def test_a_selector_fits_what_the_api_server_would_find(selector: str, fitting: list[dict[str, str]]) -> None:
    shard = Shard.parse(SHARD_LABEL + selector)
    assert [labels for labels in (NONE, A, B, OTHER) if shard.fits(labels)] == fitting


def test_without_the_label_and_without_a_selector() -> None:
    lacking = Shard.parse(f"!{SHARD_LABEL}")
    assert [labels for labels in (NONE, A, OTHER) if lacking.fits(labels)] == [NONE]
    assert lacking.fits(None)
    assert all(EVERYTHING.fits(labels) for labels in (None, NONE, A, OTHER))


@pytest.mark.parametrize(
    "selector",
    [
        "team=a",
        f"{SHARD_LABEL}=a,team=b",
        f"{SHARD_LABEL}=",
        f"{SHARD_LABEL} in ()",
        f"{SHARD_LABEL} in (a,)",
        f"{SHARD_LABEL} in (a",
        f"{SHARD_LABEL}=-a",
        f"!{SHARD_LABEL}=a",
        f"{SHARD_LABEL}in (a)",
        "",
    ],
)
def test_what_is_no_selector_of_shards_is_refused_with_the_forms_there_are(selector: str) -> None:
    with pytest.raises(ValueError, match=r"about the label actionoperator.dev/shard alone.*notin \(a,b\)"):
        Shard.parse(selector)


def test_of_the_labels_only_the_shard_is_handed_on() -> None:
    assert shard_of(OTHER) == {SHARD_LABEL: "c"}
    assert shard_of({"team": "a"}) == shard_of(None) == {}


def policy(shard: str | None, **limits: int) -> ActionPolicy:
    labels = {SHARD_LABEL: shard} if shard else {}
    metadata = {"name": "p", "labels": labels}
    return ActionPolicy.model_validate({"metadata": metadata, "spec": {"mode": "Execute", "limits": limits}})


@pytest.mark.parametrize(
    ("of", "limits", "told"),
    [
        ("b", {"maxConcurrent": 1}, "spec.limits.maxConcurrent"),
        (None, {"perTargetCooldownSeconds": 1}, "spec.limits.perTargetCooldownSeconds"),
        ("b", {"maxConsecutiveFailures": 1, "maxPerHour": 2}, "spec.limits.maxConsecutiveFailures"),
        ("a", {"maxConcurrent": 1}, None),
        ("b", {"maxPerHour": 2, "breakerResetSeconds": 9}, None),
        (None, {}, None),
    ],
)
def test_a_limit_that_another_process_counts_blocks(of: str | None, limits: dict[str, int], told: str | None) -> None:
    subject = PolicySubject("shop", {}, "wait", None, UNPROVEN)
    fault = effective([policy(of, **limits)], subject, Shard.parse(f"{SHARD_LABEL}=a")).fault
    assert (fault.rule.path if fault else None) == told
    assert fault is None or f"the same label {SHARD_LABEL}" in fault.rule.message
    assert effective([policy(of, **limits)], subject).fault is None, "where one process does everything"


def test_which_limits_are_counted_by_one() -> None:
    everything = policy(
        None, maxConcurrent=1, maxPerHour=1, perTargetCooldownSeconds=1, maxConsecutiveFailures=1, breakerResetSeconds=1
    )
    assert everything.spec.limits is not None
    assert {limit.value for limit in counted_by_one(everything.spec.limits)} == {
        "limits.maxConcurrent", "limits.perTargetCooldownSeconds", "limits.maxConsecutiveFailures"
    }  # fmt: skip
    assert set(Limit) - set(counted_by_one(everything.spec.limits)) == {Limit.PER_HOUR}
