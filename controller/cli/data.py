"""Objects for programs: JSON and YAML, as `kubectl get -o` prints them."""

import json
from collections.abc import Sequence

import yaml
from rich.console import Console

from controller.api.base import API_VERSION, GROUP
from controller.api.resource import KindInfo
from controller.core.ports import Json


def clean(raw: Json, info: KindInfo) -> Json:
    """The object for people and files: without managedFields, kind first."""
    metadata = {key: value for key, value in raw["metadata"].items() if key != "managedFields"}
    head: Json = {"apiVersion": API_VERSION, "kind": info.kind, "metadata": metadata}
    return head | {key: value for key, value in raw.items() if key not in head}


def full_name(info: KindInfo, name: str) -> str:
    """`actionproposal.actionoperator.dev/scale-checkout`, as `kubectl get -o name` writes it."""
    return f"{info.singular}.{GROUP}/{name}"


def list_of(objects: Sequence[Json]) -> Json:
    """The `List` that kubectl makes of several objects."""
    return {"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""}, "items": list(objects)}


def write(out: Console, value: Json, form: str) -> None:
    """Write the value as it is: never coloured, wrapped or cut."""
    if form == "json":
        out.file.write(json.dumps(value, indent=2) + "\n")
    else:
        out.file.write(yaml.safe_dump(value, sort_keys=False, allow_unicode=True))
