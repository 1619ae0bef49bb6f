"""Custom types: what the type's author wrote is the form, what a proposer gives is a value and nothing else."""

import re
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from controller.actions.base import ParameterFaultsError
from controller.actions.job_manifest import is_ours
from controller.actions.registry import built_ins
from controller.api.actiontype import ActionType
from controller.core.digest import type_digest
from controller.core.ports import Cluster, Http, Json, Operation, Request
from controller.core.validation import type_fault
from controller.core.world import TypeEntry

NOW = datetime(2026, 11, 22, tzinfo=UTC)
REGISTRY = built_ins(lambda: NOW)
EXAMPLES = sorted((Path(__file__).parents[3] / "examples" / "types").glob("*.yaml"))
OPERATION = Operation("0193-op", NOW, NOW)
REF = {"secretKeyRef": {"name": "chat", "key": "token"}}


def manifest(name: str) -> Json:
    (path,) = [path for path in EXAMPLES if path.stem == name]
    return cast("Json", yaml.safe_load(path.read_text()))


def entry(raw: Json) -> TypeEntry:
    return TypeEntry(ActionType.model_validate(raw), raw["spec"], type_digest(raw["spec"]))


def fault(raw: Json) -> str:
    found = type_fault(entry(raw), REGISTRY)
    return found.message if found else ""


def changed(name: str, change: Callable[[Json], Any]) -> Json:
    """The example with its spec changed."""
    raw = deepcopy(manifest(name))
    change(raw["spec"])
    return raw


def parsed(raw: Json, parameters: Json) -> Any:
    return REGISTRY.of(entry(raw)).parse(parameters)


def request(parameters: Any) -> Request[Any]:
    nothing = cast("Cluster", None)
    return Request(parameters, "shop", "try", "uid-1", "runner", nothing, cast("Http", None))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_is_ready(path: Path) -> None:
    assert fault(manifest(path.stem)) == ""


def at(spec: Json, *path: Any) -> Any:
    for part in path:
        spec = spec[part]
    return spec


HTTP, JOB, PATCH = "announce", "compact-database", "set-log-level"
POD = ("executor", "job", "template", "spec", "template", "spec")
P = {"fromParameter": "text"}
BAD: list[tuple[str, Callable[[Json], Any], str]] = [
    (HTTP, lambda s: s["executor"]["http"]["body"].update(a={"b": {"fromParameter": "no"}}),
     "spec.executor.http.body.a.b: there is no parameter no in spec.parameters.properties (it has: team, text,"),
    (HTTP, lambda s: s["executor"]["http"].update(url={"fromParameter": "team"}), ""),
    (HTTP, lambda s: s["executor"]["http"].update(expect={"json": {"a": P}}),
     "spec.executor.http.expect.json.a: a parameter cannot stand here"),
    (HTTP, lambda s: s["executor"]["http"].update(body=P), "spec.executor.http.body: a parameter cannot stand here"),
    (HTTP, lambda s: s["executor"]["http"].update(headers={"X-A": {**P, "or": 1}}),
     "spec.executor.http.headers.X-A: must be {fromParameter: NAME} and nothing else"),
    (HTTP, lambda s: s["parameters"]["properties"]["team"].pop("maxLength"),
     "properties.team: add maxLength, of at most 1024, because it stands in spec.executor.http.path[0]"),
    (HTTP, lambda s: s["parameters"]["properties"].update(team={"type": "integer", "fixed": True, "minimum": 1}),
     "spec.parameters.properties.team: add maximum, because"),
    (HTTP, lambda s: s["parameters"]["properties"].update(team={"type": "object", "fixed": True}),
     "spec.parameters.properties.team: must be of type string, integer, number or boolean"),
    (HTTP, lambda s: s["parameters"]["properties"]["team"].pop("fixed"),
     "spec.parameters.properties.team: add fixed: true, because it says what is touched"),
    (HTTP, lambda s: s["parameters"].update(required=["text", "token"]), "spec.parameters.required: add team"),
    (HTTP, lambda s: s["executor"]["http"].update(path=[{"fromParameter": "token"}]),
     "spec.executor.http.path[0]: a secret cannot stand here"),
    (HTTP, lambda s: s["executor"]["http"]["body"].update(deep={"a": {"fromParameter": "token"}}),
     "spec.executor.http.body.deep.a: a secret cannot stand here"),
    (HTTP, lambda s: s["executor"]["http"].update(bearerToken=P), "spec.executor.http.bearerToken: must be"),
    (HTTP, lambda s: s["executor"]["http"].update(method="GET"), "spec.executor.http.body: GET has none"),
    (HTTP, lambda s: s["executor"]["http"].update(url="ftp://a"), "spec.executor.http.url: "),
    (HTTP, lambda s: s["executor"]["http"].update(url="https://a/?b=c"), "spec.executor.http.url: must have no query"),
    (HTTP, lambda s: s["executor"]["http"].update(headers={"Host": "b"}), "Host is set by the operator"),
    (HTTP, lambda s: s["executor"]["http"].update(headers={"Authorization": "Bearer x"}), "looks like a credential"),
    (HTTP, lambda s: s["executor"]["http"].update(path=["..", "admin"]), "spec.executor.http.path: a segment must not"),
    (HTTP, lambda s: s["executor"]["http"].update(path=[["a"]]), "spec.executor.http.path.0: must be text, a number"),
    (HTTP, lambda s: s["executor"]["http"].update(expect={"status": [200], "notDoneOn": [503]}), "expect.notDoneOn"),
    (HTTP, lambda s: s["parameters"].update(type="array"), "spec.parameters.type: must be object"),
    (JOB, lambda s: at(s, *POD, "containers", 0).update(image={"fromParameter": "database"}),
     "containers[0].image: a parameter may stand only for the value of a variable"),
    (JOB, lambda s: at(s, *POD, "containers", 0)["args"].append({"fromParameter": "database"}),
     "containers[0].args[3]: a parameter may stand only for the value of a variable"),
    (JOB, lambda s: at(s, *POD, "containers", 0)["env"].append({"name": "A", "value": {"fromParameter": "no"}}),
     "env[2].value: there is no parameter no"),
    (JOB, lambda s: at(s, *POD, "containers", 0).pop("image") and at(s, *POD).update(containers=[]),
     "containers: must be a list of at least one container"),
    (JOB, lambda s: s["executor"]["job"].update(template={"spec": {}}), "must be a list of at least one container"),
    (JOB, lambda s: at(s, *POD).update(serviceAccountName="admin"), "serviceAccountName: the Job runs as the runner"),
    (JOB, lambda s: at(s, *POD).update(restartPolicy="OnFailure"), "restartPolicy: must be Never"),
    (JOB, lambda s: at(s, *POD[:-2]).update(backoffLimit=3), "spec.backoffLimit: must be 0"),
    (JOB, lambda s: at(s, *POD[:-2]).update(parallelism=2), "spec.parallelism: must be 1"),
    (JOB, lambda s: at(s, *POD[:-2]).update(ttlSecondsAfterFinished=9), "spec.ttlSecondsAfterFinished: a Job here"),
    (JOB, lambda s: at(s, *POD[:-3]).update(metadata={"name": "x"}), "metadata.name: is set by the operator"),
    (JOB, lambda s: at(s, *POD[:-1]).update(metadata={"labels": {"actionoperator.dev/operation": "x"}}),
     "labels.actionoperator.dev/operation: is reserved for the operator"),
    (JOB, lambda s: at(s, *POD).update(volumes=[{"name": "action-parameters", "emptyDir": {}}]), "choose another"),
    (PATCH, lambda s: s["executor"]["patch"].update(patch={"data": {"A": {"fromParameter": "no"}}}),
     "spec.executor.patch.patch.data.A: there is no parameter no"),
    (PATCH, lambda s: s["parameters"]["properties"]["app"].pop("maxLength"),
     "spec.parameters.properties.app: add maxLength"),
    (PATCH, lambda s: s["executor"]["patch"].update(type="json"), "spec.executor.patch.patch: must be a list"),
    (PATCH, lambda s: s["executor"]["patch"].update(patch=[]), "spec.executor.patch.patch: must be an object"),
    (PATCH, lambda s: s["executor"]["patch"].update(patch={"fromParameter": "app"}), "patch.patch: must be an object"),
    (PATCH, lambda s: s["executor"]["patch"].update(patch={"metadata": {"name": "b"}}),
     "patch.metadata.name: the operator"),
    (PATCH, lambda s: s["executor"]["patch"].update(patch={"metadata": {"fromParameter": "app"}}),
     "patch.metadata: must be an object"),
    (PATCH, lambda s: s["executor"]["patch"].update(patch={"kind": "Secret"}), "patch.kind: is written in target"),
    (PATCH, lambda s: s["executor"]["patch"]["target"].update(kind="Secret"), "Secret of v1 is never patched"),
    (PATCH, lambda s: s["executor"]["patch"]["target"].update(apiVersion="actionoperator.dev/v1alpha1"),
     "is never patched"),
    (PATCH, lambda s: s["executor"]["patch"]["target"].update(apiVersion="rbac.authorization.k8s.io/v1"), "is never"),
    (PATCH, lambda s: s["executor"]["patch"]["target"].update(name="../b"),
     "target.name: must be the name"),
    (PATCH, lambda s: s["executor"]["patch"]["target"].update(name=["a"]), "target.name: must be a text or"),
    (PATCH, lambda s: s["executor"]["patch"].update(type="json", patch=[{"op": "add", "path": P}]),
     "patch[0].path: a parameter may stand only in value"),
    (PATCH, lambda s: s["executor"]["patch"].update(type="json", patch=[{"op": "put", "path": "/data/a"}]),
     "patch[0].op"),
    (PATCH, lambda s: s["executor"]["patch"].update(type="json", patch=[{"op": "add", "path": "/metadata/name"}]),
     "patch[0].path: the operator says which object it is"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "change", "words"), BAD, ids=[f"{name}-{at}" for at, (name, _, _) in enumerate(BAD)])
def test_a_type_that_does_not_hold_together_is_not_ready(name: str, change: Callable[[Json], Any], words: str) -> None:
    raw = changed(name, change)
    if not words:  # the model itself has no such form
        with pytest.raises(ValueError, match="url"):
            entry(raw)
        return
    assert words in fault(raw)


def test_too_big_or_too_deep_an_executor_is_not_ready() -> None:
    deep: Json = {}
    for _ in range(40):
        deep = {"a": deep}
    assert "nested at most" in fault(changed(HTTP, lambda s: s["executor"]["http"].update(body=deep)))
    big = {"a": "x" * 70_000}
    assert "at most 65536 bytes" in fault(changed(HTTP, lambda s: s["executor"]["http"].update(body=big)))


# -- http ----------------------------------------------------------------------------------------------------------

GIVEN = {"team": "shop", "text": "hello", "token": REF}


def test_parameters_stand_where_the_type_puts_them() -> None:
    made = parsed(manifest(HTTP), {**GIVEN, "urgent": True})
    assert made.url == "https://chat.example.com/v2/channels/shop/announcement?urgent=true"
    assert made.body == {"text": "hello", "source": "action-operator"}
    assert made.bearer_token.wire() == REF
    assert made.outputs == {"id": "message.id"}
    assert (made.expect.status, made.not_done_on) == ((200, 201), (503,))
    assert "?" not in parsed(manifest(HTTP), GIVEN).url


def test_secrets_become_references_that_are_read_when_it_is_sent() -> None:
    def change(spec: Json) -> None:
        http = spec["executor"]["http"]
        http.update(headers={"X-Api-Key": {"fromParameter": "token"}, "X-Team": {"fromParameter": "team"}})
        http["body"]["key"] = {"fromParameter": "token"}
        del http["bearerToken"]

    made = parsed(changed(HTTP, change), GIVEN)
    assert made.headers == {"X-Team": "shop"}
    assert made.secret_headers["X-Api-Key"].wire() == made.secret_body["key"].wire() == REF
    assert "key" not in made.body


def leads_elsewhere(text: str) -> bool:
    return any(part in (".", "..") for part in re.split(r"[/\\]", text))


@given(text=st.text("ab1/?&#%=+ .;:@é\\\n{}", min_size=1, max_size=20))
def test_a_value_never_becomes_another_part_of_the_address(text: str) -> None:
    def change(spec: Json) -> None:
        spec["parameters"]["properties"]["team"] = {"type": "string", "maxLength": 1000, "fixed": True}
        spec["executor"]["http"]["query"] = {"q": {"fromParameter": "team"}}

    raw = changed(HTTP, change)
    if not leads_elsewhere(text):
        url = parsed(raw, {**GIVEN, "team": text}).url
    else:
        with pytest.raises(ParameterFaultsError, match="a segment must not be empty"):
            parsed(raw, {**GIVEN, "team": text})
        return
    parts = urlsplit(url)
    assert (parts.scheme, parts.netloc, parts.fragment) == ("https", "chat.example.com", "")
    segments = parts.path.split("/")
    assert segments[:3] + segments[4:] == ["", "v2", "channels", "announcement"]
    assert unquote(segments[3]) == text
    assert parse_qsl(parts.query, keep_blank_values=True) == [("q", text)]


@pytest.mark.parametrize("team", ["", ".", "..", "a/../b", "..\\b", "../admin"])
def test_a_segment_that_would_lead_elsewhere_is_refused(team: str) -> None:
    with pytest.raises(ParameterFaultsError, match="a segment must not be empty"):
        parsed(manifest(HTTP), {**GIVEN, "team": team})


def test_a_value_that_looks_like_a_place_stays_a_value() -> None:
    raw = changed(HTTP, lambda s: s["parameters"]["properties"].update(text={"type": "object"}))
    made = parsed(raw, {**GIVEN, "text": {"fromParameter": "token"}})
    assert made.body["text"] == {"fromParameter": "token"}


@pytest.mark.parametrize(
    ("method", "said", "idempotent"),
    [("PUT", True, True), ("PUT", False, False), ("POST", True, False), ("PATCH", True, False), ("DELETE", True, True)],
)
def test_the_method_narrows_what_the_type_says(method: str, said: bool, idempotent: bool) -> None:
    raw = changed(HTTP, lambda s: (s.update(idempotent=said), s["executor"]["http"].update(method=method)))
    found = entry(raw)
    traits = REGISTRY.traits(found, GIVEN)
    assert (found.type.spec.idempotent and traits.idempotent) is idempotent
    assert traits.needs_runner  # it reads a Secret


# -- job -----------------------------------------------------------------------------------------------------------


def job(raw: Json, parameters: Json) -> Json:
    executor: Any = REGISTRY.of(entry(raw))
    return cast("Json", executor.job(request(executor.parse(parameters)), OPERATION.id))


def test_a_job_runs_once_as_the_runner_with_its_parameters() -> None:
    made = job(manifest(JOB), {"database": "orders", "tables": ["a", "b"], "password": REF})
    spec, pod = made["spec"], made["spec"]["template"]["spec"]
    assert is_ours(made, request(None), OPERATION)
    assert (spec["backoffLimit"], spec["parallelism"], spec["completions"], pod["restartPolicy"]) == (0, 1, 1, "Never")
    assert (pod["serviceAccountName"], pod["automountServiceAccountToken"]) == ("runner", False)
    (container,) = pod["containers"]
    assert container["env"] == [{"name": "DATABASE", "value": "orders"}, {"name": "PASSWORD", "valueFrom": REF}]
    assert container["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert container["volumeMounts"] == [
        {"name": "action-parameters", "mountPath": "/etc/actionoperator", "readOnly": True}
    ]
    annotations = made["spec"]["template"]["metadata"]["annotations"]
    assert annotations == {"actionoperator.dev/parameters": '{"database":"orders","tables":["a","b"]}'}
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["securityContext"]["runAsUser"] == 1000


def test_a_variable_whose_parameter_is_absent_is_left_out() -> None:
    (container,) = job(manifest(JOB), {"database": "orders"})["spec"]["template"]["spec"]["containers"]
    assert [entry["name"] for entry in container["env"]] == ["DATABASE"]


def test_a_job_has_the_same_name_for_the_same_operation_only() -> None:
    executor: Any = REGISTRY.of(entry(manifest(JOB)))
    asked = request(executor.parse({"database": "orders"}))
    names = [executor.job(asked, operation)["metadata"]["name"] for operation in ("a", "a", "b")]
    assert names[0] == names[1] != names[2]


def test_the_type_says_whether_a_job_may_be_repeated() -> None:
    for said in (True, False):
        found = entry(changed(JOB, lambda s, said=said: s.update(idempotent=said)))
        traits = REGISTRY.traits(found, {"database": "a"})
        assert (found.type.spec.idempotent and traits.idempotent) is said


# -- patch ---------------------------------------------------------------------------------------------------------


def test_a_patch_is_filled_by_whole_values() -> None:
    made = parsed(manifest(PATCH), {"app": "checkout", "level": "DEBUG"})
    assert (made.name, made.body) == ("checkout", {"data": {"LOG_LEVEL": "DEBUG"}})


@pytest.mark.parametrize(
    ("operations", "idempotent"),
    [
        ([{"op": "test", "path": "/data/a", "value": 1}, {"op": "replace", "path": "/data/a", "value": 2}], True),
        ([{"op": "add", "path": "/data/a", "value": 1}], True),
        ([{"op": "add", "path": "/spec/list/-", "value": 1}], False),
        ([{"op": "add", "path": "/spec/list/0", "value": 1}], False),
        ([{"op": "remove", "path": "/data/a"}], False),
        ([{"op": "move", "from": "/data/a", "path": "/data/b"}], False),
    ],
)
def test_what_comes_to_something_else_when_sent_twice_is_never_repeated(operations: Any, idempotent: bool) -> None:
    found = entry(changed(PATCH, lambda s: s["executor"]["patch"].update(type="json", patch=operations)))
    assert type_fault(found, REGISTRY) is None
    assert REGISTRY.traits(found, {"app": "a", "level": "INFO"}).idempotent is idempotent


def test_an_executor_is_made_once_for_each_version_of_a_type() -> None:
    raw = manifest(PATCH)
    assert REGISTRY.of(entry(raw)) is REGISTRY.of(entry(deepcopy(raw)))
    other = changed(PATCH, lambda s: s.update(description="other"))
    assert REGISTRY.of(entry(other)) is not REGISTRY.of(entry(raw))
