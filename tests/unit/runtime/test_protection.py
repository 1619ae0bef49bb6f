"""A protected target waits until nothing protects it any more."""

from unit.runtime.limited import Limited, played


def test_a_protected_target_is_not_touched_until_its_label_is_gone() -> None:
    async def play(limited: Limited) -> None:
        limited.played.labels = {"critical": "true", "app": "web"}
        limited.propose("one")
        await limited.go()
        assert limited.blocked("one") == ("careful", "protect.labels")
        limited.api.requests.clear()
        await limited.sleep(310)
        assert limited.writes() == 0
        limited.played.labels = {"app": "web"}
        await limited.sleep(310)
        assert limited.making == {"one"}

    played({}, play, protect={"labels": {"critical": "true"}})
