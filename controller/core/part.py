"""Which part of its workflow a proposal plays, as the operator labelled it; nobody else may set that label."""

from enum import StrEnum

from controller.api.common import ObjectMeta

PART_LABEL = "actionoperator.dev/part"


class Part(StrEnum):
    STEP = "step"
    UNDO = "undo"
    """Takes a step back."""
    FINALLY = "finally"
    """Runs at the end, whatever became of the steps."""

    @property
    def mends(self) -> bool:
        """Whether it puts things in order after what happened: then neither the end of the workflow's time nor its
        cancellation stops it, and no window, freeze or limit holds it back. Halt and protection do.
        """
        return self is not Part.STEP


def part_of(metadata: ObjectMeta) -> Part:
    """Only for what is a step of a workflow."""
    try:
        return Part(metadata.labels.get(PART_LABEL, Part.STEP))
    except ValueError:
        return Part.STEP
