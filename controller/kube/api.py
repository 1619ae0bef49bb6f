"""A small client for any resource: paths and JSON in, objects or typed errors out.

Used for the operator's own writes as it is, and for effects as `runner.RunnerCluster` wraps it.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from time import perf_counter

import aiohttp
from multidict import CIMultiDict

from controller.core.ports import Json, PatchForm, Propagation, Resource
from controller.kube import answers, paths
from controller.kube.answers import Asked, Expired
from controller.kube.retries import read_again
from controller.kube.session import BrokenAfterSending, RawAnswer, Session

PAGE_SIZE = 250

_JSON = "application/json"
_ACCEPT = {"Accept": _JSON}
_METADATA_ONLY = {"Accept": "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"}
_PLAIN = {"Accept": "text/plain, application/json"}
_SEND = {"Accept": _JSON, "Content-Type": _JSON}
_PATCH = {
    # JSON is YAML too; server-side apply has no name of its own for it.
    form: {"Accept": _JSON, "Content-Type": f"application/{form}+{'yaml' if form is PatchForm.APPLY else 'json'}"}
    for form in PatchForm
}


@dataclass(frozen=True)
class Listed:
    """All objects that a list found, and the resource version at which they were so."""

    items: tuple[Json, ...]
    resource_version: str


@dataclass(frozen=True)
class Api:
    """One API server, spoken to as one user. All calls raise the errors of `core.errors`.

    Reads are repeated a few times within seconds; whatever may change something is sent once. `before_change` is called
    right before a request that may change something leaves, with the connection in hand; what it raises keeps it back.
    """

    session: Session
    headers: Mapping[str, str] | None = None
    """Sent with each request; a `CIMultiDict` where a name comes more than once."""
    before_change: Callable[[], None] | None = None
    timeout_seconds: float | None = None
    patient: bool = True
    """Whether a read is repeated before its failure counts."""

    def as_user(self, username: str, before_change: Callable[[], None] | None = None) -> "Api":
        """The same API server, spoken to as another user by impersonation."""
        return replace(self, headers={"Impersonate-User": username}, before_change=before_change)

    def changing_only_if(self, before_change: Callable[[], None]) -> "Api":
        """The same, with each change asked for at the last moment."""
        return replace(self, before_change=before_change)

    def as_member(self, username: str, groups: Sequence[str]) -> "Api":
        """The same as a user of these groups, as kubectl's `--as` and `--as-group`."""
        named = [("Impersonate-User", username), *(("Impersonate-Group", group) for group in groups)]
        return replace(self, headers=CIMultiDict(named))

    def once(self) -> "Api":
        """The same, with reads tried once: for asking whether it answers at all."""
        return replace(self, patient=False)

    def within(self, timeout_seconds: float) -> "Api":
        """The same, with less time for each request than the usual 30 s."""
        return replace(self, timeout_seconds=timeout_seconds)

    async def get(self, resource: Resource, name: str, *, namespace: str | None = None, subresource: str = "") -> Json:
        """The object, as it is now. Raises NotFound."""
        asked = Asked("get", resource, namespace, name, subresource)
        path = paths.item(resource, namespace, name, subresource)
        return await self._read(partial(self._ask, asked, "GET", path, _ACCEPT))

    async def served(self, api_version: str) -> tuple[Json, ...]:
        """The resources of an API version as its discovery lists them (`APIResource`). Raises NotFound."""
        asked = Asked("get", Resource("", "", "apiresources", "APIResourceList", namespaced=False), None, api_version)
        found = await self._read(partial(self._ask, asked, "GET", paths.version(api_version), _ACCEPT))
        return tuple(found.get("resources") or ())

    async def groups(self) -> frozenset[str]:
        """Names of the API groups that discovery lists: a group a moment later than its kinds are served."""
        asked = Asked("get", Resource("", "", "apigroups", "APIGroupList", namespaced=False), None)
        found = await self._read(partial(self._ask, asked, "GET", "/apis", _ACCEPT))
        return frozenset(group["name"] for group in found.get("groups") or ())

    async def version(self) -> Json:
        """What the API server says of itself: `major`, `minor`, `gitVersion`."""
        asked = Asked("get", Resource("", "", "version", "Info", namespaced=False), None)
        return await self._read(partial(self._ask, asked, "GET", "/version", _ACCEPT))

    async def text(self, resource: Resource, name: str, subresource: str, *, namespace: str, **query: str) -> str:
        """What a subresource answers in plain text, as the logs of pods are. Raises NotFound."""
        asked = Asked("get", resource, namespace, name, subresource)
        path = paths.item(resource, namespace, name, subresource) + paths.query(**query)

        async def read() -> str:
            answer = await self._exchange(asked, "GET", path, _PLAIN, None)
            error = answers.judge(asked, answer.status, answer.headers, answer.body, datetime.now(UTC))
            if error is not None:
                raise error
            return answer.body.decode(errors="replace")

        return await (read_again(read) if self.patient else read())

    async def list(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        label_selector: str = "",
        field_selector: str = "",
        metadata_only: bool = False,
    ) -> Listed:
        """All objects that fit. `namespace` None: of the whole cluster. Metadata only: without spec and status."""
        for _ in range(2):
            try:
                return await self._list(resource, namespace, label_selector, field_selector, metadata_only)
            except Expired:
                continue
        return await self._list(resource, namespace, label_selector, field_selector, metadata_only)

    async def pages(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        label_selector: str = "",
        field_selector: str = "",
        metadata_only: bool = False,
        page_size: int = PAGE_SIZE,
    ) -> AsyncIterator[Listed]:
        """The same in pages, so that few objects are in memory. Raises Expired when it took too long (minutes)."""
        asked = Asked("list", resource, namespace)
        path = paths.collection(resource, namespace)
        headers = _METADATA_ONLY if metadata_only else _ACCEPT
        token = ""
        while True:
            query = paths.query(
                labelSelector=label_selector, fieldSelector=field_selector, limit=str(page_size), **{"continue": token}
            )
            page = await self._read(partial(self._ask, asked, "GET", path + query, headers))
            about = page.get("metadata") or {}
            yield Listed(tuple(page.get("items") or ()), about.get("resourceVersion", ""))
            token = about.get("continue") or ""
            if not token:
                return

    async def create(
        self,
        resource: Resource,
        body: Json,
        *,
        namespace: str | None = None,
        name: str = "",
        subresource: str = "",
        dry_run: bool = False,
    ) -> Json:
        """The stored object. Raises Conflict if the name is taken.

        `name` is for subresources that are created: a token, an eviction.
        """
        asked = Asked("create", resource, namespace, name, subresource, may_change=not dry_run)
        path = paths.item(resource, namespace, name, subresource) if name else paths.collection(resource, namespace)
        return await self._ask(asked, "POST", path + _write(dry_run), _SEND, body)

    async def review(self, resource: Resource, body: Json) -> Json:
        """Asks by POST, as access reviews do: nothing is changed, so it is repeated like a read."""
        asked = Asked("create", resource, None)
        return await self._read(partial(self._ask, asked, "POST", paths.collection(resource, None), _SEND, body))

    async def patch(
        self,
        resource: Resource,
        name: str,
        body: Json | Sequence[Json],
        *,
        form: PatchForm = PatchForm.MERGE,
        namespace: str | None = None,
        subresource: str = "",
        force: bool = False,
        dry_run: bool = False,
    ) -> Json:
        """The changed object. Raises Conflict, NotFound."""
        asked = Asked("patch", resource, namespace, name, subresource, may_change=not dry_run)
        path = paths.item(resource, namespace, name, subresource)
        how = _write(dry_run) + (paths.FORCE if force else "")
        return await self._ask(asked, "PATCH", path + how, _PATCH[form], body)

    async def delete(
        self,
        resource: Resource,
        name: str,
        *,
        namespace: str | None = None,
        uid: str = "",
        resource_version: str = "",
        propagation: Propagation = Propagation.BACKGROUND,
        grace_period_seconds: int | None = None,
        dry_run: bool = False,
    ) -> None:
        """Delete the object, if it still has that uid and resource version. Raises Conflict, NotFound."""
        asked = Asked("delete", resource, namespace, name, may_change=not dry_run)
        preconditions = {"uid": uid, "resourceVersion": resource_version}
        body: Json = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": propagation,
            "preconditions": {name: value for name, value in preconditions.items() if value},
        }
        if grace_period_seconds is not None:
            body["gracePeriodSeconds"] = grace_period_seconds
        if dry_run:
            body["dryRun"] = ["All"]
        # With a body the API server ignores the query; there it says in audit logs what this is.
        told = paths.query(dryRun="All") if dry_run else ""
        await self._ask(asked, "DELETE", paths.item(resource, namespace, name) + told, _SEND, body)

    async def _list(
        self, resource: Resource, namespace: str | None, labels: str, fields: str, metadata_only: bool
    ) -> Listed:
        found: list[Json] = []
        version = ""
        async for page in self.pages(
            resource,
            namespace=namespace,
            label_selector=labels,
            field_selector=fields,
            metadata_only=metadata_only,
        ):
            found.extend(page.items)
            version = page.resource_version
        return Listed(tuple(found), version)

    async def _read(self, call: Callable[[], Awaitable[Json]]) -> Json:
        return await (read_again(call) if self.patient else call())

    async def _ask(
        self,
        asked: Asked,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: Json | Sequence[Json] | None = None,
    ) -> Json:
        answer = await self._exchange(asked, method, path, headers, body)
        error = answers.judge(asked, answer.status, answer.headers, answer.body, datetime.now(UTC))
        if error is not None:
            raise error
        return answers.content(asked, answer)

    async def _exchange(
        self, asked: Asked, method: str, path: str, headers: Mapping[str, str], body: Json | Sequence[Json] | None
    ) -> RawAnswer:
        sent = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        if self.headers:
            headers = CIMultiDict([*headers.items(), *self.headers.items()])
        began, code = perf_counter(), None
        try:
            answer = await self.session.request(
                method,
                path,
                headers=headers,
                body=sent,
                timeout_seconds=self.timeout_seconds,
                before_leaving=self.before_change if asked.may_change else None,
            )
            code = answer.status
        except (aiohttp.ClientError, OSError, BrokenAfterSending) as error:
            raise answers.broken(asked, error) from error
        finally:
            self.session.told(asked.verb, code, perf_counter() - began)
        return answer


def _write(dry_run: bool) -> str:
    return paths.WRITE + paths.DRY_RUN if dry_run else paths.WRITE
