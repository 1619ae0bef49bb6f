"""The files of the chart that are made from what is shipped elsewhere: CRDs, catalogue, admission policies, RBAC.

What belongs to the API outlives a release, so that an uninstall takes nothing along that people made: those carry
Helm's mark for it. CRDs also name the release as their owner: Helm makes them before the release, and would not let
the release have them otherwise. Everything else gets its labels when the chart is rendered.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from controller.actions.about import Family, Right
from controller.actions.registry import built_ins
from controller.runtime.clock import utc_now

Json = dict[str, Any]

ROOT = Path(__file__).resolve().parent.parent
CHART = "charts/action-operator"
RELEASE = "action-operator"
PART_OF = {"app.kubernetes.io/part-of": "action-operator"}
KEPT = {"helm.sh/resource-policy": "keep"}
OWNED = {"meta.helm.sh/release-name": RELEASE, "meta.helm.sh/release-namespace": RELEASE}
MANAGED = {"app.kubernetes.io/managed-by": "Helm"}

FAMILIES = {
    Family.WORKLOADS: "workloads",
    Family.PODS: "pods",
    Family.NODES: "nodes",
    Family.JOBS: "jobs",
    Family.GITOPS: "gitops",
}
"""Families whose types need the same rights everywhere. Those of the others depend on the kinds and Secrets that they
are used for, which only the cluster's owners know."""
RENDERED = frozenset({"Namespace", "ServiceAccount"})
"""Kinds of config/rbac/operator.yaml that Helm or a template makes."""


def kept(manifest: Json, *, before_release: bool = False) -> Json:
    """The manifest so that it outlives the release. `before_release`: made by Helm before the release is."""
    metadata = manifest["metadata"]
    owned = OWNED if before_release else {}
    labels = {**metadata.get("labels", {}), **PART_OF, **(MANAGED if before_release else {})}
    annotations = {**metadata.get("annotations", {}), **KEPT, **owned}
    return {**manifest, "metadata": {**metadata, "labels": labels, "annotations": annotations}}


def admission() -> Iterator[tuple[str, list[Json]]]:
    """The admission policies by file name."""
    for path in sorted((ROOT / "config" / "admission").glob("*.yaml")):
        yield path.name, [kept(document) for document in yaml.safe_load_all(path.read_text(encoding="utf-8"))]


def rbac() -> dict[str, list[Json]]:
    """Who may do what: `operator`, `people`, `runners`."""
    folder = ROOT / "config" / "rbac"
    operator = yaml.safe_load_all((folder / "operator.yaml").read_text(encoding="utf-8"))
    people = yaml.safe_load_all((folder / "roles.yaml").read_text(encoding="utf-8"))
    return {
        "operator": [document for document in operator if document["kind"] not in RENDERED],
        "people": list(people),
        "runners": list(runner_roles()),
    }


def runner_roles() -> Iterator[Json]:
    """A ClusterRole for each family of action types: what a runner needs to carry out any of them."""
    actions = built_ins(utc_now)
    for family, name in FAMILIES.items():
        rights = [right for action in actions if action.about.family is family for right in action.about.rights]
        yield {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": f"action-runner-{name}"},
            "rules": [
                {"apiGroups": [group], "resources": resources, "verbs": list(verbs)}
                for (group, verbs), resources in _merged(rights).items()
            ],
        }


def _merged(rights: list[Right]) -> Mapping[tuple[str, tuple[str, ...]], list[str]]:
    """Resources by group and verbs, each resource once with all its verbs. Rights on named objects are left out."""
    verbs: dict[tuple[str, str], list[str]] = {}
    for right in rights:
        for resource in right.resources:
            if not right.names:
                known = verbs.setdefault((right.group, resource), [])
                known += [verb for verb in right.verbs if verb not in known]
    merged: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for (group, resource), found in verbs.items():
        merged.setdefault((group, tuple(found)), []).append(resource)
    return merged


def values_table() -> str:
    """The values with their defaults and what values.schema.json says of them."""
    schema = json.loads((ROOT / CHART / "values.schema.json").read_text(encoding="utf-8"))
    values = yaml.safe_load((ROOT / CHART / "values.yaml").read_text(encoding="utf-8"))
    lines = ["| value | default | meaning |", "| --- | --- | --- |", *_rows(schema["properties"], values, "")]
    return "\n".join(lines) + "\n"


def _rows(properties: Json, values: Json, prefix: str) -> Iterator[str]:
    for name, schema in properties.items():
        if name in values:
            inner = schema.get("properties")
            shown = "" if inner else f"`{json.dumps(values[name])}`"
            yield f"| `{prefix}{name}` | {shown} | {schema['description']} |"
            yield from _rows(inner or {}, values[name], f"{prefix}{name}.")
