"""Quantities of resources as the API server writes them: `500m` and `0.5` are the same. Pure.

Source of the suffixes: k8s.io/apimachinery, `resource.Quantity`.
"""

import re
from collections.abc import Mapping
from decimal import Decimal

_SUFFIXES = {
    "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "": Decimal(1),
    "k": Decimal(10**3), "M": Decimal(10**6), "G": Decimal(10**9),
    "T": Decimal(10**12), "P": Decimal(10**15), "E": Decimal(10**18),
    "Ki": Decimal(2**10), "Mi": Decimal(2**20), "Gi": Decimal(2**30),
    "Ti": Decimal(2**40), "Pi": Decimal(2**50), "Ei": Decimal(2**60),
}  # fmt: skip
_QUANTITY = re.compile(r"([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)([numkMGTPE]?i?)")


def amount(quantity: str) -> Decimal:
    """Its value. Raises ValueError for what is none."""
    found = _QUANTITY.fullmatch(quantity)
    if not found or found[2] not in _SUFFIXES:
        raise ValueError(f"{quantity!r} is no quantity")
    return Decimal(found[1]) * _SUFFIXES[found[2]]


def same(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """Whether both say the same of every resource."""
    return one.keys() == other.keys() and all(amount(one[name]) == amount(other[name]) for name in one)
