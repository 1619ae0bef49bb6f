"""Keys of labels and annotations: what is one, and which belong to others than users. Pure."""

import re
from collections.abc import Iterable

from controller.api.base import GROUP

LABEL_VALUE = r"^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$"
_NAME = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)")
_PREFIX = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
# What keys of these domains mean is up to others: some lift the node's protection of the pod, some name networks of
# other namespaces.
_RESERVED = ("kubernetes.io", "k8s.io", "cni.cncf.io")
_COMMON = frozenset({"app.kubernetes.io", "cluster-autoscaler.kubernetes.io"})  # meant for users
_OF_JOBS = frozenset({"job-name", "controller-uid"})


def check_keys(keys: Iterable[str]) -> None:
    """Raises ValueError for what is no key."""
    for key in keys:
        prefix, slash, name = key.rpartition("/")
        if not _NAME.fullmatch(name) or (slash and not _PREFIX.fullmatch(prefix)):
            raise ValueError(f"{key!r} is not a valid key")


def check_free(keys: Iterable[str]) -> None:
    """Raises ValueError for a key that is reserved."""
    for key in keys:
        if owner := _reserved_for(key):
            raise ValueError(f"{key} is reserved for {owner}; leave it out, or give it a prefix of your own")


def _reserved_for(key: str) -> str | None:
    prefix = key.rpartition("/")[0]
    if prefix == GROUP:
        return "the operator"
    reserved = any(_within(prefix, domain) for domain in _RESERVED) and prefix not in _COMMON
    return "Kubernetes" if reserved or key in _OF_JOBS else None


def _within(prefix: str, domain: str) -> bool:
    return f".{prefix}".endswith(f".{domain}")
