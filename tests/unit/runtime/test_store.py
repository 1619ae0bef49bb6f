"""The store of live objects: the newer one wins, and what is kept is small and whole."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from controller.core.ports import Json
from controller.runtime.store import Key, Store

KEY = Key("actionproposals", "shop", "a")


def raw(version: int, uid: str = "1", **more: Any) -> Json:
    metadata = {"name": "a", "namespace": "shop", "uid": uid, "resourceVersion": str(version)}
    return {"metadata": metadata, "spec": {"reason": "größer"}, **more}


def test_the_newer_one_wins() -> None:
    store = Store()
    assert store.put(KEY.plural, raw(9)) == KEY
    assert store.put(KEY.plural, raw(9)) is None
    assert store.put(KEY.plural, raw(8)) is None
    assert store.put(KEY.plural, raw(10)) == KEY, "versions are numbers: 10 is more than 9"
    assert store.version(KEY) == ("1", 10)


def test_a_new_object_of_the_same_name_replaces_the_old_one() -> None:
    store = Store()
    store.put(KEY.plural, raw(9))
    assert store.put(KEY.plural, raw(12, uid="2")) == KEY
    assert store.version(KEY) == ("2", 12)


def test_late_news_of_a_predecessor_does_not_replace_the_new_object() -> None:
    store = Store()
    store.put(KEY.plural, raw(12, uid="2"))
    assert store.put(KEY.plural, raw(11, uid="1")) is None
    assert store.version(KEY) == ("2", 12)


def test_what_is_kept_is_a_copy_without_managed_fields() -> None:
    store = Store()
    given_object = raw(1)
    given_object["metadata"]["managedFields"] = [{"manager": "x"}] * 100
    store.put(KEY.plural, given_object)
    kept = store.get(KEY)
    assert kept == raw(1)
    assert "managedFields" in given_object["metadata"], "what was given is left alone"
    kept["spec"]["reason"] = "changed"
    assert store.get(KEY) == raw(1)
    assert isinstance(store._objects[KEY.plural][KEY].data, bytes), "ten thousand waiting objects cost their bytes only"


def test_what_is_removed_is_told_once() -> None:
    store = Store()
    store.put(KEY.plural, raw(1))
    assert store.remove(KEY) == raw(1)
    assert store.remove(KEY) is None
    assert store.get(KEY) is None
    assert store.version(KEY) is None


def test_kinds_are_kept_apart() -> None:
    store = Store()
    store.put(KEY.plural, raw(1))
    store.put("actionworkflows", raw(2))
    assert store.keys(KEY.plural) == [KEY]
    assert (store.count(KEY.plural), store.count("actionworkflows"), store.count("others")) == (1, 1, 0)
    assert [*store.all(KEY.plural)] == [raw(1)]
    assert [*store.all("others")] == []


@given(st.permutations(range(1, 8)))
def test_in_whatever_order_news_come_the_newest_stays(versions: list[int]) -> None:
    store = Store()
    for version in versions:
        news = store.put(KEY.plural, raw(version))
        assert (news is not None) is (version == max(versions[: versions.index(version) + 1]))
    assert store.version(KEY) == ("1", 7)
