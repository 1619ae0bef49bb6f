"""The CustomResourceDefinition of a kind, made from its model."""

from typing import Any

from controller.api.base import GROUP, VERSION
from controller.api.resource import Column, KindInfo, Resource
from controller.api.schema import Schema, structural

CATEGORY = "actions"
"""`kubectl get actions` lists all kinds."""

# What the API server owns. Root rules may read of metadata only the name.
_SERVED: dict[str, Schema] = {
    "apiVersion": {"description": "Version of the schema of this object.", "type": "string"},
    "kind": {"description": "Kind of this object.", "type": "string"},
    "metadata": {"type": "object"},
}


def crd(kind: type[Resource]) -> dict[str, Any]:
    """Return the kind's CRD as it is written to `crds/`."""
    info = kind.INFO
    schema = _root_schema(kind)
    version: dict[str, Any] = {"name": VERSION, "served": True, "storage": True}
    if "status" in schema["properties"]:
        version["subresources"] = {"status": {}}
    if info.selectable:
        version["selectableFields"] = [{"jsonPath": path} for path in info.selectable]
    version["additionalPrinterColumns"] = [_column(column) for column in info.columns]
    version["schema"] = {"openAPIV3Schema": schema}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{info.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": _names(info),
            "scope": info.scope.value,
            "versions": [version],
        },
    }


def _root_schema(kind: type[Resource]) -> Schema:
    schema = structural(kind)
    schema["properties"] |= _SERVED
    # Without it, a rule of the spec that compares with the old one is passed by removing the spec first.
    schema["required"] = ["spec"]
    return schema


def _names(info: KindInfo) -> dict[str, Any]:
    return {
        "kind": info.kind,
        "listKind": f"{info.kind}List",
        "plural": info.plural,
        "singular": info.singular,
        "shortNames": [info.short_name],
        "categories": [CATEGORY],
    }


def _column(column: Column) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": column.name, "type": column.type, "jsonPath": column.json_path}
    return entry | ({"priority": column.priority} if column.priority else {})
