"""assert: a check as a step. It changes nothing; it succeeds once an expression is true, and fails where it is not.

An expression that cannot be told proves neither: it is looked at again until its time is up, and then said to be so. No
message holds anything of what was read, for who reads the proposal need not be allowed to read the object.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from controller.actions.about import About, Family, Right
from controller.actions.any_object import ApiVersion, KindName
from controller.actions.base import Action, Parameters, cut
from controller.actions.objects import ObjectName
from controller.api.common import Check, HttpCheck, ResourceRef
from controller.api.names import Risk
from controller.core import nesting
from controller.core.checks import Answer, Named, Result, Seen, answer, response
from controller.core.checks import cut as short
from controller.core.credentials import checked_url
from controller.core.errors import CannotTell, EffectFailed, NotFound, PermanentFailure, Repeatable
from controller.core.expressions import MAX_LENGTH, ExpressionFault
from controller.core.kinds import kind_name
from controller.core.ports import Done, Operation, PreviewResult, Request, Target, Verified

GRACE = timedelta(seconds=5)
"""A server that gives no answer is asked again for this long, also where one look is all that was asked for."""


class AssertedObject(Parameters):
    api_version: ApiVersion
    """For example `apps/v1`."""
    kind: KindName
    """For example `Deployment`. Secrets are not read."""
    name: ObjectName
    """Name of the object, of the proposal's namespace if it is in one."""


class AssertedAnswer(Parameters):
    url: Annotated[str, Field(min_length=1, max_length=2048, pattern=r"^https?://[!-~]+$"), AfterValidator(checked_url)]
    """http or https address. A policy must allow its host."""


class AssertParameters(Parameters):
    resource: AssertedObject | None = None
    """The object that `object` stands for in the expression, read as the runner."""
    http: AssertedAnswer | None = None
    """The GET whose answer `status` and `json` stand for in the expression."""
    expression: Annotated[str, Field(min_length=1, max_length=MAX_LENGTH)]
    """CEL, must give a boolean: `object.status.readyReplicas == object.spec.replicas`."""
    timeout_seconds: Annotated[int, Field(ge=0, le=86_400)] = 0
    """How long it may take to become true, or to be told at all; without it, it is looked at once."""
    message: Annotated[str, Field(min_length=1, max_length=512)] | None = None
    """What to say where it is not true, for people."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.resource is None) == (self.http is None):
            raise ValueError("resource: give exactly one of resource, http")
        if self.resource and kind_name(self.resource.api_version, self.resource.kind) == "Secret":
            raise ValueError("resource.kind: Secrets are not read, for the answers could give their values away")
        try:
            self.named.expression  # noqa: B018  compiles it
        except ExpressionFault as error:
            raise ValueError(f"expression: {error}") from None
        return self

    @property
    def named(self) -> Named:
        """As the check that it is."""
        resource = ResourceRef.model_validate(self.resource.wire()) if self.resource else None
        http = HttpCheck.model_validate(self.http.wire()) if self.http else None
        return Named("expression", Check(resource=resource, http=http, expression=self.expression))


class Assert(Action[AssertParameters]):
    """To have asked is the effect; that it is true, the purpose. False is the end: it is not asked again."""

    name = "assert"
    description = "Check that an expression is true of an object, or of the answer to an HTTP GET."
    about = About(
        Family.FLOW,
        rights=(
            Right(
                "apps", ("deployments",), ("get",), why="for Deployments; one such rule for each kind it is used for"
            ),
        ),
        repeats="no: what is not true in time fails",
        runner="only with `resource`",
    )
    risk = Risk.LOW
    idempotent = False
    needs_runner = False
    fixed = frozenset({"resource", "http"})
    timeout_seconds = 90_000
    parameters = AssertParameters

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now

    def acts_as_runner(self, parameters: AssertParameters) -> bool:
        return parameters.resource is not None

    async def preview(self, request: Request[AssertParameters]) -> PreviewResult:
        parameters = request.parameters
        summary = cut(f"Check of {parameters.named.about}: {short(parameters.expression)}")
        if parameters.http:
            await request.http.check(parameters.http.url)
            return PreviewResult(summary)
        told = answer(parameters.named, await _seen(request))
        warnings = () if told.result is Result.TRUE else (f"now {told.message}",)
        return PreviewResult(summary, warnings=warnings, target=_target(request))

    async def run(self, request: Request[AssertParameters], operation: Operation) -> Done:
        return _done(request)

    async def observe(self, request: Request[AssertParameters], operation: Operation) -> Done | None:
        return _done(request)

    async def verify(self, request: Request[AssertParameters], operation: Operation) -> Verified:
        parameters = request.parameters
        told, may_pass = await _told(request)
        if told.result is Result.TRUE:
            return Verified(True, "It is true.")
        time = timedelta(seconds=parameters.timeout_seconds)
        if self._now() < operation.time + (max(time, GRACE) if may_pass else time):
            request.journal.progress(f"still waiting: {told.message}")
            return Verified(False, told.message)
        if told.result is Result.UNTOLD:
            raise CannotTell(told.message)
        raise EffectFailed(parameters.message or told.message)


async def _told(request: Request[AssertParameters]) -> tuple[Answer, bool]:
    """What one look comes to, and whether that may pass in a moment: a server gave no answer. Raises PermanentFailure
    where it could never be told.
    """
    named = request.parameters.named
    try:
        seen = await _seen(request)
    except Repeatable as error:
        return answer(named, Seen(None, str(error))), True
    told = answer(named, seen)
    return told, told.result is Result.UNTOLD and seen.values is not None and bool(seen.why)


async def _seen(request: Request[AssertParameters]) -> Seen:
    """What one look gives. Raises NotFound for a kind that is not served, RightMissing, Repeatable."""
    asked = request.parameters.resource
    if asked is None:
        return await _answered(request)
    resource = await request.cluster.resolve(asked.api_version, asked.kind)
    try:
        return Seen({"object": await request.cluster.get(resource, asked.name)})
    except NotFound as error:
        return Seen(None, f"it is not there: {error}")


async def _answered(request: Request[AssertParameters]) -> Seen:
    url = request.parameters.http.url if request.parameters.http else ""
    try:
        got = await request.http.request("GET", url, headers={}, body=None, may_change=False)
    except PermanentFailure as error:
        return Seen(None, str(error))
    try:
        return response(got.status, nesting.loads(got.text), is_json=True)
    except ValueError:
        return response(got.status, None, is_json=False)


def _target(request: Request[AssertParameters]) -> Target | None:
    asked = request.parameters.resource
    return Target(asked.api_version, asked.kind, asked.name, request.namespace) if asked else None


def _done(request: Request[AssertParameters]) -> Done:
    return Done(f"{request.parameters.named.about} is looked at.")
