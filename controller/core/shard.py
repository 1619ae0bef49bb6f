"""Which share of the objects a process works on: those that its selector over one label fits.

What a workflow or a schedule makes carries the label of what made it, so that one process sees the whole of it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

SHARD_LABEL = "actionoperator.dev/shard"

_VALUE = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?"
_FORMS = re.compile(
    rf"{SHARD_LABEL}\s*(?:(?P<is>==?|!=)\s*(?P<value>{_VALUE})|\s(?P<in>in|notin)\s*\((?P<values>[^()]*)\))"
    rf"|(?P<lacks>!)?{SHARD_LABEL}"
)


@dataclass(frozen=True)
class Shard:
    """The objects whose label has one of the values, or with `others` any other one; with `unlabelled`, those without.

    By itself: everything. `selector`: the same as the API server reads it, empty for everything.
    """

    selector: str = ""
    values: frozenset[str] = frozenset()
    others: bool = True
    unlabelled: bool = True

    @classmethod
    def parse(cls, text: str) -> Self:
        """A label selector over `SHARD_LABEL` alone. Raises ValueError."""
        text = text.strip()
        found = _FORMS.fullmatch(text)
        named = (found["value"] or found["values"]) if found else None
        values = frozenset(() if named is None else (value.strip() for value in named.split(",")))
        if found is None or not all(re.fullmatch(_VALUE, value) for value in values):
            raise ValueError(
                f"a selector of shards is about the label {SHARD_LABEL} alone, for what an object makes carries no "
                f"other: `{SHARD_LABEL}=a`, `{SHARD_LABEL} in (a,b)`, `{SHARD_LABEL} notin (a,b)`, `{SHARD_LABEL}` "
                f"or `!{SHARD_LABEL}` (got `{text}`)"
            )
        if named is None:
            return cls(text, others=not found["lacks"], unlabelled=bool(found["lacks"]))
        but = found["in"] == "notin" or found["is"] == "!="
        return cls(text, values, others=but, unlabelled=but)

    def fits(self, labels: Mapping[str, str] | None) -> bool:
        """Whether an object with these labels is in this share."""
        value = (labels or {}).get(SHARD_LABEL)
        return self.unlabelled if value is None else (value in self.values) != self.others


EVERYTHING = Shard()


def shard_of(labels: Mapping[str, str] | None) -> dict[str, str]:
    """The labels by which what an object makes is in the same shard as itself."""
    return {name: value for name, value in (labels or {}).items() if name == SHARD_LABEL}
