"""The oracle itself: each rule that kstatus publishes, with the object that shows it."""

from typing import Any

import pytest
from harness.kstatus import kstatus


def of(*conditions: tuple[str, str], observed: int | None = 1, **metadata: Any) -> dict[str, Any]:
    status: dict[str, Any] = {"conditions": [{"type": kind, "status": status} for kind, status in conditions]}
    if observed is not None:
        status["observedGeneration"] = observed
    return {"metadata": {"generation": 1, **metadata}, "status": status}


@pytest.mark.parametrize(
    ("found", "status"),
    [
        pytest.param(of(("Stalled", "True"), deletionTimestamp="2026-12-01T00:00:00Z"), "Terminating", id="deleted"),
        pytest.param(of(("Stalled", "True"), observed=0), "InProgress", id="older generation"),
        pytest.param(of(("Ready", "True"), observed=-1), "InProgress", id="not seen yet"),
        pytest.param(of(("Ready", "True"), observed=None), "Current", id="generation not told"),
        pytest.param({"metadata": {"generation": 1}}, "Current", id="no status at all"),
        pytest.param(of(), "Current", id="no conditions: nothing unusual"),
        pytest.param(of(("Reconciling", "True"), ("Ready", "True")), "InProgress", id="reconciling before ready"),
        pytest.param(of(("Ready", "True"), ("Stalled", "True")), "Failed", id="stalled before ready"),
        pytest.param(of(("Stalled", "True"), ("Reconciling", "True")), "Failed", id="the first one counts"),
        pytest.param(of(("Reconciling", "True"), ("Stalled", "True")), "InProgress", id="the other way round"),
        pytest.param(of(("Reconciling", "False"), ("Stalled", "False")), "Current", id="false says nothing"),
        pytest.param(of(("Ready", "False")), "InProgress", id="not ready may still become so"),
        pytest.param(of(("Ready", "Unknown")), "InProgress", id="nobody knows"),
        pytest.param(of(("Validated", "False")), "Current", id="conditions of our own say nothing"),
    ],
)
def test_each_rule(found: dict[str, Any], status: str) -> None:
    assert kstatus(found) == status
