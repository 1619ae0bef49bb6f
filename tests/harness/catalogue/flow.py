"""Cases of the types that change nothing but the proposal itself."""

from unittest.mock import ANY

from harness.catalogue.answering import who_asks_is_proven
from harness.catalogue.case import Case, Scene
from harness.stage import deployment


def is_logged(scene: Scene) -> bool:
    return f"told by {scene.name}" in scene.log()


CASES = (
    Case(
        "wait",
        outputs={"until": ANY},
        bad={"seconds": 0, "minutes": 1},
        faults=("parameters.seconds: must be at least 1", "parameters.minutes"),
        effects=0,
    ),
    Case(
        "log-message",
        parameters=lambda scene: {"message": f"told by {scene.name}"},
        look=is_logged,
        before=False,
        after=True,
        bad={"message": "", "level": "Loud"},
        faults=("parameters.message", "parameters.level: must be one of"),
        effects=0,
    ),
    Case(
        "assert",
        objects=lambda name: (deployment(name, 1),),
        conditional=True,
        bad={"expression": "object.status.readyReplicas =="},
        faults=("parameters.expression: line 1",),
        effects=0,
    ),
    Case(
        "ask",
        prepare=who_asks_is_proven,
        answer="eu",
        outputs={"answer": "eu", "by": "alice"},
        bad={"question": "", "options": [7]},
        faults=(
            "parameters.question: must have at least 1 characters",
            "parameters.options[0]: must be of type string",
        ),
        effects=0,
    ),
)
