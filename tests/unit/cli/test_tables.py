"""The list: what one line says of an object."""

import re
from typing import Any

import cli_samples as samples
import pytest
from drawing import item, on_terminal, piped

from controller.cli.items import newest_last
from controller.cli.table import table


def cells(manifest: dict[str, Any], **options: bool) -> dict[str, str]:
    """The cells of an object's line by their header, found by the header's place."""
    header, line = piped(table([item(manifest)], samples.NOW, **options))
    found = list(re.finditer(r"\S+( BY)?", header))
    ends = [*(match.start() for match in found[1:]), None]
    return {match.group(): line[match.start() : end].strip() for match, end in zip(found, ends, strict=True)}


def test_a_retry_is_counted_down() -> None:
    assert cells(samples.RETRYING) == {
        "NAME": "ap/scale-checkout",
        "ACTION": "scale-workload",
        "PHASE": "Retrying",
        "RETRIES": "1 (in 42s)",
        "AGE": "6m",
        "MESSAGE": samples.REFUSED,
    }


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [
        pytest.param(
            samples.ROLLING, {"NAME": "aw/node-3", "ACTION": "1/4 steps", "RETRIES": "1 (in 30s)"}, id="workflow"
        ),
        pytest.param(
            samples.AWAITING, {"PHASE": "AwaitingApproval", "MESSAGE": samples.WAITS_FOR}, id="waits for people"
        ),
        pytest.param(samples.ENDED, {"PHASE": "Failed", "RETRIES": "1"}, id="finished: no countdown"),
        pytest.param(
            samples.UNSEEN, {"PHASE": "Pending", "MESSAGE": "the operator has not looked at it yet"}, id="new"
        ),
        pytest.param(
            samples.FORGOTTEN,
            {"MESSAGE": "the operator has not looked at it yet; is it running?"},
            id="never looked at",
        ),
    ],
)
def test_a_line(manifest: dict[str, Any], expected: dict[str, str]) -> None:
    seen = cells(manifest)
    assert {name: seen[name] for name in expected} == expected


def test_wide_and_everywhere() -> None:
    seen = cells(samples.SUCCEEDED, wide=True, namespaces=True)
    wide = {"NAMESPACE": "shop", "OUTCOME": "Succeeded", "MODE": "Execute", "REQUESTED BY": "alice",
            "RUNNER": "checkout-ops", "TICKET": "OPS-1234"}  # fmt: skip
    assert {name: seen[name] for name in wide} == wide


@pytest.mark.parametrize("manifest", [samples.RETRYING, samples.ROLLING])
def test_what_a_newer_operator_wrote_still_has_a_line(manifest: dict[str, Any]) -> None:
    newer = {**manifest, "status": {**manifest["status"], "phase": "Dreaming"}}
    for wide in (False, True):
        assert "cannot be read" in cells(newer, wide=wide)["MESSAGE"]


def test_a_message_takes_one_line_and_no_more_than_the_terminal_has() -> None:
    broken = {
        **samples.BLOCKED,
        "status": {**samples.BLOCKED["status"], "message": "one\ntwo \x1b[2Jthree " + "x" * 200},
    }
    lines = on_terminal(table([item(broken)], samples.NOW), 80)
    assert len(lines) == 2
    assert len(lines[1]) == 80
    assert lines[1].endswith("…")
    assert "\x1b" not in lines[1]


def test_the_newest_is_last_and_a_workflow_stands_before_its_steps() -> None:
    old = {"creationTimestamp": "2026-11-22T15:00:00Z"}
    step = samples.proposal("a-step")
    listed = newest_last(item(one) for one in (step, samples.workflow("z"), samples.proposal("older", **old)))
    assert [one.short for one in listed] == ["ap/older", "aw/z", "ap/a-step"]
