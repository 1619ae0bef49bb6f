"""What a person may answer to a question (type `ask`), and what was answered. Pure.

An answer is a vote that says more than yes: it counts like an approval, if it fits the schema of the question. All
votes that count give the same answer, so that there is one however many are asked for.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from controller.api.approval import Vote as Choice
from controller.api.common import Vote
from controller.core.digest import canonical
from controller.core.parameters import ParameterSchema
from controller.core.ports import Answer, Json
from controller.core.secret_parameters import SECRET

MAX_ANSWER_BYTES = 2048
MAX_TEXT = 1024
_PATH = "spec.parameters.properties.answer"


class Question:
    """The answers that are asked for, made ready once."""

    def __init__(self, schema: Json | None = None, options: Iterable[str] = ()) -> None:
        """`options`: one of these texts. With neither, any text."""
        allowed = list(options)
        self.schema: Json = schema or {"type": "string", **({"enum": allowed} if allowed else _ANY_TEXT)}
        self._checked = ParameterSchema(
            {
                "type": "object",
                "required": ["answer"],
                "properties": {"answer": self.schema},
                "additionalProperties": False,
            }
        )

    @property
    def schema_fault(self) -> str | None:
        """What is wrong with the schema, with the path in it."""
        if secret := next(_secrets(self.schema, "schema"), None):
            return f"{secret}: an answer is written to status, where many can read it; ask for the name of a Secret"
        fault = self._checked.fault
        return fault.replace(_PATH, "schema") if fault else None

    def fault(self, answer: Any) -> str | None:
        """Why it does not fit: `answer: must be one of eu, us (got mars)`."""
        if answer is None:
            return "it has no answer"
        faults = self._checked.faults({"answer": answer}, "spec")
        if not faults and len(canonical(answer)) > MAX_ANSWER_BYTES:
            faults = [f"spec.answer: must be at most {MAX_ANSWER_BYTES} bytes as JSON"]
        return "; ".join(faults) if faults else None


_ANY_TEXT = {"minLength": 1, "maxLength": MAX_TEXT}


def question_of(parameters: Json) -> Question:
    """The question that the parameters of an `ask` put."""
    schema, options = parameters.get("schema"), parameters.get("options")
    return Question(schema if isinstance(schema, dict) else None, options if isinstance(options, list) else ())


def answer_given(votes: Iterable[Vote]) -> Answer | None:
    """What was answered, by the votes that were counted; all that count agree."""
    for vote in votes:
        if vote.decision == Choice.APPROVE.value and vote.answer is not None:
            return Answer(vote.answer, vote.username)
    return None


def same_answer(one: Any, other: Any) -> bool:
    """Equal as JSON: unlike in Python, true is not 1."""
    return canonical(one) == canonical(other)


def _secrets(schema: Any, path: str) -> Iterator[str]:
    match schema:
        case dict():
            if schema.get(SECRET) is True:
                yield f"{path}.{SECRET}"
            for name, item in schema.items():
                yield from _secrets(item, f"{path}.{name}")
        case list():
            for index, item in enumerate(schema):
                yield from _secrets(item, f"{path}[{index}]")
