"""Fill what is made from code in docs/: kinds, action types, metrics, words, settings, commands, the chart's values.

    python hack/doc_tables.py [--check]

A page says where one goes: `<!-- table: ActionProposal.spec -->`, then the table, then `<!-- end -->`.
"""

import argparse
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from controller.actions.catalogue import catalogue
from controller.actions.registry import built_ins
from controller.api.crd import crd
from controller.api.kinds import KINDS
from controller.runtime.clock import utc_now
from hack.action_pages import action_parts
from hack.chart import values_table
from hack.metric_table import metric_table
from hack.reference_pages import reference_parts

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
_PLACE = re.compile(r"<!-- table: (\S+) -->\n.*?<!-- end -->", re.DOTALL)
MOST_WORDS = 15
"""Enumerations with more words than this are explained on the page, not in the table."""

NOT_YET = {
    "ActionPolicy.spec": frozenset(),
}
"""Fields that the schema has and the operator does not carry out yet; tests/unit/docs compares this with the code."""

Schema = Mapping[str, Any]


def tables() -> dict[str, str]:
    """Every part by its name: `KIND.spec`, `KIND.status`; of action types parameters and page; `metrics`."""
    actions = built_ins(utc_now)
    made = action_parts(actions) | reference_parts()
    made |= {"chart.values": values_table(), "metrics": metric_table()}
    for kind in KINDS:
        parts = crd(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
        for part in ("spec", "status"):
            if part in parts:
                name = f"{kind.INFO.kind}.{part}"
                made[name] = _table(parts[part], NOT_YET.get(name, frozenset()))
    for manifest in catalogue(actions):
        made[manifest["metadata"]["name"]] = _table(manifest["spec"]["parameters"])
    return made


def filled(text: str, made: Mapping[str, str]) -> str:
    """The page with its tables up to date. Raises KeyError for one that nothing makes."""
    return _PLACE.sub(lambda place: f"<!-- table: {place[1]} -->\n{made[place[1]]}<!-- end -->", text)


def outdated(docs: Path = DOCS) -> dict[Path, str]:
    """The pages whose tables are out of date, with the text that they should have."""
    made = tables()
    wanted = {page: filled(page.read_text(), made) for page in sorted(docs.rglob("*.md"))}
    return {page: text for page, text in wanted.items() if text != page.read_text()}


def _table(schema: Schema, not_yet: frozenset[str] = frozenset()) -> str:
    lines = ["| field | type | meaning |", "| --- | --- | --- |"]
    for path, field, required in _fields(schema, "", {}):
        meaning = " ".join(field.get("description", "").split()).replace("|", "\\|")
        if "default" in field and field["default"] not in ({}, []):
            meaning += f" Default: {_value(field['default'])}."
        mark = " *" if required else " †" if path.replace("[]", "") in not_yet else ""
        lines.append(f"| `{path}`{mark} | {_type(field)} | {meaning} |")
    return "\n".join(lines) + "\n"


def _fields(schema: Schema, prefix: str, told: dict[str, str]) -> Iterator[tuple[str, Schema, bool]]:
    """All fields with their paths, those inside objects and lists after the field that holds them.

    `told`: objects whose fields were given before; they are only referred to.
    """
    required = schema.get("required", ())
    for name, field in schema.get("properties", {}).items():
        path = prefix + name + ("[]" if field.get("type") == "array" else "")
        inner = field.get("items", field) if field.get("type") == "array" else field
        key = repr(inner.get("properties")) if len(inner.get("properties", {})) > 1 else ""
        if key and key in told:
            meaning = f"{field.get('description', '')} Fields as in `{told[key]}`."
            yield path, {**field, "description": meaning.strip()}, name in required
            continue
        yield path, field, name in required
        if key:
            told[key] = path
        yield from _fields(inner, f"{path}.", told)


def _type(field: Schema) -> str:
    if field.get("secret"):
        return "`{secretKeyRef: {name, key}}`"
    if len(field.get("enum", ())) > MOST_WORDS:
        return "word, see below"
    if "enum" in field:
        return " \\| ".join(map(str, field["enum"]))
    items = field.get("items")
    if items is not None:
        many = f"list, at most {field['maxItems']}" if "maxItems" in field else "list"
        return many if items.get("properties") else f"{many}, of {_type(items)}"
    if isinstance(field.get("additionalProperties"), Mapping):
        return f"map of {_type(field['additionalProperties'])}"
    if field.get("format") == "date-time":
        return "time"
    if field.get("x-kubernetes-preserve-unknown-fields"):
        return "object" if field.get("type") == "object" else "any"
    kind = {"integer": "integer", "number": "number", "boolean": "boolean", "object": "object"}.get(
        field.get("type", ""), "text"
    )
    low, high = field.get("minimum"), field.get("maximum")
    if low is not None and high is not None:
        return f"{kind} {low:g} to {high:,}".replace(",", " ") if high >= 10_000 else f"{kind} {low:g} to {high:g}"
    return kind


def _value(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def main() -> int:
    """Write or check; the exit code."""
    parser = argparse.ArgumentParser(description="Fill the tables of docs/ that are made from code.")
    parser.add_argument("--check", action="store_true", help="only say which pages are out of date")
    check: bool = parser.parse_args().check
    pages = outdated()
    for page, text in pages.items():
        print(f"{'out of date' if check else 'wrote'}: {page.relative_to(ROOT)}")
        if not check:
            page.write_text(text)
    if check and pages:
        print("run `python hack/doc_tables.py`")
    return 1 if check and pages else 0


if __name__ == "__main__":
    sys.exit(main())
