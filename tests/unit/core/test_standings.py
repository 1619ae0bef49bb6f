"""How rules of time and amount stand at a moment, as people are told."""

from typing import Any

import pytest
from unit.core.making import NOW, after, policy

from controller.api.base import rfc3339
from controller.api.policy import PolicyStatus
from controller.core.standings import standing


def freeze(start: float, end: float) -> Any:
    return {"start": rfc3339(after(start)), "end": rfc3339(after(end)), "reason": "x"}


def window(start: str, end: str, zone: str = "UTC") -> Any:
    return {"start": start, "end": end, "timeZone": zone}


BREAKER = {"limits": {"maxConsecutiveFailures": 2, "breakerResetSeconds": 60}}
HOUR = {"limits": {"maxPerHour": 3}}


@pytest.mark.parametrize(
    ("field", "spec", "status", "told"),
    [
        ("windows", {"windows": [window("15:00", "16:00")]}, {}, "open now, closes at 2026-11-22 16:00:00 UTC"),
        ("windows", {"windows": [window("17:00", "18:00")]}, {}, "closed now, opens at 2026-11-22 17:00:00 UTC"),
        ("windows", {"windows": [window("17:00", "18:00", "Mars/Base")]}, {}, "closed, and never opens"),
        ("windows", {"windows": [window("00:00", "00:00")]}, {}, "open now"),
        ("freezes", {"freezes": [freeze(-60, 60), freeze(-60, 95)]}, {}, "on now, until 2026-11-22 15:05:40 UTC"),
        ("freezes", {"freezes": [freeze(-60, -50), freeze(55, 60)]}, {}, "not on now, from 2026-11-22 15:05:00 UTC"),
        ("freezes", {"freezes": [freeze(-60, 0)]}, {}, "over"),
        ("limits.maxPerHour", HOUR, {}, "0 counted now"),
        (
            "limits.maxPerHour", HOUR, {"buckets": [{"start": "2026-11-22T14:30:00Z", "count": 3}]},
            "3 counted now, none free until 2026-11-22 15:31:00 UTC",
        ),
        ("limits.maxPerHour", HOUR, {"buckets": [{"start": "2026-11-22T14:00:00Z", "count": 3}]}, "0 counted now"),
        ("limits.maxConsecutiveFailures", BREAKER, {}, "closed, 0 in a row now"),
        ("limits.maxConsecutiveFailures", BREAKER, {"breaker": {"failures": 1}}, "closed, 1 in a row now"),
        (
            "limits.maxConsecutiveFailures", BREAKER, {"breaker": {"failures": 2, "openedAt": rfc3339(NOW)}},
            "open, 2 in a row: one may try at 2026-11-22 15:05:05 UTC",
        ),
        (
            "limits.maxConsecutiveFailures", BREAKER, {"breaker": {"failures": 2, "openedAt": rfc3339(after(-60))}},
            "open, 2 in a row: one action at a time is let through to try",
        ),
        ("limits.maxConcurrent", {"limits": {"maxConcurrent": 3}}, {}, ""),
        ("mode", {"mode": "Execute"}, {}, ""),
    ],
)  # fmt: skip
def test_it_is_told_as_of_now(field: str, spec: Any, status: Any, told: str) -> None:
    stated = policy(spec).model_copy(update={"status": PolicyStatus.model_validate(status)})
    assert standing(stated, field, NOW) == told
