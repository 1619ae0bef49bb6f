"""P15: how long nobody leads: the leader ends in good order, or is killed, and another that stood by takes over."""

import signal
import time
from statistics import median

from bench.lab import Lab
from bench.report import Result

NAMESPACE = "takeover"
LEASE_SECONDS = 15
CLEAN_SECONDS = 2.0
MARGIN_SECONDS = 2.0


async def measure(lab: Lab, *, rounds: int) -> list[Result]:
    """Two operators with the default Lease, each time new ones."""
    await lab.namespace(NAMESPACE)
    ended = [await _taken_over(lab, signal.SIGTERM, number) for number in range(rounds)]
    killed = [await _taken_over(lab, signal.SIGKILL, number) for number in range(rounds)]
    most = LEASE_SECONDS + MARGIN_SECONDS
    return [
        Result(
            "P15", "fail-over: from the leader's end until another leads; from kill -9",
            f"< {CLEAN_SECONDS:g} s; < {most:g} s (lease + {MARGIN_SECONDS:g})",
            f"{median(ended):.2f} s; {median(killed):.1f} s",
            max(ended) < CLEAN_SECONDS and max(killed) < most,
            f"{rounds} rounds each, at most {max(ended):.2f} s and {max(killed):.1f} s; lease of {LEASE_SECONDS} s; "
            "the first from SIGTERM on, nothing under way",
        )
    ]  # fmt: skip


async def _taken_over(lab: Lab, how: signal.Signals, number: int) -> float:
    """Seconds."""
    names = (f"{how.name.lower()}-{number}-{which}" for which in ("first", "second"))
    first, second = (lab.operator(NAMESPACE, "--identity", name) for name in names)
    with first:
        await first.wait_until_ready()
        with second:
            await second.calm()
            began = time.time()
            first.signal(how)
            await second.wait_until_ready()
            return second.ready_at - began
