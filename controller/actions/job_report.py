"""The termination message of a Job's container as an output, where a proposal asks for it (`report`).

The container may write the values of its Secrets into it. So they are read as the runner first, and the attempt's
redactor hides them; a message is withheld where it cannot be known that the values are those that the container got.
For that the versions of the Secrets are kept with the Job: read before the Job is made, and once more after its end.
"""

from controller.actions.base import cut
from controller.actions.job_manifest import CONTAINER, SECRETS_ANNOTATION
from controller.actions.job_parameters import RunJobParameters
from controller.actions.secrets import FromSecret, resolve, versions
from controller.core.errors import PermanentFailure
from controller.core.ports import Json, Request, Resource

PODS = Resource("", "v1", "pods", "Pod")
MAX_MESSAGE = 2048
_JOB_UID = "batch.kubernetes.io/controller-uid"


async def seen_secrets(request: Request[RunJobParameters]) -> str:
    """The versions to keep with the Job. Raises PermanentFailure where a value could not be hidden later."""
    named = _values(request.parameters)
    if not request.parameters.report or not named:
        return ""
    found = await versions(request, (ref.secret_key_ref.name for ref in named.values()))
    await resolve(request, named)
    return found


async def reported(request: Request[RunJobParameters], job: Json) -> tuple[Json, str]:
    """The outputs that the Job's end gives, and a sentence where there are none though they were asked for.

    Raises TransientFailure.
    """
    if not request.parameters.report:
        return {}, ""
    try:
        if not await _secrets_are_known(request, job):
            return {}, "Its message is withheld: a Secret that it uses was changed since it was made."
        message = await _message(request, job)
    except PermanentFailure as error:
        return {}, cut(f"Its message could not be read: {error}.")
    return ({"message": cut(message, MAX_MESSAGE)}, "") if message else ({}, "It left no message.")


async def _secrets_are_known(request: Request[RunJobParameters], job: Json) -> bool:
    """From here on the redactor hides the values that the container got; False: they may have been others."""
    named = _values(request.parameters)
    if not named:
        return True
    await resolve(request, named)
    now = await versions(request, (ref.secret_key_ref.name for ref in named.values()))
    return (job["metadata"].get("annotations") or {}).get(SECRETS_ANNOTATION) == now


async def _message(request: Request[RunJobParameters], job: Json) -> str:
    pods = await request.cluster.list(PODS, label_selector=f"{_JOB_UID}={job['metadata']['uid']}")
    for pod in pods:
        for status in (pod.get("status") or {}).get("containerStatuses") or ():
            if status["name"] == CONTAINER:
                ended = (status.get("state") or {}).get("terminated") or {}
                return str(ended.get("message") or "")
    return ""


def _values(parameters: RunJobParameters) -> dict[str, FromSecret]:
    return {f"parameters.secretEnv.{name}": ref for name, ref in parameters.secret_env.items()}
