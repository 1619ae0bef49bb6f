"""Hypothesis without deadlines; `--hypothesis-profile=long`: the laws by many more random lives."""

from hypothesis import HealthCheck, settings

settings.register_profile("quick", deadline=None)  # a busy machine is no fault
settings.load_profile("quick")
settings.register_profile(
    "long", max_examples=500, stateful_step_count=60, print_blob=True, deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip
