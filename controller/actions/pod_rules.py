"""What a change of an object newly gives its pods: Secrets, an account, its token, parts of the node. Pure.

A pod is any mapping that has a list `containers`: a Pod, the template of a Deployment or a CronJob, or of a kind that
nobody here knows. Only what was not there before is told, wherever it stood: what a pod has already, who may change its
image can take. Both forms are those of the API server, so that its defaults count.

Source of what reaches the node: Kubernetes, "Pod Security Standards", Baseline.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from controller.core.ports import Json

_Fact = tuple[str, ...]
_HOST_USERS: _Fact = ("hostUsers",)
_HOST_NETWORK: _Fact = ("hostNetwork",)
_ALL_CAPABILITIES: _Fact = ("capability", "ALL")
_DEFAULT_ACCOUNT = "default"
_NAMESPACES = {
    "hostNetwork": "the network of its node",
    "hostPID": "the processes of its node",
    "hostIPC": "the shared memory of its node",
}
_NOT_SPEC = ("metadata", "status")


@dataclass(frozen=True)
class Gain:
    """One thing that pods newly get."""

    path: str
    """Where it stands: `spec.template.spec.containers[0].envFrom[0].secretRef`."""
    what: str
    """`the network of its node`."""
    secret: str = ""
    """Name of the Secret of the same namespace that it is; it may be lent to actions."""


@dataclass(frozen=True)
class _Seen:
    """What a pod has. It is nothing new where the same was there before, or one of `within`, which hold it."""

    fact: _Fact
    gain: Gain
    within: tuple[_Fact, ...] = ()


def has_pods(found: Json) -> bool:
    return next(_pods(found), None) is not None


def gains(before: Json, after: Json, runner: str) -> tuple[Gain, ...]:
    """What pods newly get by the change. `before` may be empty: the object is new. Running as the runner is none."""
    known = {seen.fact for seen in _all_seen(before)} or {_HOST_USERS}
    known.add(("account", runner))
    return tuple(seen.gain for seen in _all_seen(after) if known.isdisjoint((seen.fact, *seen.within)))


def _all_seen(found: Json) -> Iterator[_Seen]:
    for pod, path in _pods(found):
        yield from _of_account(pod, path)
        yield from _of_namespaces(pod, path)
        yield from _inside(pod, path, pod)


def _pods(found: Json) -> Iterator[tuple[Json, str]]:
    for key, item in found.items():
        if key not in _NOT_SPEC:
            yield from _pods_in(item, key)


def _pods_in(value: Any, path: str) -> Iterator[tuple[Json, str]]:
    match value:
        case dict():
            if isinstance(value.get("containers"), list):
                yield value, path
            for key, item in value.items():
                yield from _pods_in(item, f"{path}.{key}")
        case list():
            for index, item in enumerate(value):
                yield from _pods_in(item, f"{path}[{index}]")


def _accounts(pod: Json) -> dict[str, str]:
    """The ServiceAccounts that it runs as, with the field that says so."""
    fields = ("serviceAccountName", "serviceAccount")
    return {str(pod[field]): field for field in reversed(fields) if pod.get(field)} or {_DEFAULT_ACCOUNT: fields[0]}


def _of_account(pod: Json, path: str) -> Iterator[_Seen]:
    automount = pod.get("automountServiceAccountToken")
    for account, field in _accounts(pod).items():
        yield _Seen(("account", account), Gain(f"{path}.{field}", f"ServiceAccount {account}"))
        if automount is not False:
            gain = Gain(
                f"{path}.automountServiceAccountToken", f"the token of ServiceAccount {account}, unless it is false"
            )
            asked = ("token asked for", account)
            # Where nothing is said the account itself may say that there is none.
            yield _Seen(asked, gain) if automount else _Seen(("token", account), gain, within=(asked,))


def _of_namespaces(pod: Json, path: str) -> Iterator[_Seen]:
    for field, what in _NAMESPACES.items():
        if pod.get(field) is True:
            yield _Seen((field,), Gain(f"{path}.{field}", what))
    if pod.get("hostUsers") is not False:
        yield _Seen(_HOST_USERS, Gain(f"{path}.hostUsers", "the users of its node, unless it is false"))


def _inside(value: Any, path: str, pod: Json) -> Iterator[_Seen]:
    """What stands anywhere in a pod: the many kinds of volumes and references have these words in common."""
    match value:
        case dict():
            for key, item in value.items():
                inner = f"{path}.{key}"
                yield from _field(key, item, inner, pod)
                yield from _inside(item, inner, pod)
        case list():
            for index, item in enumerate(value):
                yield from _inside(item, f"{path}[{index}]", pod)


def _field(key: str, item: Any, path: str, pod: Json) -> Iterator[_Seen]:
    yield from _of_secrets(key, item, path)
    match key, item:
        case "hostPath", {"path": str(place)}:
            yield _Seen(("hostPath", place), Gain(path, f"{place} of its node"))
        case "hostPort", int() if item:
            yield _Seen(("hostPort", str(item)), Gain(path, f"port {item} of its node"), within=(_HOST_NETWORK,))
        case "hostProcess", True:
            yield _Seen(("hostProcess",), Gain(path, "all of its node"))
        case "securityContext", dict():
            yield from _privileges(item, path)
        case "serviceAccountToken", dict():
            for account in _accounts(pod):
                yield _Seen(("token asked for", account), Gain(path, f"a token of ServiceAccount {account}"))
        case "podCertificate", dict():
            yield _Seen(("certificate", str(item.get("signerName"))), Gain(path, "a certificate of its own"))


def _of_secrets(key: str, item: Any, path: str) -> Iterator[_Seen]:
    """References to Secrets of one of the forms that there are."""
    match key, item:
        case "secretKeyRef", {"name": str(name)}:
            yield from _secret(item, name, path, (str(item.get("key")),))
        case "secret", {"secretName": str(name)} | {"name": str(name)}:
            yield from _secret(item, name, path, _keys_of(item))
        case "secretRef", {"name": str(name)} if ".envFrom[" in path:
            yield from _secret(item, name, path, ())
        case _, {"name": str(name)} if key.lower().endswith("secretref"):
            yield from _login(item, name, path)
        case "imagePullSecrets", list():
            for index, one in enumerate(item):
                if isinstance(one, dict) and one.get("name"):
                    yield from _login(one, str(one["name"]), f"{path}[{index}]")
        case "secretName", str() if not path.endswith(".secret.secretName"):
            yield from _login({}, item, path)


def _keys_of(volume: Json) -> tuple[str, ...]:
    return tuple(str(one.get("key")) for one in volume.get("items") or () if isinstance(one, dict))


def _secret(reference: Json, name: str, path: str, keys: tuple[str, ...]) -> Iterator[_Seen]:
    """A Secret whose values containers can read; no keys: all of them."""
    whole = ("secret", name)
    if not keys:
        yield _Seen(whole, _gain_of_secret(reference, name, path, "Secret"))
    for key in keys:
        yield _Seen((*whole, key), _gain_of_secret(reference, name, path, f"key {key} of Secret"), within=(whole,))


def _login(reference: Json, name: str, path: str) -> Iterator[_Seen]:
    """A Secret that is used for the pod, but not given to its containers."""
    yield _Seen(("login", name), _gain_of_secret(reference, name, path, "Secret"), within=(("secret", name),))


def _gain_of_secret(reference: Json, name: str, path: str, what: str) -> Gain:
    """One of a namespace that is named cannot be looked up there, so it cannot be lent."""
    if namespace := reference.get("namespace"):
        return Gain(path, f"{what} {namespace}/{name}")
    return Gain(path, f"{what} {name}", secret=name)


def _privileges(context: Json, path: str) -> Iterator[_Seen]:
    if context.get("privileged") is True:
        yield _Seen(("privileged",), Gain(f"{path}.privileged", "all of its node"))
    mount = context.get("procMount")
    if mount not in (None, "Default"):
        yield _Seen(("procMount", str(mount)), Gain(f"{path}.procMount", "/proc without its masks"))
    capabilities = context.get("capabilities")
    added = capabilities.get("add") if isinstance(capabilities, dict) else None
    for index, name in enumerate(added if isinstance(added, list) else ()):
        capability = str(name).upper().removeprefix("CAP_")
        gain = Gain(f"{path}.capabilities.add[{index}]", f"capability {capability}")
        yield _Seen(("capability", capability), gain, within=(_ALL_CAPABILITIES,))
