"""What is read of the cluster before something is proposed: types, policies, namespace labels, who we are."""

import asyncio
from functools import partial

from controller.api.actiontype import ActionType
from controller.api.policy import ActionPolicy
from controller.client.rules import Rules
from controller.core.errors import NotFound, RightMissing
from controller.core.ports import Json
from controller.core.ports import Resource as ApiResource
from controller.kube.api import Api
from controller.kube.resources import NAMESPACES, POLICIES, SELF_REVIEWS, TYPES
from controller.kube.retries import write_again


async def read_rules(api: Api, namespace: str) -> Rules:
    """The rules for one namespace, as far as the user may read them. Raises NotFound without it or our kinds."""
    types, policies, labels = await asyncio.gather(
        _list(api, TYPES), _list(api, POLICIES), namespace_labels(api, namespace)
    )
    read = None if policies is None else [ActionPolicy.model_validate(item) for item in policies]
    return Rules(
        namespace=namespace,
        types=None if types is None else {item["metadata"]["name"]: ActionType.model_validate(item) for item in types},
        policies=read,
        namespace_labels=labels if labels is not None or _by_label(read or []) else {},
    )


async def who_we_are(api: Api) -> Json | None:
    """`requestedBy` as the API server sees us; None where it does not tell."""
    body = {"apiVersion": SELF_REVIEWS.api_version, "kind": SELF_REVIEWS.kind}
    try:
        review = await write_again(partial(api.create, SELF_REVIEWS, body), tries=3, seconds=5.0)
    except (NotFound, RightMissing):
        return None
    user = review.get("status", {}).get("userInfo", {})
    return {name: user[name] for name in ("username", "uid", "groups") if user.get(name)} or None


async def _list(api: Api, resource: ApiResource) -> tuple[Json, ...] | None:
    try:
        return (await api.list(resource)).items
    except RightMissing:
        return None


async def namespace_labels(api: Api, namespace: str) -> dict[str, str] | None:
    """The labels by which policies match it; None where the user may not read them. Raises NotFound."""
    try:
        found = await api.get(NAMESPACES, namespace)
    except RightMissing:
        return None
    except NotFound:
        mend = f"name one with -n, or make it: kubectl create namespace {namespace}"
        raise NotFound(f"there is no namespace {namespace}; {mend}") from None
    return dict(found["metadata"].get("labels") or {})


def _by_label(policies: list[ActionPolicy]) -> bool:
    return any(policy.spec.match.namespace_labels for policy in policies)
