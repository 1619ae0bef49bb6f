"""What the chart renders to for different values, and what it says of values that cannot be."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest
import yaml
from harness.helm import CHART, NAME, Helm, Json, found, helm_of
from typer.main import get_command

from controller.api.kinds import KINDS
from controller.core.shard import SHARD_LABEL, Shard
from controller.operator.main import app
from hack.installation import ROOT, NotInstalled

EVERYTHING = f"""
image: {{digest: "sha256:{"0" * 64}"}}
imagePullSecrets: [{{name: pull}}]
replicas: 3
settings: {{namespace: shop, approvalMode: true, leaseSeconds: 4.5, drainSeconds: 60}}
extraArgs: [--context=x]
extraEnv: [{{name: TZ, value: UTC}}]
catalogue: {{exclude: [run-job, delete-resource]}}
defaultPolicy: {{mode: Execute, spec: {{approval: {{required: 2}}, protect: {{namespaces: [kube-system]}}}}}}
runners:
  families: {{workloads: true, pods: true, nodes: true, jobs: true, gitops: true}}
  lent: [{{namespace: shop, serviceAccounts: [a, b]}}, {{namespace: staging, serviceAccounts: [a]}}]
serviceAccount: {{annotations: {{a: b}}}}
podAnnotations: {{a: b}}
podLabels: {{team: ops}}
nodeSelector: {{a: b}}
tolerations: [{{key: a, operator: Exists}}]
affinity: {{nodeAffinity: {{}}}}
topologySpreadConstraints: []
priorityClassName: system-cluster-critical
networkPolicy: {{restrictEgress: true, scrapers: [{{namespaceSelector: {{}}}}]}}
metrics:
  serviceMonitor: {{enabled: true, labels: {{release: prometheus}}}}
  alerts: {{enabled: true, labels: {{release: prometheus}}}}
  dashboard: {{enabled: true}}
"""
NOTHING = """
replicas: 1
crds: {enabled: false}
catalogue: {enabled: false}
admission: {enabled: false}
defaultPolicy: {enabled: false}
rbac: {people: false, aggregate: false}
networkPolicy: {enabled: false}
podDisruptionBudget: {enabled: false}
metrics: {serviceMonitor: {enabled: false}, alerts: {enabled: false}, dashboard: {enabled: false}}
"""
EVERYWHERE = {
    ("ServiceAccount", NAME), ("ClusterRole", NAME), ("ClusterRoleBinding", NAME), ("Role", f"{NAME}-leader"),
    ("RoleBinding", f"{NAME}-leader"), ("Service", f"{NAME}-metrics"), ("Deployment", NAME), ("Pod", f"{NAME}-test"),
}  # fmt: skip


@pytest.fixture(scope="module")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    return helm_of(tmp_path_factory.mktemp("helm"))


def rendered(helm: Helm, folder: Path, values: str) -> list[Json]:
    file = folder / "values.yaml"
    file.write_text(values)
    return helm.template("--values", str(file))


@pytest.fixture(scope="module")
def defaults(helm: Helm) -> list[Json]:
    return helm.template()


@pytest.fixture(scope="module")
def everything(helm: Helm, tmp_path_factory: pytest.TempPathFactory) -> list[Json]:
    return rendered(helm, tmp_path_factory.mktemp("everything"), EVERYTHING)


def names(objects: list[Json]) -> set[tuple[str, str]]:
    return {(each["kind"], each["metadata"]["name"]) for each in objects}


@pytest.mark.parametrize("values", ["", EVERYTHING, NOTHING], ids=["defaults", "everything", "nothing"])
def test_helm_lint_finds_nothing(helm: Helm, tmp_path: Path, values: str) -> None:
    file = tmp_path / "values.yaml"
    file.write_text(values)
    assert "1 chart(s) linted, 0 chart(s) failed" in helm("lint", "--strict", "--values", file, CHART)


def test_by_default_it_brings_all_kinds_all_types_and_observes(defaults: list[Json]) -> None:
    kinds = Counter(each["kind"] for each in defaults)
    assert kinds["CustomResourceDefinition"] == len(KINDS)
    assert kinds["ActionType"] == len(list((ROOT / "catalog").glob("*.yaml")))
    assert kinds["ValidatingAdmissionPolicy"] == kinds["ValidatingAdmissionPolicyBinding"] > 10
    assert kinds["MutatingAdmissionPolicy"] == kinds["MutatingAdmissionPolicyBinding"] > 3
    assert found(defaults, "ActionPolicy")["spec"] == {"mode": "Observe"}
    assert names(defaults) >= EVERYWHERE | {("PodDisruptionBudget", NAME), ("NetworkPolicy", NAME)}


def test_an_api_server_that_fills_in_no_names_gets_only_what_it_knows(helm: Helm, defaults: list[Json]) -> None:
    older = helm.template("--kube-version", "1.35.2")
    assert {kind for kind, _ in names(defaults) - names(older)} == {
        "MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding",
    }  # fmt: skip


def test_what_prometheus_needs_is_there_where_its_kinds_are(helm: Helm, defaults: list[Json]) -> None:
    prometheus = {("ServiceMonitor", NAME), ("PrometheusRule", NAME), ("ConfigMap", f"{NAME}-dashboard")}
    assert not names(defaults) & prometheus
    served = [f"--api-versions=monitoring.coreos.com/v1/{kind}" for kind in ("ServiceMonitor", "PrometheusRule")]
    assert names(helm.template(*served)) >= prometheus


def test_with_all_switched_off_only_the_operator_is_left(helm: Helm, tmp_path: Path) -> None:
    assert names(rendered(helm, tmp_path, NOTHING)) == EVERYWHERE


def test_the_operators_rights_are_those_of_config_rbac(defaults: list[Json]) -> None:
    for shipped in yaml.safe_load_all((ROOT / "config" / "rbac" / "operator.yaml").read_text()):
        if shipped["kind"] in ("ClusterRole", "Role"):
            assert found(defaults, shipped["kind"], shipped["metadata"]["name"])["rules"] == shipped["rules"]
        elif shipped["kind"].endswith("Binding"):
            ours = found(defaults, shipped["kind"], shipped["metadata"]["name"])
            assert (ours["roleRef"], ours["subjects"]) == (shipped["roleRef"], shipped["subjects"])
    bound = [each["roleRef"]["name"] for each in defaults if each["kind"].endswith("Binding") and "roleRef" in each]
    assert sorted(bound) == [NAME, f"{NAME}-leader"], "nobody gets a right by the installation but the operator"


def test_kubernetes_own_roles_get_what_fits_them(helm: Helm, defaults: list[Json]) -> None:
    def aggregated(objects: list[Json]) -> dict[str, str]:
        prefix = "rbac.authorization.k8s.io/aggregate-to-"
        return {
            each["metadata"]["name"]: label.removeprefix(prefix)
            for each in objects
            if each["kind"] == "ClusterRole"
            for label in each["metadata"]["labels"]
            if label.startswith(prefix)
        }

    assert aggregated(defaults) == {"action-viewer": "view", "action-proposer": "edit", "action-approver": "admin"}
    assert aggregated(helm.template("--set", "rbac.aggregate=false")) == {}


def test_roles_of_runners_come_when_they_are_asked_for(defaults: list[Json], everything: list[Json]) -> None:
    def runners(objects: list[Json]) -> set[str]:
        return {name for kind, name in names(objects) if kind == "ClusterRole" and name.startswith("action-runner-")}

    assert runners(defaults) == set()
    assert runners(everything) == {f"action-runner-{name}" for name in ("workloads", "pods", "nodes", "jobs", "gitops")}


def test_a_lent_runner_is_named_and_no_other_is_lent(everything: list[Json]) -> None:
    lent = {each["metadata"]["namespace"]: each["rules"] for each in everything if each["kind"] == "Role"}
    assert lent["shop"] == [
        {"apiGroups": [""], "resources": ["serviceaccounts"], "resourceNames": ["a", "b"], "verbs": ["impersonate"]}
    ]
    assert lent["staging"][0]["resourceNames"] == ["a"]
    assert lent.keys() == {"shop", "staging", NAME}


def test_settings_reach_the_operator(everything: list[Json]) -> None:
    spec = found(everything, "Deployment")["spec"]["template"]["spec"]
    container = spec["containers"][0]
    assert {
        "run",
        "--namespace=shop",
        "--lease-namespace=action-operator",
        "--lease-seconds=4.5",
        "--context=x",
    } <= set(container["args"])
    environment = {each["name"]: each.get("value") for each in container["env"]}
    assert (environment["OPERATOR_APPROVAL_MODE"], environment["TZ"]) == ("true", "UTC")
    assert re.fullmatch(r"action-operator:[0-9.]+@sha256:0{64}", container["image"])
    assert spec["terminationGracePeriodSeconds"] == 70
    assert spec["serviceAccountName"] == NAME
    policy = found(everything, "ActionPolicy")["spec"]
    assert policy == {
        "mode": "Execute", "approval": {"required": 2}, "protect": {"namespaces": ["kube-system"]}
    }  # fmt: skip
    assert not {("ActionType", "run-job"), ("ActionType", "delete-resource")} & names(everything)


@pytest.mark.parametrize("values", ["", EVERYTHING], ids=["defaults", "everything"])
def test_the_operator_knows_what_it_is_started_with(helm: Helm, tmp_path: Path, values: str) -> None:
    """--help comes last: an argument before it that is unknown or malformed is an error all the same."""
    container = found(rendered(helm, tmp_path, values), "Deployment")["spec"]["template"]["spec"]["containers"][0]
    get_command(app).main([*container["args"], "--help"], standalone_mode=False)
    ports = {each["containerPort"] for each in container["ports"]}
    served = {int(port) for argument in container["args"] for port in re.findall(r"0\.0\.0\.0:(\d+)", argument)}
    assert served == ports == {8080, 8081}
    probes = [container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")]
    assert [(probe["port"], probe["path"]) for probe in probes] == [
        ("health", "/healthz"),
        ("health", "/healthz"),
        ("health", "/readyz"),
    ]


@pytest.mark.parametrize("options", [[], ["--set=replicas=1"]], ids=["two", "one"])
def test_selectors_find_the_pods_and_not_the_test_pod(helm: Helm, options: list[str]) -> None:
    objects = helm.template(*options)
    labels = found(objects, "Deployment")["spec"]["template"]["metadata"]["labels"]
    tested = found(objects, "Pod")["metadata"]["labels"]
    selectors = [
        found(objects, "Deployment")["spec"]["selector"]["matchLabels"],
        found(objects, "Service")["spec"]["selector"],
        found(objects, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
        *(each["spec"]["selector"]["matchLabels"] for each in objects if each["kind"] == "PodDisruptionBudget"),
    ]
    assert len(selectors) == (3 if options else 4)
    for selector in selectors:
        assert selector.items() <= labels.items()
        assert not selector.items() <= tested.items()


def test_each_shard_has_pods_and_a_lease_of_its_own_and_the_rest_goes_to_those_without(helm: Helm) -> None:
    objects = helm.template("--set=shards={a,b-2}")
    made = {each["metadata"]["name"]: each["spec"] for each in objects if each["kind"] == "Deployment"}
    assert made.keys() == {NAME, f"{NAME}-a", f"{NAME}-b-2"}
    selectors = {name: spec["selector"]["matchLabels"] for name, spec in made.items()}
    everywhere = [
        found(objects, "Service")["spec"]["selector"],
        found(objects, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
        found(objects, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
    ]
    for name, spec in made.items():
        labels = spec["template"]["metadata"]["labels"].items()
        assert [other for other, selector in selectors.items() if selector.items() <= labels] == [name]
        assert all(selector.items() <= labels for selector in everywhere)
    chosen = {}
    for name, spec in made.items():
        given = [argument.partition("=") for argument in spec["template"]["spec"]["containers"][0]["args"]]
        options = {option: value for option, _, value in given}
        assert options["--lease-name"] == name
        chosen[name] = Shard.parse(options["--selector"])
    for value in (None, "a", "b-2", "c"):
        labels = {SHARD_LABEL: value} if value else {}
        assert [name for name, shard in chosen.items() if shard.fits(labels)] == [
            f"{NAME}-{value}" if value in ("a", "b-2") else NAME
        ]
    leader = next(each for each in objects if (each["kind"], each["metadata"]["name"]) == ("Role", f"{NAME}-leader"))
    assert [rule.get("resourceNames") for rule in leader["rules"]] == [None, [NAME, f"{NAME}-a", f"{NAME}-b-2"]]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["template", NAME, CHART, "--namespace", "ops"], r"the namespace must be action-operator \(got ops\)"),
        (["template", "mine", CHART, "--namespace", NAME], r"the release must be named action-operator \(got mine\)"),
        (["template", NAME, CHART, "--namespace", NAME, "--set", "catalogue.exclude={scale}"],
         r"there is no action type scale in this chart"),
        (["template", NAME, CHART, "--namespace", NAME,
          "--set-json", f"runners.lent={json.dumps([{'namespace': 'a', 'serviceAccounts': [one]} for one in 'bc'])}"],
         r"runners\.lent: namespace a is there twice; give all its serviceAccounts in one entry"),
        (["template", NAME, CHART, "--namespace", NAME, "--set", "replica=2"], r"additional properties 'replica'"),
        (["template", NAME, CHART, "--namespace", NAME, "--set", "defaultPolicy.mode=observe"], r"/defaultPolicy/mode"),
        (["template", NAME, CHART, "--namespace", NAME, "--set", "shards={A}"], r"/shards/0"),
        (["template", NAME, CHART, "--namespace", NAME, "--kube-version", "1.31.0"], r"requires kubeVersion: >=1\.32"),
    ],
    ids=["namespace", "name", "exclude", "twice", "unknown", "mode", "shard", "old"],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_what_to_do(helm: Helm, arguments: list[str], told: str) -> None:
    with pytest.raises(NotInstalled) as refusal:
        helm(*arguments)
    assert re.search(told, str(refusal.value))
