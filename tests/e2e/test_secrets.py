"""A canary in a Secret: used for real, sent back by the target in every way, and found nowhere but in the Secret."""

import base64
import json
import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from harness.stage import RUNNER, Stage

CANARY = f'c4n4ry/"{secrets.token_urlsafe(9)}"+%41&{secrets.token_hex(6)}='
"""Changed by every encoding, and the same in no other run."""
OTHER = f"other-{secrets.token_hex(8)}"
LABEL = {"actionoperator.dev/allow": "true"}


def forms(value: str) -> set[str]:
    """The value as it would stand in a text, in JSON, in a URL, in base64 at each alignment; and a part of each."""
    plain = value.encode()
    encoded = {base64.b64encode(b"x" * shift + plain).decode()[4:-4] for shift in range(3)}
    encoded |= {text.replace("+", "-").replace("/", "_") for text in encoded}
    whole = {
        value,
        json.dumps(value)[1:-1],
        quote(value, safe=""),
        quote(value),
        quote_plus(value),
        plain.hex(),
        *encoded,
    }
    return whole | {form[:12] for form in whole} | {form[-12:] for form in whole}


def assert_nowhere(text: str, where: str, value: str = CANARY) -> None:
    for form in forms(value):
        at = text.find(form)
        assert at < 0, f"{where}: {form!r} in ...{text[max(0, at - 200) : at + 100]}..."


def secret(name: str, labels: dict[str, str] | None = None, **data: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "labels": labels or {}},
        "stringData": data,
    }


def reference(name: str, key: str = "token") -> dict[str, Any]:
    return {"secretKeyRef": {"name": name, "key": key}}


class Echo(BaseHTTPRequestHandler):
    """Sends back all that it got, in all the places of an answer; the path says how."""

    got: list[dict[str, Any]]

    def answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length).decode()
        self.got.append({"path": self.path, "headers": dict(self.headers), "body": body})
        token = self.headers.get("X-Api-Key") or ""
        echo = {
            "headers": dict(self.headers), "body": body, "inJson": json.dumps({"token": token}),
            "url": f"/?token={quote(token, safe='')}", "form": f"token={quote_plus(token)}",
            "base64": base64.b64encode(f"user:{token}".encode()).decode(), "hex": token.encode().hex(),
            "token": token, "part": token[:20], "ok": False, token: [token],
        }  # fmt: skip
        payload = json.dumps(echo).encode()
        match self.path:
            case "/broken-header":
                self.wfile.write(f"HTTP/1.1 200 OK\r\n{token} {token}\r\n\r\n".encode())
            case "/broken-status":
                self.wfile.write(f"{token}\r\n\r\n".encode())
            case "/cut-off":
                self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + payload)
                self.connection.shutdown(socket.SHUT_RDWR)
            case _:
                status = int(self.path.rpartition("/")[2])
                self.send_response(status, f"refused {token}")
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(payload)))
                self.send_header("Location", f"http://127.0.0.1/?token={quote(token, safe='')}")
                self.send_header("X-Echo", token)
                self.send_header("Retry-After", token)
                self.end_headers()
                self.wfile.write(payload)
        self.close_connection = True

    do_GET = do_PUT = do_POST = do_PATCH = answer  # noqa: N815  http.server's names

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  http.server's name
        """Quiet."""


@contextmanager
def echoing() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A server on loopback that echoes; its URL, and what it got."""
    got: list[dict[str, Any]] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("EchoHere", (Echo,), {"got": got}))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", got
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def lent(stage: Stage) -> Stage:
    """The stage with Secrets, and a runner that may read them; but for one of them."""
    names = ["lent", "not-lent", "elsewhere", "keyless", "missing"]
    subject = {"kind": "ServiceAccount", "name": RUNNER, "namespace": stage.namespace}
    rbac = "rbac.authorization.k8s.io"
    stage.apply(
        secret("lent", LABEL, token=CANARY, other=OTHER),
        secret("not-lent", token=CANARY),
        secret("keyless", LABEL, another=CANARY),
        secret("forbidden", LABEL, token=CANARY),
        {"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": {"name": "reads-secrets"},
         "rules": [{"apiGroups": [""], "resources": ["secrets"], "resourceNames": names, "verbs": ["get"]}]},
        {"apiVersion": f"{rbac}/v1", "kind": "RoleBinding", "metadata": {"name": "reads-secrets"},
         "roleRef": {"apiGroup": rbac, "kind": "Role", "name": "reads-secrets"}, "subjects": [subject]},
    )  # fmt: skip
    return stage


def everything(stage: Stage) -> Iterator[tuple[str, str]]:
    """All that the API server gives an administrator, Secrets aside: where it stands, and the text of it."""
    api = stage.cluster.api()
    roots = ["/api/v1", *(f"/apis/{group['preferredVersion']['groupVersion']}" for group in api.get("/apis")["groups"])]
    for root in roots:
        for resource in api.get(root)["resources"]:
            if "list" in resource["verbs"] and "/" not in resource["name"] and resource["name"] != "secrets":
                path = f"{root}/{resource['name']}"
                yield path, json.dumps(api.get(path), ensure_ascii=False)
    yield "the operator's log", stage.operator.log
    yield "the operator's audit stream", (stage.operator.folder / "audit.jsonl").read_text()
    yield "the API server's audit log", stage.cluster.audit_log.read_text()


def test_a_canary_is_used_and_found_nowhere(lent: Stage) -> None:
    stage = lent
    retry = {"maxAttempts": 2, "minWaitSeconds": 0.1, "maxWaitSeconds": 0.2}
    ways: dict[str, tuple[str, str, dict[str, Any], str]] = {
        "refused": ("PUT", "/echo/400", {}, "Failed"),
        "forbidden": ("GET", "/echo/403", {}, "Failed"),
        "again": ("PUT", "/echo/500", {}, "Unknown"),
        "busy": ("PUT", "/echo/429", {}, "Failed"),
        "lost": ("POST", "/echo/500", {}, "Unknown"),
        "moved": ("PUT", "/echo/302", {}, "Failed"),
        "unexpected": ("POST", "/echo/200", {"expect": {"json": {"token": "another", "ok": True}}}, "Failed"),
        "header": ("POST", "/broken-header", {}, "Unknown"),
        "status": ("POST", "/broken-status", {}, "Unknown"),
        "cut": ("POST", "/cut-off", {}, "Unknown"),
        "kept": ("POST", "/echo/200", {"outputs": {
            "a": "body", "b": "inJson", "c": "url", "d": "form", "e": "base64", "f": "hex", "g": "part", "h": "headers",
        }}, "Succeeded"),
    }  # fmt: skip
    with echoing() as (url, got):
        for name, (method, path, more, _) in ways.items():
            body = (
                {}
                if method == "GET"
                else {"secretBody": {"routing_key": reference("lent"), "o": reference("lent", "other")}}
            )
            parameters = {
                "method": method, "url": url + path, "secretHeaders": {"X-Api-Key": reference("lent")},
                "bearerToken": reference("lent", "other"), **body, **more,
            }  # fmt: skip
            stage.propose(name, "http-request", parameters, retry=retry)
        job = {"image": "busybox:1", "command": ["true"], "secretEnv": {"API_TOKEN": reference("lent")}}
        stage.propose("job", "run-job", job)
        for name, (*_, outcome) in ways.items():
            assert stage.outcome("ap", name, seconds=60)["outcome"] == outcome, name
        assert stage.outcome("ap", "job", seconds=60)["outcome"] == "Succeeded"

    # It was used: each request had it, and the Job's pod would have got it.
    assert {one["path"] for one in got} == {path for _, path, *_ in ways.values()}
    for one in got:
        assert one["headers"]["X-Api-Key"] == CANARY
        assert one["headers"]["Authorization"] == f"Bearer {OTHER}"
        assert not one["body"] or json.loads(one["body"]) == {"routing_key": CANARY, "o": OTHER}
    (made,) = json.loads(stage.kubectl("get", "jobs", "-o", "json"))["items"]
    (container,) = made["spec"]["template"]["spec"]["containers"]
    assert container["env"] == [{"name": "API_TOKEN", "valueFrom": {"secretKeyRef": {"name": "lent", "key": "token"}}}]

    # It is nowhere.
    places = dict(everything(stage))
    assert any(path.endswith("/actionproposals") for path in places)
    assert any(path.endswith("/events") for path in places)
    assert any(path.endswith("/jobs") for path in places)
    for where, text in places.items():
        assert_nowhere(text, where)
        assert_nowhere(text, where, OTHER)
    assert "[redacted]" in json.dumps(stage.status("ap", "kept")["outputs"])
    preview = stage.status("ap", "kept")["preview"]
    assert "secretHeaders.X-Api-Key from Secret lent, key token" in preview["summary"]
    assert any("over http" in warning for warning in preview["warnings"])


def test_the_search_finds_what_is_there(lent: Stage) -> None:
    """Or finding nothing would mean nothing."""
    lent.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "leak"},
                "data": {"a": base64.b64encode(f"user:{CANARY}".encode()).decode()}})  # fmt: skip
    try:
        places = dict(everything(lent))
        with pytest.raises(AssertionError, match="/api/v1/configmaps"):
            assert_nowhere(places["/api/v1/configmaps"], "/api/v1/configmaps")
    finally:
        lent.kubectl("delete", "configmap", "leak")
    for form in (CANARY, f"x{quote(CANARY, safe='')}", json.dumps(CANARY), CANARY[:15]):
        with pytest.raises(AssertionError, match="here"):
            assert_nowhere(f"...{form}...", "here")


REFUSED: list[tuple[str, str, dict[str, Any], str, str]] = [
    ("not-lent", "not-lent", {}, "PreviewRefused",
     "is not lent to actions; who owns it can lend it: kubectl label secret not-lent --namespace"),
    ("no-key", "keyless", {}, "PreviewRefused", "has no key token; add it, or name another"),
    ("no-secret", "missing", {}, "TargetMissing", "; create it, with the label actionoperator.dev/allow=true"),
    ("no-right", "forbidden", {}, "RightMissing", "may not get secrets forbidden in namespace"),
    ("no-right-nor-secret", "unheard-of", {}, "RightMissing", "may not get secrets unheard-of in namespace"),
    ("no-runner", "lent", {"serviceAccountName": None}, "RunnerMissing", "spec.serviceAccountName"),
]  # fmt: skip


@pytest.mark.parametrize("action", ["http-request", "run-job"])
def test_what_is_not_lent_is_refused_before_anything_happens(lent: Stage, action: str) -> None:
    with echoing() as (url, got):
        for name, named, spec, _, _ in REFUSED:
            parameters: dict[str, Any] = {
                "http-request": {"method": "POST", "url": f"{url}/echo/200", "bearerToken": reference(named)},
                "run-job": {"image": "busybox:1", "secretEnv": {"TOKEN": reference(named)}},
            }[action]
            lent.propose(f"{name}-{action}", action, parameters, **spec)
        for name, _, _, reason, words in REFUSED:
            status = lent.outcome("ap", f"{name}-{action}")
            assert status["outcome"] == "Failed", name
            assert lent.condition(status, "Validated")["reason"] == reason, name
            assert words in status["message"], name
            assert "attempts" not in status
            assert_nowhere(json.dumps(status), "status")
        assert got == []


def test_another_namespace_cannot_even_be_named(lent: Stage) -> None:
    for number, wrong in enumerate(
        ({"name": "a", "key": "b", "namespace": "kube-system"}, {"name": "kube-system/a", "key": "b"})
    ):
        parameters = {"method": "GET", "url": "http://127.0.0.1/", "bearerToken": {"secretKeyRef": wrong}}
        lent.propose(f"elsewhere-{number}", "http-request", parameters)
        status = lent.outcome("ap", f"elsewhere-{number}")
        assert lent.condition(status, "Validated")["reason"] == "InvalidParameters"
        assert "a Secret in this namespace" in status["message"]


def test_a_secret_that_is_no_longer_lent_when_it_is_due_is_not_used(lent: Stage) -> None:
    lent.apply(secret("withdrawn", LABEL, token=CANARY))
    rule = {"op": "add", "path": "/rules/0/resourceNames/-", "value": "withdrawn"}
    lent.kubectl("patch", "role", "reads-secrets", "--type=json", "-p", json.dumps([rule]))
    with echoing() as (url, got):
        parameters = {"method": "POST", "url": f"{url}/echo/200", "bearerToken": reference("withdrawn")}
        lent.propose("withdrawn", "http-request", parameters, suspend=True)
        lent.phase("ap", "withdrawn", "Blocked")
        lent.kubectl("label", "secret", "withdrawn", "actionoperator.dev/allow-")
        lent.patch("ap", "withdrawn", {"suspend": False})
        status = lent.outcome("ap", "withdrawn")
        assert got == []
    assert status["outcome"] == "Failed"
    assert "is not lent to actions" in status["message"]
