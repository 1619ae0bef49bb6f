"""Measures the operator against what bounds it, in one run on one machine. `python -m bench --help`; docs/benchmarks.md."""
