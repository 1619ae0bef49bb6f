"""Secrets that parameters name: looked at before anyone approves, read right before the effect, as the runner.

Only Secrets of the proposal's own namespace that carry the label `actionoperator.dev/allow=true`: whoever may write a
Secret lends it to actions by that label. What is said of one names it, its keys and the label, never a value, nor
whether a value is of a form that can be used: that comes out only when it is used.
"""

import base64
import binascii
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import Field, WithJsonSchema, model_validator

from controller.actions.base import Parameters
from controller.api.base import GROUP
from controller.core.errors import NotFound, PermanentFailure, RightMissing
from controller.core.ports import Json, Request, Resource
from controller.core.secret_parameters import SECRET_NAME, fault_of_reference

SECRETS = Resource("", "v1", "secrets", "Secret")
ALLOW_LABEL = f"{GROUP}/allow"
MAX_VALUE = 8192

SecretName = Annotated[str, Field(min_length=1, max_length=253, pattern=SECRET_NAME)]


class SecretKey(Parameters):
    name: str
    """Name of the Secret, in the proposal's namespace."""
    key: str
    """Key in it."""

    def __str__(self) -> str:
        return f"Secret {self.name}, key {self.key}"


class FromSecret(Parameters):
    secret_key_ref: SecretKey
    """The Secret and the key in it."""

    @model_validator(mode="before")
    @classmethod
    def _a_reference(cls, value: Any) -> Any:
        """What the schema's mark demands, also where a type leaves the mark out."""
        if fault := fault_of_reference(value):
            raise ValueError(fault)
        return value

    def __str__(self) -> str:
        return str(self.secret_key_ref)


SecretValue = Annotated[FromSecret, WithJsonSchema({"type": "object", "secret": True})]
"""A parameter that takes only `{secretKeyRef: {name, key}}`; marked so in the type's schema."""


async def check(request: Request[Any], named: Mapping[str, FromSecret | str]) -> None:
    """Whether the Secrets may be used, by the parameter that names each; a bare name: whatever its keys.

    Raises NotFound, RightMissing, PermanentFailure with what to do, TransientFailure.
    """
    await _data(request, named)


async def resolve(request: Request[Any], named: Mapping[str, FromSecret]) -> dict[str, str]:
    """The values as they are now, by parameter; from here on the attempt's redactor hides them. Raises the same."""
    found = await _data(request, named)
    return {path: _value(request, path, ref, found[path]) for path, ref in named.items()}


async def versions(request: Request[Any], names: Iterable[str]) -> str:
    """Which Secrets there are by uid and version, as one text: the same for as long as none was written."""
    found = {name: (await request.cluster.get(SECRETS, name))["metadata"] for name in sorted(set(names))}
    return " ".join(f"{name}={metadata['uid']}/{metadata['resourceVersion']}" for name, metadata in found.items())


async def _data(request: Request[Any], named: Mapping[str, FromSecret | str]) -> dict[str, str]:
    """The values still in base64, empty for bare names. Each Secret is read once."""
    read: dict[str, Json] = {}
    values = {}
    for path, ref in named.items():
        name = ref if isinstance(ref, str) else ref.secret_key_ref.name
        if name not in read:
            read[name] = await _read(request, path, name)
        values[path] = "" if isinstance(ref, str) else _entry(request, path, ref.secret_key_ref, read[name])
    return values


async def _read(request: Request[Any], path: str, name: str) -> Json:
    where = f"{request.namespace}/{name}"
    try:
        secret = await request.cluster.get(SECRETS, name)
    except NotFound as error:
        raise NotFound(f"{path}: there is no Secret {where}; create it, with the label {ALLOW_LABEL}=true") from error
    except RightMissing as error:
        raise RightMissing(f"{path}: {error}") from error
    if (secret["metadata"].get("labels") or {}).get(ALLOW_LABEL) != "true":
        raise PermanentFailure(
            f"{path}: Secret {where} is not lent to actions; who owns it can lend it: "
            f"kubectl label secret {name} --namespace {request.namespace} {ALLOW_LABEL}=true"
        )
    return secret


def _entry(request: Request[Any], path: str, ref: SecretKey, secret: Json) -> str:
    data = secret.get("data") or {}
    if ref.key not in data:
        raise PermanentFailure(
            f"{path}: Secret {request.namespace}/{ref.name} has no key {ref.key}; add it, or name another"
        )
    return str(data[ref.key])


def _value(request: Request[Any], path: str, ref: FromSecret, encoded: str) -> str:
    """The text that the value is, without the line break that editors leave at its end."""
    try:
        value = base64.b64decode(encoded, validate=True).decode().rstrip("\r\n")
    except (binascii.Error, UnicodeDecodeError):
        raise unusable(path, ref, "must be text in UTF-8") from None
    if len(value) > MAX_VALUE:
        raise unusable(path, ref, f"must have at most {MAX_VALUE} characters")
    try:
        request.redactor.learn(value)
    except ValueError as error:
        raise unusable(path, ref, str(error)) from None
    return value


def unusable(path: str, ref: FromSecret, what: str) -> PermanentFailure:
    """The value cannot be used where the parameter puts it; which value is not said."""
    return PermanentFailure(f"{path}: the value of {ref} {what}")
