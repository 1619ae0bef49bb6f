"""Which names look like those of a credential. A proposal is readable by many, so a secret must not stand in it."""

import re
from urllib.parse import parse_qsl, urlsplit

from controller.core.web_address import web_address

_ANYWHERE = re.compile(r"authorization|cookie|credential|passphrase|passw(or)?d|secret|token(?!iz)", re.IGNORECASE)
# "key" begins and ends many harmless words (KEYCLOAK_URL, MONKEY_COUNT): only a word of its own, or a known pair.
_KEY = re.compile(r"(^|[^a-z])(api|access|auth|encryption|private|shared|signing|ssh)?keys?($|[^a-z])")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def looks_like_credential(name: str) -> bool:
    """Whether `name` (of a header, a variable, a query parameter) is one that credentials go by."""
    return bool(_ANYWHERE.search(name) or _KEY.search(_CAMEL.sub("_", name).lower()))


def checked_url(url: str) -> str:
    """An http(s) address as it may stand in an object. Raises ValueError with what is wrong."""
    web_address(url)
    if "#" in url:
        raise ValueError("must not have a fragment (#...)")
    for name, _ in parse_qsl(urlsplit(url).query, keep_blank_values=True):
        if looks_like_credential(name):
            raise ValueError(f"query parameter {name} looks like a credential; it must not stand in plain text")
    return url
