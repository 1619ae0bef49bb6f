"""What each answer of the API server proves."""

import json
import ssl
from datetime import UTC, datetime
from typing import Any
from unittest.mock import Mock

import aiohttp
import pytest

from controller.core.errors import (
    ActionError,
    Conflict,
    LostAnswer,
    NotFound,
    PermanentFailure,
    Repeatable,
    RightMissing,
    Throttled,
    TransientFailure,
)
from controller.core.ports import Resource
from controller.kube.answers import Asked, Denied, Missing, broken, content, judge
from controller.kube.session import BrokenAfterSending, RawAnswer

NOW = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment")
WRITE = Asked("patch", DEPLOYMENTS, "shop", "web", "scale", may_change=True)
READ = Asked("get", DEPLOYMENTS, "shop", "web")

STATUSES: dict[int, tuple[type[ActionError], type[ActionError]]] = {
    # status: after a request that may change something, after one that can't
    301: (LostAnswer, TransientFailure),
    400: (PermanentFailure, PermanentFailure),
    401: (TransientFailure, TransientFailure),
    403: (RightMissing, RightMissing),
    404: (NotFound, NotFound),
    405: (PermanentFailure, PermanentFailure),
    408: (LostAnswer, TransientFailure),
    409: (Conflict, Conflict),
    410: (PermanentFailure, PermanentFailure),
    413: (PermanentFailure, PermanentFailure),
    422: (PermanentFailure, PermanentFailure),
    423: (TransientFailure, TransientFailure),
    425: (TransientFailure, TransientFailure),
    429: (Throttled, Throttled),
    500: (LostAnswer, TransientFailure),
    502: (LostAnswer, TransientFailure),
    503: (LostAnswer, TransientFailure),
    504: (LostAnswer, TransientFailure),
}


def judged(asked: Asked, status: int, message: str = "", **headers: str) -> ActionError | None:
    body = json.dumps({"kind": "Status", "message": message}).encode() if message else b""
    return judge(asked, status, {name.replace("_", "-"): value for name, value in headers.items()}, body, NOW)


@pytest.mark.parametrize("status", STATUSES)
def test_each_status_after_a_write_and_after_a_read(status: int) -> None:
    write, read = STATUSES[status]
    base = (LostAnswer, PermanentFailure, TransientFailure)
    for asked, expected in ((WRITE, write), (READ, read)):
        found = judged(asked, status, "said the server")
        assert isinstance(found, expected)
        if expected in base:
            assert not isinstance(found, tuple(kind for kind in (RightMissing, NotFound, Conflict, Throttled)))
        assert "said the server" in str(found)


@pytest.mark.parametrize("status", [200, 201, 202])
def test_success_is_no_error(status: int) -> None:
    assert judged(WRITE, status) is None


def test_every_status_of_a_write_is_either_a_success_known_not_done_or_lost() -> None:
    for status in range(200, 600):
        found = judged(WRITE, status)
        known = 400 <= status < 500 and status != 408
        assert (found is None) == (status < 300)
        assert isinstance(found, LostAnswer) == (status >= 300 and not known)


def test_a_missing_right_is_named_with_the_rule_that_grants_it() -> None:
    refused = (
        'deployments.apps "web" is forbidden: User "joe" cannot patch resource "deployments/scale" in API group "apps"'
    )
    message = str(judged(WRITE, 403, refused))
    assert refused in message
    assert (
        "Role rule {apiGroups: [apps], resources: [deployments/scale], resourceNames: [web], verbs: [patch]}" in message
    )


def test_a_refusal_by_admission_suggests_no_role() -> None:
    refused = "deployments.apps \"web\" is forbidden: ValidatingAdmissionPolicy 'halt' denied request: halted"
    assert "Role" not in str(judged(WRITE, 403, refused))


@pytest.mark.parametrize(
    ("message", "user", "verb"),
    [
        ('deployments.apps "web" is forbidden: User "joe" cannot patch resource "deployments/scale" in API group "apps',
         "joe", "patch"),
        ('pods is forbidden: User "system:serviceaccount:a:b" cannot list resource "pods" in API group ""',
         "system:serviceaccount:a:b", "list"),
        ('serviceaccounts "ops" is forbidden: User "op" cannot impersonate resource "serviceaccounts" in API group ""',
         "op", "impersonate"),
        ("pods \"a\" is forbidden: ValidatingAdmissionPolicy 'p': x is forbidden: User \"joe\" cannot x resource \"",
         None, None),
        ('pods "web" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true', None, None),
        ('pods "web" is forbidden: exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1', None, None),
        ('jobs.batch "a" is forbidden: unable to create new content in namespace shop because it is being terminated',
         None, None),
        ('admission webhook "w.example.com" denied the request: User "joe" cannot patch resource "x"', None, None),
        ("", None, None),
    ],
)  # fmt: skip
def test_rbac_is_told_from_admission(message: str, user: str | None, verb: str | None) -> None:
    found = judged(WRITE, 403, message)
    assert isinstance(found, Denied)
    assert found.missing == (Missing(user, verb) if user and verb else None)


def test_patience_asked_for_is_kept() -> None:
    for status in (429, 503):
        found = judged(WRITE, status, Retry_After="7")
        assert isinstance(found, Repeatable)
        assert found.retry_after_seconds == 7


def connector_error(kind: type[aiohttp.ClientConnectorError], error: Exception) -> BaseException:
    key: Any = Mock(host="example", port=443, ssl=True)
    return kind(key, error)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "write", "read"),
    [
        (
            connector_error(aiohttp.ClientConnectorError, ConnectionRefusedError(111, "no")),
            TransientFailure,
            TransientFailure,
        ),
        (connector_error(aiohttp.ClientConnectorDNSError, OSError(-2, "unknown")), TransientFailure, TransientFailure),
        (connector_error(aiohttp.ClientConnectorSSLError, ssl.SSLError(1, "eof")), TransientFailure, TransientFailure),
        (
            connector_error(aiohttp.ClientConnectorCertificateError, ssl.SSLCertVerificationError(1, "self-signed")),
            PermanentFailure,
            PermanentFailure,
        ),
        (aiohttp.ConnectionTimeoutError(), TransientFailure, TransientFailure),
        (aiohttp.ServerDisconnectedError(), LostAnswer, TransientFailure),
        (aiohttp.ClientOSError(104, "reset"), LostAnswer, TransientFailure),
        (aiohttp.ClientPayloadError("cut"), LostAnswer, TransientFailure),
        (aiohttp.SocketTimeoutError(), LostAnswer, TransientFailure),
        (TimeoutError(), LostAnswer, TransientFailure),
        (BrokenAfterSending("reset"), LostAnswer, TransientFailure),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else value.__name__,
)
def test_broken_connections(error: BaseException, write: type[ActionError], read: type[ActionError]) -> None:
    assert type(broken(WRITE, error)) is write
    assert type(broken(READ, error)) is read


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff"])
def test_a_success_that_cannot_be_read_proves_nothing(body: bytes) -> None:
    answer = RawAnswer(200, {}, body)
    with pytest.raises(LostAnswer):
        content(WRITE, answer)
    with pytest.raises(TransientFailure):
        content(READ, answer)


def test_messages_are_bounded_and_one_line() -> None:
    message = str(judge(READ, 500, {}, b"<html>\n" + b"x" * 100_000, NOW))
    assert len(message) < 1200
    assert "\n" not in message


def test_the_disruption_budget_that_forbids_an_eviction_is_named() -> None:
    pods = Resource("", "v1", "pods", "Pod")
    asked = Asked("create", pods, "shop", "web-1", "eviction", may_change=True)
    cause = {
        "reason": "DisruptionBudget",
        "message": "The disruption budget web needs 2 healthy pods and has 2 currently",
    }
    other = {"reason": "FieldValueInvalid", "message": "not about it"}
    told = {"message": "Cannot evict pod.", "details": {"causes": [cause, other]}}
    error = judge(asked, 429, {}, json.dumps(told).encode(), NOW)
    assert isinstance(error, Throttled)
    assert str(error) == f"create pods/eviction shop/web-1: Cannot evict pod. {cause['message']}"


@pytest.mark.parametrize("details", [None, [], {"causes": None}, {"causes": ["text"]}, {"causes": {"a": 1}}])
def test_causes_that_are_none_add_nothing(details: Any) -> None:
    error = judge(WRITE, 429, {}, json.dumps({"message": "slow down", "details": details}).encode(), NOW)
    assert str(error) == "patch deployments/scale shop/web: slow down"
