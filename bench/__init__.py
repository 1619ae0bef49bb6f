"""Measures the operator against what bounds it, in one run on one machine (docs/benchmarks.md)."""
