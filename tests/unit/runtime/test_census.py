"""The count of live objects by phase, kept while they change, is what counting them would give."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from controller.api.names import Phase
from controller.core.ports import Json
from controller.runtime.census import NO_PHASE
from controller.runtime.store import Key, Store

NAMES = st.sampled_from("abcd")
PUTS = st.tuples(
    st.just("put"), st.sampled_from(["actionproposals", "actionworkflows", "actionschedules"]), NAMES,
    st.sampled_from([None, *Phase]), st.integers(0, 59),
)  # fmt: skip
DROPS = st.tuples(st.sampled_from(["remove", "finish"]), st.just("actionproposals"), NAMES, st.none(), st.just(0))


def stored(name: str, version: int, phase: str | None, second: int) -> Json:
    at = f"2026-01-01T00:00:{second:02}Z"
    status = {"phase": phase, "history": [{"at": "2025-01-01T00:00:00Z"}, {"at": at}]} if phase else {}
    metadata = {"name": name, "namespace": "n", "uid": "1", "resourceVersion": str(version), "creationTimestamp": at}
    return {"metadata": metadata, "spec": {}, "status": status}


@given(st.lists(PUTS | DROPS, max_size=30))
def test_it_is_what_counting_would_give(steps: list[tuple[str, str, str, str | None, int]]) -> None:
    store, version = Store(), 1
    for what, plural, name, phase, second in steps:
        version += 1
        raw, key = stored(name, version, phase, second), Key(plural, "n", name)
        if what == "put":
            store.put(plural, raw)
        elif what == "remove":
            store.remove(key)
        else:
            store.finish(key, raw)
    plurals = ("actionproposals", "actionworkflows", "actionschedules")
    wanted = Counter(
        (plural, NO_PHASE if plural == "actionschedules" else raw["status"].get("phase") or "Pending")
        for plural in plurals
        for raw in store.all(plural)
    )
    counted = list(store.census.counted())
    assert {(found.plural, found.phase): found.objects for found in counted if found.objects} == wanted
    for found in counted:
        seconds = [
            int(raw["metadata"]["creationTimestamp"][17:19])
            for raw in store.all(found.plural)
            if found.plural == "actionschedules" or (raw["status"].get("phase") or "Pending") == found.phase
        ]
        if seconds:
            assert found.oldest % 60 == min(seconds)
