"""Names, refusals, exit codes, lines of change, the catalogue, and how quickly help is there."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import cli_samples as samples
import pytest
from drawing import item, model, piped
from typer.testing import CliRunner

from controller.api.actiontype import ActionType
from controller.api.names import Outcome
from controller.api.proposal import ActionProposal
from controller.api.workflow import ActionWorkflow
from controller.cli.catalogue import bounds, catalogue
from controller.cli.exits import Exit, exit_of
from controller.cli.find import BOTH, Ref, missing
from controller.cli.main import app
from controller.cli.refusals import NOT_INSTALLED, Refused, told
from controller.cli.watching import Changes
from controller.client.errors import NotFinished
from controller.core.errors import NotFound, PermanentFailure, RightMissing, TransientFailure
from controller.kube.answers import UNAUTHORIZED

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("web", BOTH),
        ("ap/web", (ActionProposal,)),
        ("aw/web", (ActionWorkflow,)),
        ("actionproposal.actionoperator.dev/web", (ActionProposal,)),
        ("ActionWorkflow/web", (ActionWorkflow,)),
        ("workflows/web", (ActionWorkflow,)),
    ],
)
def test_every_form_that_we_or_kubectl_print_is_taken(text: str, kinds: tuple[Any, ...]) -> None:
    assert Ref.parse(text) == Ref("web", kinds)


@pytest.mark.parametrize("text", ["pod/web", "ap/", "/web", "", "ap/web/scale", "..", "a%2Fb"])
def test_other_kinds_are_refused_with_the_forms(text: str) -> None:
    with pytest.raises(Refused, match="write NAME, ap/NAME") as refused:
        Ref.parse(text)
    assert refused.value.code is Exit.USAGE


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (["describe", ""], "Invalid value for 'NAME': '' is not a name; write NAME, ap/NAME (a proposal) or aw/NAME"),
        (["cancel", "ap/"], "'ap/' is not a name"),
        (["watch", "a/b/c"], "'a/b/c' is not a name"),
        (["wait", ".."], "'..' is not a name"),
        (["list", "-n", "a/b"], "Invalid value for '--namespace' / '-n': 'a/b' is not a namespace; write at most 63"),
        (["-n", "Shop", "list"], "'Shop' is not a namespace"),
        (["list", "-n", "a" * 64], "is not a namespace"),
    ],
)
def test_what_cannot_be_a_name_is_wrong_usage_whatever_the_cluster(
    command: list[str], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", "/absent")
    result = CliRunner().invoke(app, command)
    assert result.exit_code == Exit.USAGE
    assert says in result.stderr


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "scale-chekout",
            "there is no proposal or workflow scale-chekout in namespace shop; did you mean ap/scale-checkout?",
        ),
        ("ap/node-3", "there is no proposal node-3 in namespace shop; did you mean aw/node-3?"),
        ("quite-else", "there is no proposal or workflow quite-else in namespace shop; see kubectl actions list -A"),
    ],
)
def test_what_is_not_there_is_told_with_near_names(text: str, line: str) -> None:
    assert missing(Ref.parse(text), "shop", [item(one) for one in samples.ALL]) == line


def test_every_outcome_has_its_own_exit_code() -> None:
    codes = {outcome: exit_of(outcome, as_asked=False) for outcome in Outcome if outcome is not Outcome.SUCCEEDED}
    assert sorted(codes.values()) == [10, 11, 12, 13, 14, 15]
    assert codes[Outcome.FAILED] == 10
    assert exit_of(Outcome.OBSERVED, as_asked=True) == 0


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (NotFound("list actiontypes: 404 page not found"), Exit.NOT_FOUND, NOT_INSTALLED),
        (NotFound('get actiontypes x: "x" not found'), Exit.NOT_FOUND, '"x" not found'),
        (RightMissing("grant it with a Role rule"), Exit.FORBIDDEN, "grant it"),
        (TransientFailure("list: no connection to the API server: refused"), Exit.UNREACHABLE, "is the cluster up"),
        (TransientFailure(f"list: {UNAUTHORIZED}"), Exit.ERROR, "another context with --context"),
        (PermanentFailure("no kubeconfig at /x"), Exit.ERROR, "no kubeconfig"),
        (NotFinished("not finished", model(samples.RETRYING)), Exit.TIMEOUT, "not finished"),
        (Refused("so", Exit.USAGE), Exit.USAGE, "so"),
    ],
)
def test_errors_are_a_line_and_a_code(error: Exception, code: Exit, says: str) -> None:
    line, got = told(error)
    assert got is code
    assert says in line


def test_only_news_are_told_to_a_pipe() -> None:
    changes = Changes()
    retrying = item(samples.RETRYING)
    assert changes.lines([retrying], samples.NOW) == [
        f"2026-11-22 15:10:00 UTC shop ap/scale-checkout Retrying: {samples.REFUSED}; next attempt in 42 s"
    ]
    assert changes.lines([retrying], samples.NOW) == []
    ended = item({**samples.RETRYING, "status": {"phase": "Succeeded", "outcome": "Succeeded", "message": "done"}})
    assert changes.lines([ended], samples.NOW) == ["2026-11-22 15:10:00 UTC shop ap/scale-checkout Succeeded: done"]
    assert changes.lines([], samples.NOW) == ["2026-11-22 15:10:00 UTC shop ap/scale-checkout is gone"]


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({"type": "integer", "minimum": 0, "maximum": 5}, "integer, 0..5"),
        ({"type": "integer", "minimum": 1}, "integer, at least 1"),
        ({"type": "string", "enum": ["A", "B"]}, "text, one of A, B"),
        ({"type": "string", "minLength": 1, "maxLength": 63, "pattern": "^a"}, "text, 1..63 characters, matches ^a"),
        ({"type": "boolean", "default": False}, "boolean, default false"),
        ({"type": "array", "items": {"type": "integer", "maximum": 9}, "maxItems": 2},
         "list of integer (at most 9), at most 2 entries"),
        ({"type": "object", "additionalProperties": {"type": "string"}}, "map of text"),
        ({"type": "object", "secret": True}, "{secretKeyRef: {name, key}}"),
        ({}, "anything"),
    ],
)  # fmt: skip
def test_bounds_of_a_parameter(schema: dict[str, Any], text: str) -> None:
    assert bounds(schema) == text


def test_the_catalogue_has_a_line_for_each_parameter_the_required_first() -> None:
    inner = {"type": "object", "required": ["status"], "properties": {"status": {"type": "integer"}}}
    properties = {"expect": {**inner, "description": "What must be."}, "url": {"type": "string"}}
    spec = {
        "description": "Ask.",
        "risk": "High",
        "idempotent": False,
        "parameters": {"type": "object", "required": ["url"], "properties": properties},
        "executor": {"builtIn": {"name": "ask", "version": 1}},
    }
    ready = {**samples.condition("Ready", "False", "NotSupported"), "message": "spec.executor: too new"}
    raw = {"kind": "ActionType", "metadata": {"name": "ask"}, "spec": spec, "status": {"conditions": [ready]}}
    assert piped(catalogue([ActionType.model_validate(raw)])) == [
        "ask  risk High, at most once (not idempotent), not ready",
        "  spec.executor: too new",
        "  Ask.",
        "    url            required  text",
        "    expect         optional  object. What must be.",
        "    expect.status  optional  integer",
    ]


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys, controller.cli.main as main\n"
        "try: main.app(['wait', '--help'])\n"
        "except SystemExit as end: assert not end.code\n"
        "heavy = {'aiohttp', 'kubernetes', 'yaml', 'controller.api.proposal', 'controller.client'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert " 14  Observed" in done.stdout
