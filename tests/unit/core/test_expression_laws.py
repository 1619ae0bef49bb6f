"""Laws of expressions, over texts of all kinds: they never fail open, and read no step but those that they name."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from controller.core.digest import canonical
from controller.core.expressions import (
    MAX_OUTPUT_BYTES,
    OBJECT,
    STEPS,
    Expression,
    ExpressionFailed,
    ExpressionFault,
    Gives,
    compile_expression,
)  # fmt: skip

MANY = 500
"""Few of the texts mean anything."""
NAMES = frozenset({"drain", "roll-out", "in"})
ATOMS = st.sampled_from([
    "steps", "steps.drain", 'steps["roll-out"]', "steps.drain.outcome", "steps.drain.retryCount", "steps.drain.outputs",
    'steps["roll-out"].outcome', "steps['in'].outputs", 'steps[ "roll-out" ].outputs', "steps.`roll-out`.retryCount",
    '"steps.drain.outcome"', "r'steps[\"in\"]'", "b'steps.in'", '"roll-out"', "[steps]", ".steps.drain.outputs",
    "workflow", "workflow.name", "workflow.parameters", "object", "x", "y", "1", "2.5", "1u", "true", "false", "null",
    '"é"', "[]", "{}", "[1, 2]", '{"drain": {"outcome": 1}}', "duration('1s')", "steps.drain // steps.in.outcome\n",
])  # fmt: skip
FORMS = st.sampled_from([
    "{0}.drain.outcome", "{0}.drain", "{0}.outputs", "{0}.outcome", "{0}.a", '{0}["drain"]', '{0}["a"]', "{0}[0]",
    "{0}[{1}]", "{0} == {1}", "{0} != {1}", "{0} < {1}", "{0} && {1}", "{0} || {1}", "!{0}", "-{0}", "{0} + {1}",
    "{0} ? {1} : {2}", "({0})", "[{0}, {1}]", "[{0}][0]", '{{"drain": {0}}}', '{{"a": {0}}}.a', "has({0}.a)",
    "has({0}.drain.outputs)", "{0}.?drain", "{0}.all(x, {1})", "{0}.exists(y, {1})", "{0}.map(x, {1})",
    "{0}.filter(x, {1})", "{0}.exists_one(x, {1})", "{0}.all(steps, {1})", "{0}.map(drain, {1})",
    "[{0}].map(steps, {1})", "[{0}].all(x, {1})", "[1].exists(x, {0})", "dyn({0})", "size({0})", "string({0})",
    "{0} in {1}", "{0}.contains({1})", "dyn({0}) == dyn({1})", "has({0}.a) && {1}", "dyn({0}) || {1}", "{0}\n.outputs",
])  # fmt: skip
WRITTEN = st.recursive(
    ATOMS, lambda inner: st.builds(lambda form, *parts: form.format(*parts), FORMS, inner, inner, inner), max_leaves=8
)
SCRAPS = st.lists(
    st.sampled_from([
        "steps", "drain", "roll-out", "outcome", "outputs", "x", "all", "map", "has", ".", "[", "]", "(", ")", "{", "}",
        '"', "'", "`", '"""', "r", "b", "//", "\n", " ", ",", ":", "?", "&&", "||", "==", "+", "!", "1", "\\", "true",
        "\x00", "é", "😀",
    ]),
    max_size=14,
).map("".join)  # fmt: skip
TEXTS = st.one_of(WRITTEN, WRITTEN, SCRAPS, st.text(max_size=40))
JSON: Any = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-3, 3), st.integers(), st.floats(),
        st.sampled_from(["", "a", "Succeeded"]), st.text(st.characters(), max_size=3),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["a", "drain", "outcome", "outputs"]), inner, max_size=3),
    ),
    max_leaves=6,
)  # fmt: skip
STEP = st.fixed_dictionaries(
    {"outcome": st.sampled_from(["Succeeded", "Failed"]), "retryCount": st.integers(0, 2), "outputs": JSON}
)
WORKFLOW = st.fixed_dictionaries({"name": st.just("w"), "namespace": st.just("shop"), "parameters": JSON})
STEP_VALUES = st.fixed_dictionaries(dict.fromkeys(NAMES, STEP))


def compiled(text: str, gives: Gives) -> Expression | None:
    try:
        return compile_expression(text, STEPS, NAMES, gives=gives)
    except ExpressionFault:
        return None


def truth(expression: Expression, values: Any) -> Any:
    try:
        return expression.truth(values)
    except ExpressionFailed:
        return "cannot tell"


def value(expression: Expression, values: Any) -> Any:
    try:
        return canonical(expression.value(values))
    except ExpressionFailed:
        return "cannot tell"


@settings(max_examples=MANY)
@given(text=TEXTS, gives=st.sampled_from(Gives), steps=STEP_VALUES, workflow=WORKFLOW)
def test_it_never_fails_open(text: str, gives: Gives, steps: Any, workflow: Any) -> None:
    """Whatever is written over whatever values: true, false, or an error; a value is JSON, and bounded."""
    expression = compiled(text, gives)
    if expression is None:
        return
    values = {"steps": steps, "workflow": workflow}
    told = truth(expression, values)
    assert told is True or told is False or told == "cannot tell"
    found = value(expression, values)
    assert found == "cannot tell" or len(found) <= MAX_OUTPUT_BYTES
    if told != "cannot tell":
        assert found == canonical(told)


@settings(max_examples=MANY)
@given(text=TEXTS, steps=STEP_VALUES, others=STEP_VALUES, workflow=WORKFLOW)
def test_what_it_reads_is_complete(text: str, steps: Any, others: Any, workflow: Any) -> None:
    """With the values of exactly the steps that it says it reads, it gives the same as with any of the others."""
    expression = compiled(text, Gives.VALUE)
    if expression is None:
        return
    assert expression.reads <= NAMES
    read = {name: steps[name] for name in expression.reads}
    alone = value(expression, {"steps": read, "workflow": workflow})
    assert alone == value(expression, {"steps": others | read, "workflow": workflow})
    assert truth(expression, {"steps": read, "workflow": workflow}) == truth(
        expression, {"steps": others | read, "workflow": workflow}
    )


@given(left=JSON, right=JSON)
def test_a_comparison_of_objects_is_that_of_json(left: Any, right: Any) -> None:
    """The values that reach the library are those that were given."""
    same = compile_expression("object[0] == object[1]", OBJECT)
    try:
        expected: Any = canonical(left) == canonical(right)
    except ValueError:
        return
    assert truth(same, {"object": [left, right]}) is expected
