"""What we may do ourselves, asked of the API server's authorizer, each question once."""

import asyncio
from functools import partial

from controller.api.actiontype import ActionType
from controller.api.base import GROUP
from controller.core.ports import Json, Resource
from controller.kube.api import Api
from controller.kube.retries import write_again

SELF_ACCESS = Resource(
    "authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", namespaced=False
)
MACHINE = "system:serviceaccount:"
APPROVE, APPROVE_AS_MACHINE = "approve", "approve-as-machine"


class Access:
    """Our rights on action types, by namespace. Raises the errors of `core.errors`."""

    def __init__(self, api: Api, username: str) -> None:
        self._api = api
        self._verbs = (APPROVE, APPROVE_AS_MACHINE) if username.startswith(MACHINE) else (APPROVE,)
        self._asked: dict[tuple[str, str, str], asyncio.Task[bool]] = {}

    async def not_approvable(self, namespace: str, actions: tuple[str, ...]) -> list[str]:
        """Those of the actions that we may not approve there."""
        allowed = await asyncio.gather(*(self._may_approve(namespace, action) for action in actions))
        return [action for action, may in zip(actions, allowed, strict=True) if not may]

    async def _may_approve(self, namespace: str, action: str) -> bool:
        return all(await asyncio.gather(*(self._may(verb, namespace, action) for verb in self._verbs)))

    async def _may(self, verb: str, namespace: str, action: str) -> bool:
        key = (verb, namespace, action)
        if key not in self._asked:
            self._asked[key] = asyncio.create_task(self._review(*key))
        return await self._asked[key]

    async def _review(self, verb: str, namespace: str, action: str) -> bool:
        attributes = {
            "group": GROUP, "resource": ActionType.INFO.plural, "name": action, "namespace": namespace, "verb": verb,
        }  # fmt: skip
        body: Json = {
            "apiVersion": SELF_ACCESS.api_version,
            "kind": SELF_ACCESS.kind,
            "spec": {"resourceAttributes": attributes},
        }
        answer = await write_again(partial(self._api.create, SELF_ACCESS, body), tries=3, seconds=5.0)
        return bool(answer.get("status", {}).get("allowed"))
