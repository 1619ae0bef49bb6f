"""The API server as a runner sees it: a ServiceAccount that an action runs as, by impersonation.

Only `Impersonate-User` is sent; the API server adds the ServiceAccount's groups itself, and asking for them would need
rights over the whole cluster.
"""

import re
from collections.abc import Awaitable, Sequence
from typing import TypeVar

from controller.core.errors import ActionError, PermanentFailure, RightMissing
from controller.core.ports import Journal, Json, PatchForm, Propagation, Resource
from controller.kube import grants
from controller.kube.answers import Asked, Denied
from controller.kube.api import Api
from controller.kube.discovery import Discovery

T = TypeVar("T")

_SELF_ACCESS_REVIEWS = Resource(
    "authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", namespaced=False
)
_ACCOUNT = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")


class RunnerCluster:
    """Implements `core.ports.Cluster` for one runner and one attempt."""

    def __init__(self, api: Api, discovery: Discovery, *, namespace: str, runner: str, journal: Journal) -> None:
        for what, name in (("namespace", namespace), ("serviceAccountName", runner)):
            if not _ACCOUNT.fullmatch(name):
                raise PermanentFailure(f"{what}: {name!r} cannot be a name in Kubernetes")
        self._namespace, self._runner = namespace, runner
        self._operator = api
        self._discovery = discovery
        self._api = api.as_user(f"system:serviceaccount:{namespace}:{runner}", journal.sending)

    async def resolve(self, api_version: str, kind: str) -> Resource:
        """Where the API server serves that kind. Raises NotFound."""
        return await self._discovery.resolve(api_version, kind)

    async def get(self, resource: Resource, name: str, *, subresource: str = "") -> Json:
        """The object. Raises NotFound."""
        where = self._where(resource)
        asked = Asked("get", resource, where, name, subresource)
        return await self._as_runner(asked, self._api.get(resource, name, namespace=where, subresource=subresource))

    async def list(
        self, resource: Resource, *, label_selector: str = "", field_selector: str = "", everywhere: bool = False
    ) -> tuple[Json, ...]:
        """All objects of the namespace (or cluster) that the selectors fit."""
        where = None if everywhere else self._where(resource)
        asked = Asked("list", resource, where)
        listed = self._api.list(resource, namespace=where, label_selector=label_selector, field_selector=field_selector)
        return (await self._as_runner(asked, listed)).items

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
        """The stored object. Raises Conflict if the name is taken."""
        where = namespace or self._where(resource)
        asked = Asked("create", resource, where, name, subresource)
        created = self._api.create(resource, body, namespace=where, name=name, subresource=subresource, dry_run=dry_run)
        return await self._as_runner(asked, created)

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
        """The changed object."""
        where = self._where(resource)
        asked = Asked("patch", resource, where, name, subresource)
        patched = self._api.patch(
            resource, name, body, form=form, namespace=where, subresource=subresource, force=force, dry_run=dry_run
        )
        return await self._as_runner(asked, patched)

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
        """Deletes the object, if it still has that uid."""
        where = self._where(resource)
        asked = Asked("delete", resource, where, name)
        deleted = self._api.delete(
            resource,
            name,
            namespace=where,
            uid=uid,
            propagation=propagation,
            grace_period_seconds=grace_period_seconds,
            dry_run=dry_run,
        )
        await self._as_runner(asked, deleted)

    def _where(self, resource: Resource) -> str | None:
        return self._namespace if resource.namespaced else None

    async def _as_runner(self, asked: Asked, call: Awaitable[T]) -> T:
        """Say in a refusal what the runner lacks, or what the operator lacks to act as it."""
        try:
            return await call
        except Denied as denied:
            raise await self._explained(asked, denied) from denied

    async def _explained(self, asked: Asked, denied: Denied) -> PermanentFailure:
        account = f"ServiceAccount {self._namespace}/{self._runner}"
        missing = denied.missing
        if missing is None:
            return PermanentFailure(f"{denied}; this is not for lack of a Role: admission or a quota refuses it")
        where = f" in namespace {asked.namespace}" if asked.namespace else ""
        what = f"{asked.verb} {asked.plural} {asked.name}".rstrip()
        if missing.verb.startswith("impersonate"):
            if not await self._may_act_within_bounds():
                commands = grants.to_impersonate(missing.user, self._namespace, self._runner)
                return RightMissing(f"the operator may not act as {account}; to allow it: {commands}")
            commands = grants.to_impersonate_on(asked, missing.user, self._runner)
            return RightMissing(f"the operator may act as {account}, but not to {what}{where}; to allow it: {commands}")
        commands = grants.to_account(asked, self._namespace, self._runner)
        return RightMissing(f"{account} may not {what}{where}; to grant it: {commands}")

    async def _may_act_within_bounds(self) -> bool:
        """Whether impersonation is constrained: an API server that knows of it refuses in the same words where nothing
        at all is allowed. Everybody may ask about himself; an answer that cannot be had is a no.
        """
        attributes = {
            "group": "authentication.k8s.io",
            "resource": "serviceaccounts",
            "verb": "impersonate:serviceaccount",
        }
        body: Json = {
            "spec": {"resourceAttributes": {**attributes, "namespace": self._namespace, "name": self._runner}}
        }
        try:
            review = await self._operator.create(_SELF_ACCESS_REVIEWS, body)
        except ActionError:
            return False
        return (review.get("status") or {}).get("allowed") is True
