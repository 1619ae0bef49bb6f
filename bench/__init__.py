"""Measures the operator against what bounds it, in one run on one machine. See docs/benchmarks.md."""
