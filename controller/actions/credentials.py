"""Which names look like those of a credential. A proposal is readable by many, so a secret must not stand in it."""

import re

_ANYWHERE = re.compile(r"authorization|cookie|credential|passphrase|passw(or)?d|secret|token(?!iz)", re.IGNORECASE)
# "key" begins and ends many harmless words (KEYCLOAK_URL, MONKEY_COUNT): only a word of its own, or a known pair.
_KEY = re.compile(r"(^|[^a-z])(api|access|auth|encryption|private|shared|signing|ssh)?keys?($|[^a-z])")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def looks_like_credential(name: str) -> bool:
    """Whether `name` (of a header, a variable, a query parameter) is one that credentials go by."""
    return bool(_ANYWHERE.search(name) or _KEY.search(_CAMEL.sub("_", name).lower()))
