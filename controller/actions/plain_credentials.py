"""Credentials that stand in plain text in objects, as a variable: `{name: API_TOKEN, value: x}`. Pure.

They may not be given in a proposal, and those that an object has already are shown nowhere.
"""

from collections.abc import Iterator
from typing import Any

from controller.core.credentials import looks_like_credential
from controller.core.redaction import HIDDEN


def plain_credentials(value: Any, path: str) -> Iterator[str]:
    """What is wrong with each of them, at any depth, by its path."""
    match value:
        case {"name": str(name), "value": str(text)} if text and looks_like_credential(name):
            yield f"{path}: {name} looks like a credential, which must not stand in plain text; take it from a Secret"
        case dict():
            for key, item in value.items():
                yield from plain_credentials(item, f"{path}.{key}")
        case list():
            for index, item in enumerate(value):
                yield from plain_credentials(item, f"{path}[{index}]")


def without_credentials(value: Any) -> Any:
    """The value, those in it hidden."""
    match value:
        case {"name": str(name), "value": str(text)} if text and looks_like_credential(name):
            return {**value, "value": HIDDEN}
        case dict():
            return {key: without_credentials(item) for key, item in value.items()}
        case list():
            return [without_credentials(item) for item in value]
    return value
