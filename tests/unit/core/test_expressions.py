"""What expressions give, and what is said of a wrong one: compiled by the real library."""

import subprocess
import sys
from typing import Any

import pytest

from controller.core.expression_cost import MAX_BYTES, MAX_VALUES
from controller.core.expression_names import FUNCTIONS, OPERATORS
from controller.core.expressions import (
    MAX_LENGTH,
    MAX_OUTPUT_BYTES,
    OBJECT,
    RESPONSE,
    STEPS,
    ExpressionFailed,
    ExpressionFault,
    Gives,
    compile_expression,
)  # fmt: skip

NAMES = frozenset({"drain", "check", "roll-out", "1st", "in"})
STEP = {"outcome": "Succeeded", "retryCount": 2, "outputs": {"replicas": 5, "zone": "eu-1", "pods": ["a", "b"]}}
VALUES: dict[str, Any] = {
    "steps": dict.fromkeys(NAMES, STEP),
    "workflow": {"name": "night", "namespace": "shop", "parameters": {"env": "prod", "most": 3, "no": None}},
}
DEPLOYMENT = {
    "metadata": {"name": "web", "labels": {"app.kubernetes.io/name": "web"}},
    "spec": {"replicas": 3},
    "status": {"readyReplicas": 3, "conditions": [{"type": "Available", "status": "True"}]},
}


def truth(text: str, values: dict[str, Any] = VALUES) -> bool:
    return compile_expression(text, STEPS, NAMES).truth(values)


def value(text: str, values: dict[str, Any] = VALUES) -> Any:
    return compile_expression(text, STEPS, NAMES, gives=Gives.VALUE).value(values)


def of_object(text: str, given: Any) -> Any:
    return compile_expression(text, OBJECT, gives=Gives.VALUE).value({"object": given})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('steps.drain.outcome == "Succeeded"', True),
        ("steps.drain.retryCount > 2", False),
        ("steps.check.outputs.replicas > 2 && workflow.parameters.env == 'prod'", True),
        ("workflow.parameters.most < 2.5", False),
        ('steps["roll-out"].outcome != "Failed"', True),
        ("steps[ '1st'\n].outputs.replicas in [4, 5]", True),
        ('steps["in"].outputs.pods.exists(p, p == "b")', True),
        ("has(steps.drain.outputs.nope)", False),
        ('has(steps["roll-out"].outputs.zone)', True),
        ('"é😀" != "x" && steps["roll-out"].retryCount == 2', True),
        ('workflow.namespace + "/" + workflow.name == "shop/night"', True),
        ("workflow.parameters.no == null", True),
        ("workflow.parameters.nope == 1 || true", True),
        ("// only a remark about steps.drain\ntrue", True),
    ],
)
def test_truth(text: str, expected: bool) -> None:
    assert truth(text) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("steps.check.outputs.replicas - 1", 4),
        ("steps.check.outputs.pods", ["a", "b"]),
        ('steps.check.outputs.pods.map(p, {"pod": p, "zone": steps.drain.outputs.zone})',
         [{"pod": "a", "zone": "eu-1"}, {"pod": "b", "zone": "eu-1"}]),
        ('steps.check.outputs.pods.filter(p, p != "a")', ["b"]),
        ("steps.drain.retryCount > 1 ? workflow.name : 'none'", "night"),
        ("double(steps.drain.retryCount) / 4.0", 0.5),
        ("null", None),
        ("7u", 7),
        ("string(timestamp('2026-01-01T00:00:00Z') + duration('1h'))", "2026-01-01T01:00:00Z"),
        ('{"all": workflow.parameters}', {"all": {"env": "prod", "most": 3, "no": None}}),
    ],
)  # fmt: skip
def test_value(text: str, expected: Any) -> None:
    assert value(text) == expected


@pytest.mark.parametrize(
    ("text", "reads"),
    [
        ("true", set()),
        ("workflow.parameters.most > 1", set()),
        ('"steps.drain.outcome" == r"steps.check.outcome" + """steps.in""" && b"steps.in" == b"" // steps.in', set()),
        ("steps.drain.outputs.steps.check.outcome == 1", {"drain"}),
        ("has(steps.drain.outputs.x) || steps . check\n. retryCount > 1", {"drain", "check"}),
        ("(steps).drain.outcome == (.steps.check).outcome", {"drain", "check"}),
        ("steps.`roll-out`.outcome == steps['1st'].outcome", {"roll-out", "1st"}),
        ('[{"check": {"outcome": "x"}}].all(drain, drain.check.outcome == steps["in"].outcome)', {"in"}),
        ("false && steps.drain.retryCount > 1", {"drain"}),
    ],
)
def test_reads(text: str, reads: set[str]) -> None:
    expression = compile_expression(text, STEPS, NAMES)
    assert expression.reads == reads
    assert expression.static is (not reads)


FAULTS = {
    "there is no such step": (
        'steps.drian.outcome == "x"', "line 1, column 1: there is no step drian; did you mean drain?"),
    "there is no such step in brackets": (
        'true &&\n  steps["rollout"].outcome == "x"',
        "line 2, column 3: there is no step rollout; did you mean roll-out?"),
    "nor anything like it": (
        "steps.xyz.outcome", "line 1, column 1: there is no step xyz; there are: 1st, check, drain, in, roll-out"),
    "a step has no such field": (
        "steps.drain.outcom", "line 1, column 12: there is no steps.drain.outcom; did you mean outcome?"),
    "all steps": (
        "[steps][0].drain.outcome",
        "line 1, column 2: steps is no value itself; read one step by its name, like steps.drain.outcome"),
    "all steps, passed to a function": (
        "dyn(steps)",
        "line 1, column 5: steps is no value itself; read one step by its name, like steps.drain.outcome"),
    "a whole step": (
        "steps.drain", "line 1, column 1: steps.drain is no value itself; it has: outcome, retryCount, outputs"),
    "a field in brackets": (
        'steps.drain["outcome"]',
        "line 1, column 12: steps.drain cannot be read with brackets; it has: outcome, retryCount, outputs"),
    "a computed name": (
        "steps[workflow.name].outcome",
        'line 1, column 6: in the brackets after steps stands the name of a step in quotes, like steps["roll-out"]'),
    "a name with an escape": (
        r'steps["\x64rain"].outcome',
        'line 1, column 6: in the brackets after steps stands the name of a step in quotes, like steps["roll-out"]'),
    "a raw name": (
        'steps[r"drain"].outcome',
        'line 1, column 6: in the brackets after steps stands the name of a step in quotes, like steps["roll-out"]'),
    "optional syntax": ("steps.?drain.outcome", "line 1, column 1: unsupported syntax '.?'"),
    "a loop that hides the steps": (
        '[{"drain": 1}].all(steps, steps.drain.outcome == 1)',
        "line 1, column 19: the variable of this loop has the name of another, steps; take another name for it"),
    "a loop that hides the workflow": (
        "[1].exists(workflow, true)",
        "line 1, column 11: the variable of this loop has the name of another, workflow; take another name for it"),
    "has() of what is always there": (
        "has(steps.drain.outputs)",
        ("line 1, column 4: steps.drain.outputs is always there; has() is for what is inside of it, like "
         "has(steps.drain.outputs.name)")),
    "no such variable": ("wrkflow.name", "line 1, column 1: there is no variable wrkflow; did you mean workflow?"),
    "a variable of another scope": (
        "object", "line 1, column 1: there is no variable object; there are: steps, workflow"),
    "the name of a type": ("int == int", "line 1, column 1: there is no variable int; there are: steps, workflow"),
    "no such function": ("siz(workflow.name) > 1", "line 1, column 1: there is no function siz; did you mean size?"),
    "a message type": (
        "google.protobuf.Int32Value{value: 1}",
        "line 1, column 1: there is no type google.protobuf.Int32Value; write a map, like {'name': 1}"),
    "the key of a map": ("{1: 2}", "line 1, column 2: the keys of a map are texts in quotes"),
    "types that do not fit": (
        'steps.drain.retryCount > "a"', "line 1, column 24: > cannot be used on int and string"),
    "a wrong call": ("size(1, 2) > 1", "line 1, column 5: size() takes other arguments than these"),
    "two types": (
        'true ? 1 : "a"',
        "line 1, column 6: ? : gives int or string; both must be of one type (dyn(...) lets them differ)"),
    "no truth": (
        "steps.drain.retryCount", "must give true or false, and gives a whole number; compare it with something"),
    "nothing": (" \n", "there is nothing in it; write an expression, or take the field out"),
    "the end is missing": ("1 +", "line 1, column 4: something is missing at the end"),
    "and": (
        "true and false",
        "line 1, column 6: and cannot stand here; what is before it is already whole (and is &&, or is ||)"),
    "one =": ('workflow.name = "x"', "line 1, column 15: = is no operator; to compare, write =="),
    "an open quote": (
        'workflow.name == "x',
        "line 1, column 18: a text that cannot be read; is a quote missing at its end, or a \\ not doubled?"),
    "no CEL": ("workflow.name $ 1", "line 1, column 15: $ is no sign of CEL"),
    "too long": (
        "1 ==" + " 1" * MAX_LENGTH, f"too long: {4 + 2 * MAX_LENGTH} characters, and there may be {MAX_LENGTH}"),
    "too deep": (
        "(" * 40 + "true" + ")" * 40, "nested too deep: there may be 32 levels; split it, or take brackets out"),
    "half a character": ("'\ud83d' == ''", "there are characters in it that are not Unicode"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "message"), FAULTS.values(), ids=FAULTS)
def test_fault(text: str, message: str) -> None:
    with pytest.raises(ExpressionFault) as caught:
        compile_expression(text, STEPS, NAMES)
    assert str(caught.value) == message


def test_a_value_that_json_does_not_have_is_refused_where_it_is_known() -> None:
    with pytest.raises(
        ExpressionFault, match=r"gives a timestamp, which JSON does not have; write string\(...\) around it"
    ):
        compile_expression('timestamp("2026-01-01T00:00:00Z")', STEPS, gives=Gives.VALUE)


FAILURES = {
    "no such key": (
        "workflow.parameters.nope == 1",
        'there is no key "nope"; has() asks whether there is one; there are: env, most, no',
    ),
    "no such key of a step": (
        "steps.drain.outputs['pod'] == 1",
        'there is no key "pod"; has() asks whether there is one; there are: pods, replicas, zone',
    ),
    "no such element": ("steps.drain.outputs.pods[7] == 'a'", "there is no element 7 in a list of 2"),
    "a field of a text": ("workflow.parameters.env.x == 1", "it reads a field of null, a number, a text or a list"),
    "types": ("workflow.parameters.env > 1", "> cannot be used on string and int"),
    "a method": ("workflow.parameters.most.contains('a')", "contains cannot be used on int and string"),
    "no boolean": ("workflow.parameters.most", "it gives a whole number, not true or false"),
    "a text": ("workflow.parameters.env", "it gives a text, not true or false"),
    "no boolean before &&": ("workflow.parameters.most && true", "! && || can only be used on true and false"),
    "no boolean before ?": ("workflow.parameters.most ? true : false", "what stands before ? is not true or false"),
    "not a list": ("workflow.parameters.most.all(x, true)", "a loop is over something that is no list and no map"),
    "in": ("1 in dyn(workflow.parameters.most)", "in can only be used on a list or a map"),
    "division": ("1 / (workflow.parameters.most - 3) == 1", "divide by zero"),
    "overflow": ("9223372036854775807 + workflow.parameters.most > 1", "integer overflow"),
    "regular expression": ("workflow.name.matches('(')", "invalid regular expression: missing ): ("),
    "no time": ("timestamp(workflow.name) == timestamp(workflow.name)", "a text cannot be read as Timestamp"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "message"), FAILURES.values(), ids=FAILURES)
def test_what_cannot_be_told_is_no_truth(text: str, message: str) -> None:
    with pytest.raises(ExpressionFailed) as caught:
        truth(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({}, "; there are none"),
        (
            {f"k{index:02}": 1 for index in range(12)},
            "; there are: k00, k01, k02, k03, k04, k05, k06, k07, k08, k09 and 2 more",
        ),
        ({"k" * 50: 1}, f"; there are: {'k' * 39}…"),
        ({"in": {"a": 1}}, "; there are: in"),
    ],
)
def test_the_keys_that_there_are_are_told_and_not_all_of_many(parameters: Any, told: str) -> None:
    values = {**VALUES, "workflow": {**VALUES["workflow"], "parameters": parameters}}
    for text in ("workflow.parameters.nope == 1", "[1].exists(x, workflow.parameters['nope'] == x)"):
        with pytest.raises(ExpressionFailed) as caught:
            truth(text, values)
        assert str(caught.value).startswith('there is no key "nope"; has() asks whether there is one; there are')
        assert str(caught.value).endswith(told)


@pytest.mark.parametrize(
    ("scope", "text", "values"),
    [
        (OBJECT, "object.metadata.nope == 1", {"object": DEPLOYMENT}),
        (RESPONSE, "json.nope == 1", {"status": 200, "json": {"a": 1}}),
    ],
)
def test_the_keys_of_what_was_read_are_not_told(scope: Any, text: str, values: Any) -> None:
    with pytest.raises(ExpressionFailed) as caught:
        compile_expression(text, scope).truth(values)
    assert str(caught.value) == 'there is no key "nope"; has() asks whether there is one'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("workflow.parameters.nope", "there is no key"),
        ("1.0 / 0.0", "it gives a number that JSON does not have: inf"),
        ("9007199254740993", "it gives a number that JSON does not have: 9007199254740993"),
        ("[timestamp('2026-01-01T00:00:00Z')]", r"write string\(...\) around it"),
        ("dyn(duration('1h'))", "gives a duration, which JSON does not have"),
        ('{"a": b"x"}', "JSON does not have"),
        ("workflow.parameters.most == 3 ? dyn(b'x') : dyn(1)", "gives bytes, which JSON does not have"),
    ],
)
def test_what_cannot_be_told_is_no_value(text: str, message: str) -> None:
    with pytest.raises(ExpressionFailed, match=message):
        value(text)


def test_a_step_without_values_cannot_be_told() -> None:
    with pytest.raises(ExpressionFailed, match=r"there is no steps\.drain\.outcome yet"):
        truth('steps.drain.outcome != "Failed"', {"steps": {}, "workflow": {}})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("object.status.readyReplicas == object.spec.replicas", True),
        ('object.metadata.labels["app.kubernetes.io/name"] == "web"', True),
        ('object.status.conditions.exists(c, c.type == "Available" && c.status == "True")', True),
        ("has(object.status.unavailableReplicas) && object.status.unavailableReplicas > 0", False),
    ],
)
def test_checks_of_an_object(text: str, expected: bool) -> None:
    assert compile_expression(text, OBJECT).truth({"object": DEPLOYMENT}) is expected


def test_checks_of_a_response() -> None:
    check = compile_expression("status == 200 && json.ok", RESPONSE)
    assert check.static
    assert check.truth({"status": 200, "json": {"ok": True}}) is True
    with pytest.raises(ExpressionFailed, match=r"&& \|\| can only be used on true and false|it gives a text"):
        check.truth({"status": 200, "json": {"ok": "yes"}})
    with pytest.raises(ExpressionFault, match="== cannot be used on int and string"):
        compile_expression('status == "200"', RESPONSE)
    with pytest.raises(ExpressionFault, match="there is no variable steps; there are: json, status"):
        compile_expression("steps.drain.retryCount > 1", RESPONSE, NAMES)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([0] * (MAX_VALUES + 1), "object is too big: about 50001 values"),
        ("x" * MAX_BYTES, r"object is too big: about 1 values, 1048578 bytes"),
        ({"a": float("nan")}, "object is not JSON"),
        ({"a": object()}, "object is not JSON"),
        ({"a": "\ud800"}, "object is not JSON"),
        ({"a": 2**63}, "exceeds safe integer domain"),
        ((1,), "tuple"),
    ],
    ids=["many", "long", "NaN", "no JSON", "half a character", "65 bits", "tuple"],
)
def test_values_that_are_refused(given: Any, message: str) -> None:
    with pytest.raises(ExpressionFailed, match=message):
        of_object("object", given)


def test_a_number_beyond_64_bits_cannot_be_compared() -> None:
    with pytest.raises(ExpressionFailed, match="out of range"):
        of_object("object.b == 1", {"a": 2**64, "b": 1})


def test_values_nested_too_deep_are_refused() -> None:
    given: Any = 1
    for _ in range(100_000):
        given = [given]
    with pytest.raises(ExpressionFailed, match="object is not JSON"):
        of_object("object", given)


def test_a_value_is_bounded() -> None:
    assert of_object("object", "x" * (MAX_OUTPUT_BYTES - 2)) == "x" * (MAX_OUTPUT_BYTES - 2)
    with pytest.raises(ExpressionFailed, match="it gives too much: 65537 bytes as JSON, and there may be 65536"):
        of_object("object", "x" * (MAX_OUTPUT_BYTES - 1))


def numbers(count: int) -> list[int]:
    return list(range(count))


PAIRS = "dyn([1]" + ".map(a, [a, a])" * 19 + ")"
TOO_MUCH: dict[str, tuple[str, Any]] = {
    "long lists compared in a loop": ("object.all(x, object == object)", numbers(5000)),
    "long lists searched in a loop": ("object.all(x, !(-1 in object))", numbers(5000)),
    "loops in loops": ("object.map(x, object.map(y, 1))", numbers(5000)),
    "texts doubled": ("['x']" + ".map(a, a + a)" * 25, None),
    "pairs of pairs": ("[1]" + ".map(a, [a, a])" * 25, None),
    "pairs of pairs compared": (f"{PAIRS} == {PAIRS}", None),
    "pairs of pairs by their keys": ("['x']" + '.map(a, {"a": a, "b": a})' * 25, None),
    "pairs behind ? :": ("[1]" + ".map(a, true ? [a, a] : [a, a])" * 25, None),
    "pairs behind a filter": ("[1]" + ".map(a, [a, a, a, a]).filter(a, true)" * 12, None),
    "pairs behind an index": ("[1]" + ".map(a, [[a, a]][0])" * 25, None),
    "the same value many times": ("object.map(x, object)", numbers(1000)),
    "long texts joined in a loop": (
        'object.k.all(x, (object.t + "x").size() > 1)', {"k": numbers(100), "t": "x" * 200_000}),
    "a regular expression with many states": ("object.matches('((a?){30}){30}b')", "a" * 20_000),
    "a regular expression from elsewhere": ("object.t.matches(object.p)", {"t": "a" * 20_000, "p": "(a?){900}b"}),
    "a long text searched for a long text": (
        "object.t.contains(object.s + 'b')", {"t": "a" * 900_000, "s": "a" * 20_000}),
}  # fmt: skip


@pytest.mark.parametrize(("text", "given"), TOO_MUCH.values(), ids=TOO_MUCH)
def test_too_much_work_is_refused_before_it_is_done(text: str, given: Any) -> None:
    with pytest.raises(ExpressionFailed, match="it could be too much work for the values that it reads"):
        of_object(text, given)


def pod(number: int) -> dict[str, Any]:
    return {
        "metadata": {"name": f"web-{number}", "annotations": {"long": "x" * 500}},
        "status": {
            "phase": "Running",
            "conditions": [{"type": kind, "status": "True"} for kind in ("Ready", "Initialized", "PodScheduled")],
            "containerStatuses": [{"name": name, "ready": True, "image": "web:1"} for name in ("web", "proxy")],
        },
    }


@pytest.mark.parametrize(
    "text",
    [
        'object.items.all(p, p.status.phase == "Running" && p.status.containerStatuses.all(c, c.ready))',
        'object.items.all(p, p.status.conditions.exists(c, c.type == "Ready" && c.status == "True"))',
        'object.items.map(p, p.metadata.name).exists(n, n == "web-99")',
        'object.items.all(p, p.status.containerStatuses.all(c, c.image.matches("^[a-z]+:[0-9]+$")))',
        'object.items.all(p, object.kind + "/" + p.metadata.name != object.metadata.name)',
        "object.items.filter(p, p.metadata.annotations == object.items[0].metadata.annotations).size() == 200",
    ],
)
def test_what_people_ask_of_a_long_list_is_not_too_much(text: str) -> None:
    pods = {"kind": "PodList", "metadata": {"name": "x"}, "items": [pod(number) for number in range(200)]}
    assert of_object(text, pods) is True


def test_more_iterations_than_the_library_allows_cannot_be_told() -> None:
    with pytest.raises(ExpressionFailed, match="it loops too often: more than 10000 times"):
        of_object("object.all(x, true)", numbers(10_001))


def test_every_function_is_known_to_the_library() -> None:
    calls = {
        "contains": "'a'.contains('a')", "endsWith": "'a'.endsWith('a')", "startsWith": "'a'.startsWith('a')",
        "matches": "'a'.matches('a')", "timestamp": "timestamp('2026-01-01T00:00:00Z')", "duration": "duration('1s')",
        "size": "size('a')", "dyn": "dyn(1)",
        **{name: f"{name}('1')" for name in ("bool", "double", "int", "string")},
    }  # fmt: skip
    for name in FUNCTIONS:
        call = calls.get(name, f"timestamp('2026-01-01T00:00:00Z').{name}()")
        assert compile_expression(f"[{call}].size() == 1", OBJECT).truth({}) is True
    assert not OPERATORS & FUNCTIONS


def test_the_library_is_loaded_with_the_first_expression_only() -> None:
    code = (
        "import sys, controller.core.expressions as e; assert 'cel_expr_python' not in sys.modules; "
        "e.compile_expression('true', e.OBJECT); assert 'cel_expr_python' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
