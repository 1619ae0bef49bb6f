"""What the CEL library says, in words for people who do not know its grammar. What is not known here stays as it is."""

import re

_FAULT = re.compile(r"ERROR: <input>:(-?\d+):(-?\d+): (.*)")
_OPERATOR = re.compile(r"^[_@]*(.+?)_*$")
_FAULTS = [
    (r"Syntax error: .*'<EOF>' expecting.*", r"something is missing at the end"),
    (r"Syntax error: (?:mismatched|extraneous) input '(.*)' expecting <EOF>",
     r"\1 cannot stand here; what is before it is already whole (and is &&, or is ||)"),
    (r"Syntax error: (?:mismatched|extraneous|no viable alternative at) (?:input )?'(.*?)'(?: expecting .*)?",
     r"\1 cannot stand here"),
    (r"Syntax error: missing (\S+) at '(.*)'", r"\1 is missing before \2"),
    (r"Syntax error: token recognition error at: '=.*", r"= is no operator; to compare, write =="),
    (r"""Syntax error: token recognition error at: '(['"]).*""",
     r"a text that cannot be read; is a quote missing at its end, or a \\ not doubled?"),
    (r"Syntax error: token recognition error at: '(.*?)'?", r"\1 is no sign of CEL"),
    (r"undeclared reference to '(\w+)' .*", r"\1() takes other arguments than these"),
    (r"expression of type '(.*)' cannot be the operand of a select operation", r"\1 has no fields"),
]  # fmt: skip
_FAILURES = [
    (r'Key not found in map : (.*)', r"there is no key \1; has() asks whether there is one"),
    (r"Index error: index=(-?\d+) size=(\d+)", r"there is no element \1 in a list of \2"),
    (r"Applying SELECT to non-message type", r"it reads a field of null, a number, a text or a list"),
    (r"No matching overloads found : <jump_condition>", r"what stands before ? is not true or false"),
    (r"No matching overloads found : <iter_range>", r"a loop is over something that is no list and no map"),
    (r"No matching overloads found : (_&&_|_\|\|_|!_)", r"! && || can only be used on true and false"),
    (r"No matching overloads found : @in", r"in can only be used on a list or a map"),
    (r"Iteration budget exceeded", r"it loops too often: more than 10000 times"),
    (r"String to (\w+) conversion failed", r"a text cannot be read as \1"),
]  # fmt: skip
_TOO_DEEP = re.compile(r"recursion (depth|limit)")
_NO_OVERLOAD = re.compile(r"found no matching overload for '(.*)' applied to '\((.*)\)'")
_NO_OVERLOAD_NOW = re.compile(r"No matching overloads found : (?:\((.*)\)\.)?([^(]+)\((.*)\)")


def fault_words(raw: str) -> str:
    """A compile error of the library: the first fault of it, with its place."""
    if _TOO_DEEP.search(raw):
        return "nested too deep: there may be 32 levels; split it, or take brackets out"
    found = _FAULT.search(raw)
    if not found:
        return _bare(raw)
    line, column, said = int(found[1]), int(found[2]), found[3].removesuffix(" [INVALID_ARGUMENT]")
    overload = _NO_OVERLOAD.match(said)
    said = _no_overload(overload[1], overload[2]) if overload else _said(said, _FAULTS)
    return f"line {line}, column {column}: {said}" if line > 0 and column > 0 else said


def failure_words(raw: str) -> str:
    """An evaluation error of the library."""
    bare = _bare(raw)
    overload = _NO_OVERLOAD_NOW.fullmatch(bare)
    if overload:
        return _no_overload(overload[2], ", ".join(part for part in (overload[1], overload[3]) if part))
    return _said(bare, _FAILURES)


def type_words(kind: str) -> str:
    """`a text` for STRING, `a list` for LIST<DYN>."""
    name = kind.partition("<")[0].lower()
    words = {
        "string": "a text", "int": "a whole number", "uint": "a whole number", "double": "a number",
        "bool": "true or false", "null": "null", "null_type": "null", "list": "a list", "map": "a map",
        "bytes": "bytes", "timestamp": "a timestamp", "duration": "a duration",
    }  # fmt: skip
    return words.get(name, name)


def _no_overload(function: str, types: str) -> str:
    both = types.split(", ")
    if function == "_?_:_":
        if len(both) == 3 and both[0] in {"bool", "dyn"}:
            return f"? : gives {both[1]} or {both[2]}; both must be of one type (dyn(...) lets them differ)"
        return "what stands before ? must be true or false"
    operator = _OPERATOR.sub(r"\1", function).replace("_", " ")
    return f"{operator} cannot be used on {' and '.join(part.replace('int64', 'int') for part in both)}"


def _bare(raw: str) -> str:
    """Without the library's code around it (`NOT_FOUND: ... [NOT_FOUND]`)."""
    first = re.sub(r"^[A-Z_]+: ", "", raw.strip()).partition("\n")[0]
    return re.sub(r" \[[A-Z_]+\]$", "", first)[:500] or "the library gives no reason"


def _said(text: str, table: list[tuple[str, str]]) -> str:
    for pattern, words in table:
        found = re.fullmatch(pattern, text)
        if found:
            return found.expand(words)[:300]
    return text[:300]
