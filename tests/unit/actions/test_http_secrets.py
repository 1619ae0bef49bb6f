"""http-request with what it reads from Secrets: put in when it is sent, shown nowhere."""

import asyncio
import json
from typing import Any

import pytest
from unit.actions.http_stage import ACTION, OPERATION, PlayedSecrets, PlayedTarget, preview, request, run, secret

from controller.core.errors import ActionError, NotFound, PermanentFailure, RightMissing, TransientFailure


def ref(name: str, key: str) -> Any:
    return {"secretKeyRef": {"name": name, "key": key}}


FROM_SECRETS: Any = {
    "body": {"summary": "rolled out"},
    "secretHeaders": {"X-Api-Key": ref("hooks", "api-key")},
    "bearerToken": ref("hooks", "token"),
    "secretBody": {"routing_key": ref("pager", "key")},
}


def lent() -> PlayedSecrets:
    return PlayedSecrets({
        "hooks": secret(**{"api-key": "key-4711-4711", "token": "token-0815-0815\n"}),
        "pager": secret(key="Schl\u00fcssel mit L\u00fccke"),
    })  # fmt: skip


def test_secrets_are_put_in_when_it_is_sent() -> None:
    target, secrets = PlayedTarget(), lent()
    run(target, secrets, **FROM_SECRETS)
    ((_, _, headers, body, _),) = target.sent
    assert headers["X-Api-Key"] == "key-4711-4711"
    assert headers["Authorization"] == "Bearer token-0815-0815"
    assert headers["Content-Type"] == "application/json"
    assert body is not None
    assert json.loads(body) == {"summary": "rolled out", "routing_key": "Schl\u00fcssel mit L\u00fccke"}
    assert sorted(secrets.asked) == ["hooks", "pager"], "each Secret is read once"


def test_secrets_are_read_anew_for_each_attempt() -> None:
    target, secrets = PlayedTarget(), lent()
    run(target, secrets, method="PUT", bearerToken=ref("hooks", "token"))
    secrets.secrets["hooks"] = secret(token="rotated-0815")
    run(target, secrets, method="PUT", bearerToken=ref("hooks", "token"))
    assert [sent[2]["Authorization"] for sent in target.sent] == ["Bearer token-0815-0815", "Bearer rotated-0815"]


def test_the_attempts_redactor_knows_what_was_read() -> None:
    asked = request(PlayedTarget(), lent(), **FROM_SECRETS)
    asyncio.run(ACTION.run(asked, OPERATION))
    assert asked.redactor.text("key-4711-4711, token-0815-0815, Schl\u00fcssel mit L\u00fccke") == (
        "[redacted], [redacted], [redacted]"
    )


def test_the_preview_names_the_references_and_nothing_of_the_values() -> None:
    shown = preview(PlayedTarget(), lent(), **FROM_SECRETS)
    for words in ("secretHeaders.X-Api-Key from Secret hooks, key api-key", "bearerToken from Secret hooks, key token",
                  "secretBody.routing_key from Secret pager, key key"):  # fmt: skip
        assert words in shown.summary
        assert words in shown.changes[0].after
    other = lent()
    other.secrets = {
        "hooks": secret(**{"api-key": "", "token": b"\xff\xfe"}),
        "pager": secret(key="x" * 100_000),
    }
    assert preview(PlayedTarget(), other, **FROM_SECRETS) == shown, "not even whether they could be used"


def test_reading_with_a_secret_shows_it_too() -> None:
    shown = preview(PlayedTarget(), lent(), method="GET", bearerToken=ref("hooks", "token"))
    assert "bearerToken from Secret hooks, key token" in shown.summary


def test_sending_a_secret_in_the_open_is_warned_of() -> None:
    given = {"method": "GET", "bearerToken": ref("hooks", "token")}
    assert preview(PlayedTarget(), lent(), **given).warnings == ()
    (warning,) = preview(PlayedTarget(), lent(), url="http://hooks.example.com/", **given).warnings
    assert "over http" in warning


NOT_LENT = (
    "Secret shop/hooks is not lent to actions; who owns it can lend it: "
    "kubectl label secret hooks --namespace shop actionoperator.dev/allow=true"
)
REFUSED: list[tuple[str, Any, type[ActionError], str]] = [
    ("no such Secret", None, NotFound, "there is no Secret shop/hooks; create it, with the label actionoperator"),
    ("no label", secret(None, token="token-0815"), PermanentFailure, NOT_LENT),
    ("another value of the label", secret("false", token="token-0815"), PermanentFailure, "is not lent to actions"),
    ("the label in capitals", secret("True", token="token-0815"), PermanentFailure, "is not lent to actions"),
    ("no such key", secret(other="token-0815"), PermanentFailure, "Secret shop/hooks has no key token; add it"),
    ("nothing in it", {"metadata": secret()["metadata"]}, PermanentFailure, "has no key token"),
    ("no right", RightMissing("ops may not get secrets hooks"), RightMissing, "may not get secrets hooks"),
    ("no answer", TransientFailure("503"), TransientFailure, "503"),
]  # fmt: skip


@pytest.mark.parametrize(("found", "kind", "words"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_what_may_not_be_used_is_said_before_anything_is_sent(found: Any, kind: type[ActionError], words: str) -> None:
    target, secrets = PlayedTarget(), PlayedSecrets({"hooks": found} if found else {})
    for step in (preview, run):
        with pytest.raises(kind) as refused:
            step(target, secrets, bearerToken=ref("hooks", "token"))
        assert type(refused.value) is kind
        assert words in str(refused.value)
        assert kind is TransientFailure or "parameters.bearerToken: " in str(refused.value)
        assert "token-0815" not in str(refused.value)
    assert target.sent == []


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("two\nlines-of-text", "must be printable ASCII on one line"),
        ("split\r\nX-Admin: true", "must be printable ASCII on one line"),
        ("t\u00f6ken-0815-0815", "must be printable ASCII"),
        (" token-0815", "without spaces around it"),
        ("1234567", "must have at least 8 characters"),
        ("", "must have at least 8 characters"),
        (b"\xff\xfe\x00\x01\x02\x03\x04\x05\x06", "must be text in UTF-8"),
        ("x" * 8193, "must have at most 8192 characters"),
    ],
)
def test_a_value_that_cannot_be_used_is_never_shown(value: str | bytes, words: str) -> None:
    target = PlayedTarget()
    with pytest.raises(PermanentFailure) as refused:
        run(target, PlayedSecrets({"hooks": secret(token=value)}), bearerToken=ref("hooks", "token"))
    assert str(refused.value).startswith("parameters.bearerToken: the value of Secret hooks, key token must ")
    assert words in str(refused.value)
    assert not value or str(value) not in str(refused.value)
    assert target.sent == []


def test_a_body_may_hold_what_a_header_may_not() -> None:
    target = PlayedTarget()
    value = "-----BEGIN-----\nabc\u00e4\n-----END-----"
    run(target, PlayedSecrets({"a": secret(k=value)}), secretBody={"pem": ref("a", "k")})
    assert json.loads(target.sent[0][3] or b"") == {"pem": value}
