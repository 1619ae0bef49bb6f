"""The seams of the core: what an action type offers, and what it may use. Implemented by `actions` and `kube`."""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from pydantic import BaseModel

from controller.api.common import Change, Undo
from controller.api.names import Risk
from controller.core.redaction import Redactor

Json = dict[str, Any]
Network = IPv4Network | IPv6Network
P = TypeVar("P", bound=BaseModel)


@dataclass(frozen=True)
class Resource:
    """A kind of object as the API server serves it, enough to make a path and to name a missing right."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version


@dataclass(frozen=True)
class Target:
    """The object that an action works on."""

    api_version: str
    kind: str
    name: str
    namespace: str | None = None
    uid: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Where it was read."""
    managed_by: tuple[str, ...] = ()
    """What keeps it as its source says and would take a change back: `Argo CD application shop`."""

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


@dataclass(frozen=True)
class PreviewResult:
    """What the action would change, and what would put it back, as the API server's dry run answers.

    No changes means that the target is already as asked; running it then still verifies.
    """

    summary: str
    changes: tuple[Change, ...] = ()
    warnings: tuple[str, ...] = ()
    undo: Undo | None = None
    target: Target | None = None


@dataclass(frozen=True)
class Done:
    """The effect is known to be made. `message` is one sentence for people; outputs are bounded JSON."""

    message: str
    outputs: Json = field(default_factory=dict)


@dataclass(frozen=True)
class Verified:
    """Whether the action's purpose is reached yet, what is still missing, and when to look again if that is known.

    `outputs` are those that only the reached purpose gives; they come on top of what the effect gave.
    """

    ok: bool
    message: str = ""
    again_at: datetime | None = None
    outputs: Json = field(default_factory=dict)


class Journal:
    """What is known of one attempt's effect while it runs. Whoever sends requests for it writes here first.

    A cancelled or timed-out attempt is judged by this alone.
    """

    def __init__(self, demand_lead: Callable[[], None] = lambda: None) -> None:
        """`demand_lead` raises NotLeading where this process does not lead at this instant: then nothing may happen."""
        self._demand_lead = demand_lead
        self.sent = False
        self.done: Done | None = None
        self.said = ""
        self._heard: Callable[[], None] = _nobody

    def sending(self) -> None:
        """A request that may take effect is about to leave. Raises NotLeading if it must not: others may lead."""
        self._demand_lead()
        self.sent = True

    def known_done(self, done: Done) -> None:
        self.done = done

    def progress(self, text: str) -> None:
        """How far it is, in one sentence for people. Status says it once it takes longer than some ten seconds."""
        if text != self.said:
            self.said = text
            self._heard()

    def listen(self, heard: Callable[[], None]) -> None:
        """`heard` is called whenever the progress says something new."""
        self._heard = heard


def _nobody() -> None:
    """Nobody listens, as with a preview."""


class PatchForm(StrEnum):
    """How the body of a patch is meant."""

    MERGE = "merge-patch"
    """JSON merge patch (RFC 7386)."""
    JSON = "json-patch"
    """JSON patch (RFC 6902): a list of operations. Its `test` operations are preconditions."""
    APPLY = "apply-patch"
    """Server-side apply as field manager `action-operator`. Creates what does not exist; a field of another manager
    is a Conflict.
    """


class Propagation(StrEnum):
    """What becomes of the objects that a deleted one owns."""

    BACKGROUND = "Background"
    """They are deleted after it."""
    FOREGROUND = "Foreground"
    """They are deleted before it is gone."""
    ORPHAN = "Orphan"
    """They stay."""


class Cluster(Protocol):
    """The API server, spoken to as the runner. Namespaced resources are those of the proposal's namespace only, but
    where a parameter says otherwise.

    All calls raise the errors of `core.errors`; for reads an unclear answer is a TransientFailure, for writes a
    LostAnswer (dry runs count as reads). Objects are plain JSON as the API server sends them.
    """

    async def resolve(self, api_version: str, kind: str) -> Resource:
        """Where the API server serves that kind, by its own discovery. Raises NotFound where it does not."""
        ...

    async def get(self, resource: Resource, name: str, *, subresource: str = "") -> Json:
        """The object. Raises NotFound."""
        ...

    async def list(
        self, resource: Resource, *, label_selector: str = "", field_selector: str = "", everywhere: bool = False
    ) -> tuple[Json, ...]:
        """All objects of the namespace (or cluster) that the selectors fit.

        `everywhere`: of all namespaces. Only for actions on what belongs to the whole cluster, as a node's pods.
        """
        ...

    async def create(
        self,
        resource: Resource,
        body: Json,
        *,
        name: str = "",
        subresource: str = "",
        namespace: str | None = None,
        dry_run: bool = False,
    ) -> Json:
        """The stored object. Raises Conflict if the name is taken.

        `name` and `subresource` are for what is created below an object: an eviction. `namespace`: another than the
        proposal's, with the same restriction as `everywhere`.
        """
        ...

    async def patch(
        self,
        resource: Resource,
        name: str,
        body: Json | Sequence[Json],
        *,
        form: PatchForm = PatchForm.MERGE,
        subresource: str = "",
        force: bool = False,
        dry_run: bool = False,
    ) -> Json:
        """The changed object. `metadata.resourceVersion` or `uid` in a merge patch are preconditions.

        `force`: with APPLY, take the fields of other managers over instead of a Conflict.
        """
        ...

    async def delete(
        self,
        resource: Resource,
        name: str,
        *,
        uid: str,
        propagation: Propagation = Propagation.BACKGROUND,
        grace_period_seconds: int | None = None,
        dry_run: bool = False,
    ) -> None:
        """Deletes the object, if it still has that uid; by default with its own grace period.

        Raises Conflict, NotFound.
        """
        ...


@dataclass(frozen=True)
class HttpAnswer:
    """An HTTP response: lower-case header names, body bounded and decoded."""

    status: int
    headers: Mapping[str, str]
    text: str


class Http(Protocol):
    """Outside calls: no redirects, no proxies from the environment, only allowed addresses, bounded answers."""

    async def check(self, url: str) -> None:
        """Whether policy lets the URL be called. Raises PermanentFailure with the rule to change."""
        ...

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None, may_change: bool
    ) -> HttpAnswer:
        """One request. Raises TransientFailure if no connection was made, LostAnswer if it broke after that.

        The answer is returned whatever its status. `may_change` = the method can take effect at the target.
        """
        ...


@dataclass(frozen=True)
class Egress:
    """Where HTTP actions may go, by the policies that match. `hosts` None = no policy names any: nowhere."""

    hosts: frozenset[str] | None = None
    private: tuple[Network, ...] = ()


@dataclass(frozen=True)
class Answer:
    """What a person answered, and who it was."""

    value: Any
    by: str


@dataclass(frozen=True)
class Request(Generic[P]):
    """All that an executor may know and use for one proposal."""

    parameters: P
    namespace: str
    proposal: str
    proposal_uid: str
    runner: str | None
    cluster: Cluster
    http: Http
    redactor: Redactor = field(default_factory=Redactor)
    """Knows the values of Secrets that were read for it; the runtime hides them in all that the executor says."""
    journal: Journal = field(default_factory=Journal)
    """Of the attempt; an executor tells its progress there."""
    answer: Answer | None = None
    """Of actions that ask for one: what the votes that counted say. None before that, as in a preview."""


@dataclass(frozen=True)
class Operation:
    """The effect of one attempt. `id` is the idempotency token; `time` is when the operation was first claimed."""

    id: str
    time: datetime
    deadline: datetime


class Executor(Protocol[P]):
    """One action type: how it is previewed, run, found again after a crash, and verified.

    Source of `catalog/`: the class attributes and the parameters model become an ActionType object. What fits most
    types is filled in by `actions.base.Action`.
    """

    name: ClassVar[str]
    version: ClassVar[int]
    description: ClassVar[str]
    risk: ClassVar[Risk]
    idempotent: ClassVar[bool]
    needs_runner: ClassVar[bool]
    """Whether it always touches the API server, so that it needs a ServiceAccount to act as."""
    fixed: ClassVar[frozenset[str]]
    """Wire names of parameters that may never be computed at run time."""
    timeout_seconds: ClassVar[int]
    inverses: ClassVar[frozenset[str]]
    """Names of the types that its own undo may use: who approves an action that may be taken back covers them."""

    @property
    def parameters(self) -> type[P]:
        """The parameters model."""
        ...

    def is_idempotent(self, parameters: P) -> bool:
        """Whether a lost answer may be repeated with these parameters; may only narrow `idempotent`."""
        ...

    def acts_as_runner(self, parameters: P) -> bool:
        """Whether it touches the API server with these parameters; may only widen `needs_runner`."""
        ...

    @abstractmethod
    async def preview(self, request: Request[P]) -> PreviewResult:
        """What it would change, by dry run as the runner. Changes nothing."""
        ...

    @abstractmethod
    async def run(self, request: Request[P], operation: Operation) -> Done:
        """Makes the effect and returns as soon as it is known to be made; `verify` waits for its purpose.

        Repeating it with the same operation has no further effect if idempotent.
        """
        ...

    @abstractmethod
    async def observe(self, request: Request[P], operation: Operation) -> Done | None:
        """After a crash: the effect of that operation, None where nothing shows that it was made. Changes nothing."""
        ...

    @abstractmethod
    async def verify(self, request: Request[P], operation: Operation) -> Verified:
        """Whether the purpose is reached. Asked again until it is or time is up. Changes nothing.

        Raises EffectFailed when the target itself reports that the effect failed, CannotTell when the time that it
        gives itself is up and it cannot tell.
        """
        ...

    async def stop(self, request: Request[P], operation: Operation) -> None:
        """A person cancelled it after the effect was made: stop what still runs outside, if anything does."""
        ...
