"""How often an operator stumbled over itself, as its metrics say."""

from controller.runtime.metrics import Metrics


def internal_faults(metrics: Metrics) -> float:
    """Faults of the operator's own, of all kinds."""
    samples = (sample for metric in metrics.faults.collect() for sample in metric.samples)
    return sum(sample.value for sample in samples if sample.name.endswith("_total"))
