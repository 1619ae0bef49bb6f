"""Whether the API server itself proves who asks and who votes: the shipped admission policies, as they are stored.

The policies are files of config/admission; controller/core/admission.py, generated from them, has the digest of each
spec. Pure: what is stored was read before (controller/kube/admission.py), with the defaults that the API server sets,
all of which the files write out.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from controller.api.base import OPERATOR
from controller.core.admission import SHIPPED
from controller.core.digest import sha256
from controller.core.ports import Json

PART_OF = "app.kubernetes.io/part-of"
FOLDER = "config/admission"
MOST_TOLD = 3
"""So many faults are named: where all of them are missing, a line of log stays a line."""
OPTIONAL = frozenset({"MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding"})
"""Kinds that an API server need not serve (before 1.36): what they fill in is compared by the others all the same."""

Found = Mapping[str, Sequence[Json] | None]
"""Stored objects by kind, those with our label; None: the API server does not serve the kind."""
Digests = Mapping[str, Mapping[str, str]]
"""Digest of the spec by kind and name."""


@dataclass(frozen=True)
class Enforcement:
    """Since when all of it is as shipped; or what is not, and what to do."""

    since: datetime | None
    fault: str | None
    unreadable: bool = False
    """Whether the fault is only that we may not look."""

    def proves(self, at: datetime, grace_seconds: float) -> bool:
        """Whether the identities in an object made at `at`, by the API server's clock, are proven.

        A policy reaches all API servers some time after it is stored; until then objects are taken unchecked.
        """
        return self.fault is None and self.since is not None and (at - self.since).total_seconds() >= grace_seconds


def spec_digest(item: Json) -> str | None:
    """Digest of a stored object's spec. None: it has no canonical form, so it is none of ours."""
    try:
        return sha256(item.get("spec"))
    except ValueError:
        return None


def enforcement(
    found: Found, shipped: Digests = SHIPPED, digest_of: Callable[[Json], str | None] = spec_digest
) -> Enforcement:
    """Compares what is stored with what is shipped. `digest_of`: for those who remember what they worked out."""
    faults = list(_faults(found, shipped, digest_of))
    if faults:
        told = (
            faults if len(faults) <= MOST_TOLD else [*faults[:MOST_TOLD], f"{len(faults) - MOST_TOLD} more like these"]
        )
        return Enforcement(None, f"{'; '.join(told)}; apply {FOLDER} of this version")
    changes = [
        changed
        for kind, stored in found.items()
        for item in stored or ()
        if item["metadata"]["name"] in shipped.get(kind, ())
        for changed in _changes(item)
    ]
    return Enforcement(max(changes), None)


def _faults(found: Found, shipped: Digests, digest_of: Callable[[Json], str | None]) -> Iterator[str]:
    for kind, digests in shipped.items():
        stored = found.get(kind)
        if stored is None:
            if kind not in OPTIONAL:
                yield f"the API server serves no {kind}"
            continue
        by_name = {item["metadata"]["name"]: item for item in stored}
        for name, digest in digests.items():
            if name not in by_name:
                yield f"{kind} {name} is missing (or has lost its label {PART_OF}={OPERATOR})"
            elif digest_of(by_name[name]) != digest:
                yield f"{kind} {name} is not the shipped one"


def _changes(item: Json) -> Iterator[datetime]:
    """When it was made, and when its spec last changed as far as the API server tells (both by its own clock).

    The generation counts changes of the spec. Without any, those who manage the spec have only applied it again.
    """
    about = item["metadata"]
    yield datetime.fromisoformat(about["creationTimestamp"])
    if about.get("generation", 1) > 1:
        for entry in about.get("managedFields") or ():
            if "f:spec" in (entry.get("fieldsV1") or {}) and entry.get("time"):
                yield datetime.fromisoformat(entry["time"])
