"""What kopf is told about patience."""

from itertools import islice

import kopf

from controller.core.shard import EVERYTHING
from controller.operator.watching import LONGEST_PAUSE_SECONDS, configure_watching


def test_kopf_tries_for_as_long_as_it_takes_and_never_waits_long() -> None:
    settings = kopf.OperatorSettings()
    configure_watching(settings, EVERYTHING)
    pauses = settings.networking.error_backoffs
    assert not isinstance(pauses, float | int)
    first = list(islice(pauses, 10_000))
    assert len(first) == 10_000
    assert max(first) == LONGEST_PAUSE_SECONDS <= 10
    assert list(islice(pauses, 3)) == first[:3], "each request begins anew"
