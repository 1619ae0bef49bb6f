"""The Event that a record becomes."""

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.core.ports import Target
from controller.core.record import EventRecord, EventSubject
from controller.kube.events import cut_utf8, event, event_name

SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
UID = "6fdca2ae-9d1c-4a29-b6a4-0b6a7e6a2f10"


def record(name: str = "scale-checkout", namespace: str | None = "shop", **changes: object) -> EventRecord:
    subject = EventSubject("actionoperator.dev/v1alpha1", "ActionProposal", name, namespace, UID)
    fields: dict[str, object] = {
        "subject": subject,
        "related": Target("apps/v1", "Deployment", "checkout", "shop", "u2"),
        "action": "scale-workload",
        "reason": "RetryScheduled",
        "n": 4,
        "at": datetime(2026, 11, 22, 15, 4, 5, tzinfo=UTC),
        "note": "waits",
        "warning": True,
    }
    return EventRecord(**(fields | changes))  # type: ignore[arg-type]


def test_all_fields() -> None:
    assert event(record()) == {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": "scale-checkout.6fdca2ae.4.retryscheduled", "namespace": "shop"},
        "eventTime": "2026-11-22T15:04:05.000000+00:00",
        "type": "Warning",
        "reason": "RetryScheduled",
        "action": "scale-workload",
        "note": "waits",
        "reportingController": "actionoperator.dev/operator",
        "reportingInstance": "action-operator",
        "regarding": {
            "apiVersion": "actionoperator.dev/v1alpha1",
            "kind": "ActionProposal",
            "namespace": "shop",
            "name": "scale-checkout",
            "uid": UID,
        },
        "related": {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "namespace": "shop",
            "name": "checkout",
            "uid": "u2",
        },
    }


def test_events_of_cluster_scoped_objects_live_in_default() -> None:
    found = event(record(namespace=None, related=None))
    assert found["metadata"]["namespace"] == "default"
    assert "namespace" not in found["regarding"]
    assert "related" not in found


def test_one_transition_has_one_name() -> None:
    assert event_name(record()) == event_name(record(note="other", action="other"))
    assert len({event_name(record(n=n, reason=reason)) for n in (1, 2) for reason in ("Executing", "Completed")}) == 4


LABELS = st.text("az09-", min_size=1, max_size=63).map(lambda text: f"a{text}z")


@given(st.lists(LABELS, min_size=1, max_size=12).map(".".join).map(lambda name: name[:253].rstrip(".-")))
def test_names_are_dns_subdomains(name: str) -> None:
    made = event_name(record(name))
    assert len(made) <= 253
    assert SUBDOMAIN.fullmatch(made)
    assert made.endswith(".6fdca2ae.4.retryscheduled")


@pytest.mark.parametrize("name", ["a" * 253, "a" * 226 + "-" * 20 + "b", "a." * 120 + "a"])
def test_long_names_are_cut_clean(name: str) -> None:
    made = event_name(record(name))
    assert len(made) <= 253
    assert SUBDOMAIN.fullmatch(made)


@given(st.text(max_size=400), st.integers(3, 50))
def test_notes_are_cut_between_characters(text: str, limit: int) -> None:
    cut = cut_utf8(text, limit)
    assert len(cut.encode()) <= limit
    if len(text.encode()) <= limit:
        assert cut == text
    else:
        assert cut.endswith("\u2026")
        assert text.startswith(cut[:-1])
