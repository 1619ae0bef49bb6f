"""The table of metrics for the documentation, made from the code that has them."""

from controller.runtime.metrics import PREFIX, Metrics
from controller.runtime.standing import FAMILIES


def metric_table() -> str:
    """Name, type, labels, meaning of every metric of ours."""
    lines = ["| metric | type | labels | meaning |", "| --- | --- | --- | --- |"]
    for family in (*Metrics().families, *FAMILIES):
        labels = ", ".join(f"`{label}`" for label in family.labels)
        lines.append(f"| `{PREFIX}{family.name}` | {family.type} | {labels} | {family.meaning} |")
    return "\n".join(lines) + "\n"
