"""What is wrong with the checks of a proposal or step, before anything runs."""

from collections.abc import Iterator, Sequence

from controller.api.common import Check
from controller.api.names import Reason
from controller.core.checks import Named, named
from controller.core.credentials import checked_url
from controller.core.expressions import ExpressionFault
from controller.core.view import Fault


def check_faults(path: str, preconditions: Sequence[Check], verify: Sequence[Check], namespace: str) -> Iterator[Fault]:
    """`path`: `spec` or a step's. `namespace`: that of the proposal; a check reaches no other."""
    for one in (*named("preconditions", preconditions), *named("verify", verify)):
        yield from _faults(one, f"{path}.{one.path}", namespace)


def _faults(one: Named, path: str, namespace: str) -> Iterator[Fault]:
    resource, http = one.check.resource, one.check.http
    if (resource is None) == (http is None):
        yield Fault(Reason.INVALID_SPEC, f"{path}: give exactly one of resource, http")
        return
    if resource is not None:
        if resource.namespace not in (None, namespace):
            message = f"must be {namespace}, the namespace of the proposal (got {resource.namespace}); leave it out"
            yield Fault(Reason.INVALID_SPEC, f"{path}.resource.namespace: {message}")
        if (resource.api_version, resource.kind) == ("v1", "Secret"):
            message = "checks do not read Secrets, for their answers could give the values away; check what uses it"
            yield Fault(Reason.INVALID_SPEC, f"{path}.resource.kind: {message}")
    if http is not None:
        try:
            checked_url(http.url)
        except ValueError as error:
            yield Fault(Reason.INVALID_SPEC, f"{path}.http.url: {error}")
    try:
        one.expression  # noqa: B018  compiles it
    except ExpressionFault as error:
        yield Fault(Reason.INVALID_EXPRESSION, f"{path}.expression: {error}")
