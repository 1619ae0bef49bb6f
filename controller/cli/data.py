"""Objects for programs: JSON and YAML, as `kubectl get -o` prints them."""

import json
from collections.abc import Sequence

import yaml
from rich.console import Console

from controller.core.ports import Json


def list_of(objects: Sequence[Json]) -> Json:
    """The `List` that kubectl makes of several objects."""
    return {"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""}, "items": list(objects)}


def write(out: Console, value: Json, form: str) -> None:
    """Write the value as it is: never coloured, wrapped or cut."""
    if form == "json":
        out.file.write(json.dumps(value, indent=2) + "\n")
    else:
        out.file.write(yaml.safe_dump(value, sort_keys=False, allow_unicode=True))
