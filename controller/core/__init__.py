"""Decisions: data in, data out. No clock, no randomness, no I/O, no kopf."""
