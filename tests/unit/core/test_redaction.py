"""Values of Secrets in all the forms in which a target may send them back, and what must not be taken for one."""

import base64
import html
import json
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.core.redaction import HIDDEN, MAX_TEXT, PIECE, SHORTEST, Redactor

VALUE = 'Bearer s3cr3t/"Käse" + 100%\\n<x>&y='


def knowing(*values: str) -> Redactor:
    redactor = Redactor()
    for value in values:
        redactor.learn(value)
    return redactor


def base64_of(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


ENCODINGS: dict[str, Any] = {
    "as it is": lambda value: value,
    "JSON": json.dumps,
    "JSON in UTF-8": lambda value: json.dumps(value, ensure_ascii=False),
    "JSON with escaped slashes": lambda value: json.dumps(value).replace("/", "\\/"),
    "JSON in JSON": lambda value: json.dumps(json.dumps(value)),
    "repr": repr,
    "repr of bytes": lambda value: repr(value.encode()),
    "percent": lambda value: quote(value, safe=""),
    "percent in lower case": lambda value: quote(value, safe="").lower(),
    "a path": quote,
    "a form": quote_plus,
    "percent twice": lambda value: quote(quote(value, safe=""), safe=""),
    "HTML": html.escape,
    "HTML by number": lambda value: "".join(f"&#{ord(character)};" for character in value),
    "HTML by hexadecimal number": lambda value: "".join(f"&#x{ord(character):x};" for character in value),
    "base64": base64_of,
    "base64 for URLs": lambda value: base64.urlsafe_b64encode(value.encode()).decode().rstrip("="),
    "base64 of one more": lambda value: base64_of(f"u:{value}"),
    "base64 of two more": lambda value: base64_of(f"us:{value}"),
    "base64 of three more": lambda value: base64_of(f"use:{value}:x"),
    "base64 in JSON": lambda value: json.dumps(base64_of(value)).replace("/", "\\/"),
    "base64 in a URL": lambda value: quote(base64_of(value), safe=""),
    "base64 in lines": lambda value: "\n".join(base64_of(value)[at : at + 16] for at in range(0, 99, 16)),
    "hexadecimal": lambda value: value.encode().hex(),
    "hexadecimal, big": lambda value: value.encode().hex().upper(),
    "lower case": str.lower,
    "in lines": lambda value: value.replace(" ", "\n  "),
}


@pytest.mark.parametrize("encoding", ENCODINGS.values(), ids=ENCODINGS)
@pytest.mark.parametrize("value", [VALUE, "hunter2-hunter2", "ghp_0123456789abcdefABCDEF", "🔑🔑 sésame ouvre-toi"])
def test_a_value_is_hidden_in_each_form(value: str, encoding: Any) -> None:
    sent = encoding(value)
    shown = knowing(value).text(f"401 <token>{sent}</token>: not known")
    assert shown.startswith("401 <token>")
    assert shown.endswith("</token>: not known")
    assert HIDDEN in shown
    left = shown.removeprefix("401 <token>").removesuffix("</token>: not known").replace(HIDDEN, "")
    assert len(left) <= 12, "quotes and what stood beside it may stay"
    assert not any(sent[at : at + 6] in left for at in range(6, len(sent) - 12))


@pytest.mark.parametrize("cut", [slice(None, PIECE), slice(3, 20), slice(-PIECE, None)], ids=str)
def test_a_part_of_a_value_is_hidden(cut: slice) -> None:
    value = "ghp_0123456789abcdefABCDEF"
    assert knowing(value).text(f"token {value[cut]}… is revoked") == f"token {HIDDEN}… is revoked"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("Bearer abcd1234", "token abcd1234 is revoked"),
        (f"Basic {base64_of('bob:abcd1234')}", "password abcd1234 of bob is wrong"),
        (f"Basic {base64_of('bob:abcd1234')}", "bob:abcd1234 cannot log in"),
    ],
)
def test_what_a_header_is_made_of_is_hidden(value: str, said: str) -> None:
    shown = knowing(value).text(said)
    assert HIDDEN in shown
    assert "abcd1234" not in shown


def test_several_values_and_several_places() -> None:
    redactor = knowing("first-secret-value", "zweites Geheimnis")
    assert redactor.text("a first-secret-value b zweites Geheimnis c first-secret-value") == (
        f"a {HIDDEN} b {HIDDEN} c {HIDDEN}"
    )


def test_json_is_hidden_with_its_keys_and_numbers() -> None:
    redactor = knowing("4711471147114711", "first-secret-value")
    given_json = {
        "a": [1, 2.5, True, None, "first-secret-value"],
        "first-secret-value": {"deep": "x first-secret-value"},
        "number": 4711471147114711,
    }
    assert redactor.json(given_json) == {
        "a": [1, 2.5, True, None, HIDDEN],
        HIDDEN: {"deep": f"x {HIDDEN}"},
        "number": HIDDEN,
    }


@pytest.mark.parametrize("value", ["", "a", "1234567", "  a b c d e f g  ", "\n\n\n\n\n\n\n\n\n", "+++++++++"])
def test_what_is_too_short_to_be_hidden_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match=f"at least {SHORTEST} characters"):
        Redactor().learn(value)


def test_nothing_is_changed_that_has_no_part_of_a_value() -> None:
    text = "PUT to hooks.example.com was answered with status 500: dGhlIHNreSBpcyBibHVl %41%42 \\u0041 &amp;"
    assert Redactor().text(text) == text
    assert knowing("first-secret-value").text(text) == text
    assert knowing("first-secret-value").json({"a": [text, 1, 2.5, None]}) == {"a": [text, 1, 2.5, None]}


def test_the_redactor_itself_shows_nothing() -> None:
    assert "first" not in repr(knowing("first-secret-value"))


def test_a_text_without_end_is_cut() -> None:
    shown = knowing("first-secret-value").text("A" * 10_000_000)
    assert len(shown) == MAX_TEXT


visible = st.characters(min_codepoint=33, max_codepoint=0x2FFF, exclude_categories=["Cs", "Zs", "Cc"])
values = st.text(visible, min_size=SHORTEST, max_size=60).filter(lambda text: len(text.replace("+", "")) >= SHORTEST)
around = st.text(st.characters(codec="utf-8"), max_size=30)


@given(values, st.sampled_from(sorted(ENCODINGS.keys() - {"lower case"})), around, around)
def test_whatever_the_value_no_form_of_it_is_left(value: str, encoding: str, before: str, after: str) -> None:
    sent = ENCODINGS[encoding](value)
    shown = knowing(value).text(f"{before}\x00{sent}\x00{after}")
    assert sent not in shown or sent in f"{before}{after}{HIDDEN}"
    assert HIDDEN in shown


@given(values, around)
def test_doing_it_twice_changes_nothing_more(value: str, text: str) -> None:
    redactor = knowing(value)
    once = redactor.text(text)
    assert redactor.text(once) == once
