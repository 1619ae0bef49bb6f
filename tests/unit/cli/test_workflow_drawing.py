"""graph: the steps of a workflow as a drawing."""

from typing import Any

import cli_samples as samples
from drawing import model, on_terminal, piped

from controller.api.workflow import ActionWorkflow
from controller.cli.graph import dot, drawing, mermaid

LOG: Any = {"action": "log-message", "parameters": {"message": "x"}}


def made(**status: Any) -> ActionWorkflow:
    spec = {
        "description": "Roll it out", "reason": "release", "order": "Graph",
        "steps": [
            {"name": "build", **LOG},
            {"name": "test", **LOG, "dependsOn": ["build"], "when": "steps.build.outcome == 'Succeeded'"},
            {"name": "scan", **LOG, "dependsOn": ["build"]},
            {"name": "release", **LOG, "dependsOn": ["test", "scan"]},
        ],
        "finally": [{"name": "tell", **LOG}],
    }  # fmt: skip
    made = model(samples.workflow("roll", spec, status))
    assert isinstance(made, ActionWorkflow)
    return made


RUNNING: Any = {
    "phase": "Running",
    "progress": "2/5",
    "steps": [
        {"name": "build", "uid": "1", "proposal": "p", "outcome": "Succeeded", "startedAt": samples.at("15:04:05"),
         "completedAt": samples.at("15:04:07"), "rollback": {"proposal": "u", "uid": "3"}},
        {"name": "test", "outcome": "Failed"},
        {"name": "scan", "uid": "2", "proposal": "q"},
        {"name": "release"},
        {"name": "tell"},
    ],
}  # fmt: skip


def test_each_step_stands_below_the_last_that_it_waits_for() -> None:
    assert on_terminal(drawing(made(**RUNNING), samples.NOW), 110) == [
        "ActionWorkflow shop/roll  Running",
        "  STEP             ACTION       STATE      RETRIES  TOOK",
        "  ✓ build          log-message  Succeeded  0        2.0s",
        "  └─ ✗ test        log-message  Failed     0        -     when steps.build.outcome == 'Succeeded'",
        "  └─ ▸ scan        log-message  started    0        -",
        "     └─ · release  log-message  waiting    0        -     after test, scan",
        "",
        "Finally",
        "  · tell  log-message  waiting  0  -",
        "",
        "Taken back",
        "  build  under way",
    ]


def test_before_it_has_started_and_into_a_pipe() -> None:
    lines = piped(drawing(made(), samples.NOW))
    assert lines[2].split() == ["·", "build", "log-message", "waiting", "0", "-"]


def test_other_tools_can_draw_it() -> None:
    text = mermaid(made(**RUNNING))
    assert text.startswith('flowchart TD\n  s0["✓ build: log-message (Succeeded)"]\n')
    for line in ("s0 --> s1", "s1 --> s3", "s2 --> s3", "s3 -.-> s4", "style s1 stroke:#cf222e"):
        assert f"  {line}\n" in text
    drawn = dot(made(**RUNNING))
    assert drawn.startswith("digraph workflow {\n")
    for line in (
        '"build" -> "test";',
        '"release" -> "tell" [style=dashed];',
        '"scan" [label="▸ scan: log-message (started)"',
    ):
        assert line in drawn


def test_a_ring_is_drawn_too() -> None:
    """What is wrong with it is told elsewhere."""
    spec = {"description": "d", "reason": "r", "order": "Graph",
            "steps": [{"name": "a", **LOG, "dependsOn": ["b"]}, {"name": "b", **LOG, "dependsOn": ["a"]}]}  # fmt: skip
    made = model(samples.workflow("ring", spec))
    assert isinstance(made, ActionWorkflow)
    assert len(piped(drawing(made, samples.NOW))) == 4


def test_what_will_never_start_does_not_wait() -> None:
    refused = made(phase="Failed", outcome="Failed", message="refused")
    lines = on_terminal(drawing(refused, samples.NOW), 110)
    assert not any("waiting" in line for line in lines)
    assert lines[2].split() == ["–", "build", "log-message", "not", "run", "0", "-"]
    assert "– build: log-message (not run)" in mermaid(refused)
    assert "– build: log-message (not run)" in dot(refused)


def test_what_a_cancellation_left_as_it_is_is_told_with_what_takes_it_back() -> None:
    message = "the workflow was cancelled; kubectl actions undo aw/roll takes it back"
    row = {
        "name": "build",
        "uid": "1",
        "outcome": "Succeeded",
        "rollback": {"outcome": "Cancelled", "message": message},
    }
    lines = on_terminal(drawing(made(phase="Cancelled", outcome="Cancelled", steps=[row]), samples.NOW), 110)
    assert lines[-2:] == ["Taken back", f"  build  not taken back  {message}"]
