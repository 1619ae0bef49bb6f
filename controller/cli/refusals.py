"""What goes wrong, in one line: what, where, what to do; and the exit code that goes with it."""

from controller.cli.exits import Exit
from controller.client.errors import NotFinished, NothingToUndo, ObserveOnlyError
from controller.core.errors import ActionError, NotFound, Repeatable, RightMissing
from controller.kube.answers import UNAUTHORIZED

NOT_INSTALLED = (
    "the API server does not know actionoperator.dev/v1alpha1: apply crds/ first "
    "(kubectl apply --server-side -f crds/), or name another cluster with --context"
)
_CHECK_CONNECTION = "is the cluster up, and is the context the right one (kubectl config current-context)?"
_LOG_IN = "log in again as your cluster asks for it, or name another context with --context"
_NO_SUCH_PATH = "page not found"


class Refused(Exception):
    """A command cannot do what was asked. `str()` is the line for people."""

    def __init__(self, message: str, code: Exit = Exit.ERROR) -> None:
        super().__init__(message)
        self.code = code


EXPECTED = (Refused, ActionError, NotFinished, ObserveOnlyError, NothingToUndo, ValueError)
"""What is told in a line. Anything else is a fault of this program and keeps its traceback."""


def told(error: BaseException) -> tuple[str, Exit]:
    """The line, and the exit code."""
    text = str(error)
    match error:
        case Refused():
            return text, error.code
        case NotFinished():
            return text, Exit.TIMEOUT
        case NotFound() if _NO_SUCH_PATH in text:
            return NOT_INSTALLED, Exit.NOT_FOUND
        case NotFound():
            return text, Exit.NOT_FOUND
        case RightMissing():
            return text, Exit.FORBIDDEN
        case Repeatable() if "no connection" in text or "no answer" in text or "connection broke" in text:
            return f"{text}; {_CHECK_CONNECTION}", Exit.UNREACHABLE
        case Repeatable() if UNAUTHORIZED in text:
            return f"{text}; {_LOG_IN}", Exit.ERROR
        case _:
            return text, Exit.ERROR
