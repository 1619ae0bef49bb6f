"""What the chart has from elsewhere is what is shipped there."""

import re
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from controller.actions.about import Family
from controller.actions.registry import built_ins
from controller.core.admission import SHIPPED
from controller.core.digest import sha256
from controller.runtime.clock import utc_now
from hack.chart import FAMILIES

ROOT = Path(__file__).parents[3]
CHART = ROOT / "charts" / "action-operator"
RBAC: dict[str, list[dict[str, Any]]] = yaml.safe_load((CHART / "files" / "rbac.yaml").read_text())
KEPT = {"helm.sh/resource-policy": "keep"}


def documents(*paths: Path) -> list[dict[str, Any]]:
    return [document for path in sorted(paths) for document in yaml.safe_load_all(path.read_text())]


def test_it_has_the_version_of_the_program() -> None:
    about = yaml.safe_load((CHART / "Chart.yaml").read_text())
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert (about["version"], about["appVersion"]) == (version, version)


@pytest.mark.parametrize(
    ("shipped", "charted"), [("crds", "crds"), ("catalog", "files/catalog"), ("config/admission", "files/admission")]
)
def test_what_belongs_to_the_api_is_as_shipped_and_stays_at_uninstall(shipped: str, charted: str) -> None:
    ours = documents(*(ROOT / shipped).glob("*.yaml"))
    charts = documents(*(CHART / charted).glob("*.yaml"))
    assert [(each["kind"], each["metadata"]["name"], each["spec"]) for each in charts] == [
        (each["kind"], each["metadata"]["name"], each["spec"]) for each in ours
    ]
    assert all(each["metadata"]["annotations"].items() >= KEPT.items() for each in charts)


def test_the_operator_takes_the_charts_admission_policies_for_the_shipped_ones() -> None:
    found: dict[str, dict[str, str]] = {}
    for each in documents(*(CHART / "files" / "admission").glob("*.yaml")):
        found.setdefault(each["kind"], {})[each["metadata"]["name"]] = sha256(each["spec"])
    assert found == SHIPPED


@pytest.mark.parametrize(("file", "part"), [("operator", "operator"), ("roles", "people")])
def test_rights_are_as_shipped(file: str, part: str) -> None:
    shipped = documents(ROOT / "config" / "rbac" / f"{file}.yaml")
    assert RBAC[part] == [each for each in shipped if each["kind"] not in ("Namespace", "ServiceAccount")]


def test_a_familys_role_has_just_the_rights_of_its_types() -> None:
    """But for rights on objects of some name, which a role for the whole cluster cannot know."""
    roles = {role["metadata"]["name"].removeprefix("action-runner-"): role for role in RBAC["runners"]}
    assert roles.keys() == set(FAMILIES.values())
    for family, name in FAMILIES.items():
        needed = {
            (right.group, resource, verb)
            for action in built_ins(utc_now)
            if action.about.family is family
            for right in action.about.rights
            if not right.names
            for resource in right.resources
            for verb in right.verbs
        }
        given = Counter(
            (group, resource, verb)
            for rule in roles[name]["rules"]
            for group in rule["apiGroups"]
            for resource in rule["resources"]
            for verb in rule["verbs"]
        )
        assert set(given) == needed, name
        assert set(given.values()) == {1}, name


def test_families_without_a_role_are_those_whose_rights_depend_on_their_use() -> None:
    left_out = set(Family) - FAMILIES.keys()
    for action in built_ins(utc_now):
        if action.about.family in left_out:
            assert all(right.why for right in action.about.rights), action.name


def test_no_role_for_runners_reads_secrets_or_gives_rights() -> None:
    rules = [rule for role in RBAC["runners"] for rule in role["rules"]]
    resources = {resource for rule in rules for resource in rule["resources"]}
    assert not resources & {"secrets", "serviceaccounts", "roles", "clusterroles", "*"}
    assert "*" not in {verb for rule in rules for verb in rule["verbs"]}


def test_no_list_holds_an_object_of_which_api_servers_of_1_36_panic() -> None:
    """Each request that such a policy matches would break off; mended in Kubernetes 1.37."""
    policies = [each for each in yaml.safe_load_all((ROOT / "config/admission/stamps.yaml").read_text()) if each]
    patches = [one["jsonPatch"]["expression"] for each in policies for one in each["spec"].get("mutations", ())]
    assert patches
    assert not [patch for patch in patches if re.search(r"[\[,]\s*Object[.{]", patch)]
