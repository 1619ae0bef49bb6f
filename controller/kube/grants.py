"""The kubectl commands that grant what somebody lacks, on one line, to be pasted as they are. Pure.

`--dry-run=client -o yaml` behind each makes manifests of them.
"""

import hashlib
from shlex import quote

from controller.kube.answers import Asked

_READABLE = 40
_HASH_LENGTH = 6


def to_account(asked: Asked, namespace: str, name: str) -> str:
    """For a ServiceAccount: exactly the request that was refused, and only for the object that it named."""
    readable = f"{name}-{asked.verb}-{asked.plural.replace('/', '-')}"
    return _request(asked, asked.verb, readable, f"--serviceaccount={namespace}:{name}")


def to_impersonate(operator: str, namespace: str, name: str) -> str:
    """For the operator, known by its user name: to act as this one ServiceAccount (runner-impersonation.yaml)."""
    rule = f"--verb=impersonate --resource=serviceaccounts --resource-name={quote(name)}"
    return _commands(_role_name(f"action-operator-acts-as-{name}", ""), rule, _subject(operator), namespace)


def to_impersonate_on(asked: Asked, operator: str, name: str) -> str:
    """For an operator that may act as the ServiceAccount only as far as is named: this request too
    (runner-impersonation-constrained.yaml).
    """
    readable = f"action-operator-as-{name}-{asked.verb}-{asked.plural.replace('/', '-')}"
    return _request(asked, f"impersonate-on:serviceaccount:{asked.verb}", readable, _subject(operator))


def _request(asked: Asked, verb: str, readable: str, subject: str) -> str:
    resource = asked.resource
    group = f".{resource.group}" if resource.group else ""
    what = f"{resource.plural}{group}" + (f"/{asked.subresource}" if asked.subresource else "")
    # A rule with names grants no list, and no create: the name of a new object is not known to RBAC.
    named = asked.name if asked.verb not in ("create", "list") else ""
    rule = f"--verb={verb} --resource={what}" + (f" --resource-name={quote(named)}" if named else "")
    return _commands(_role_name(readable, named), rule, subject, asked.namespace)


def _subject(user: str) -> str:
    account = user.removeprefix("system:serviceaccount:")
    is_account = account != user and account.count(":") == 1
    return f"--serviceaccount={account}" if is_account else f"--user={quote(user)}"


def _commands(role: str, rule: str, subject: str, namespace: str | None) -> str:
    kind, where = ("role", f" --namespace={namespace}") if namespace else ("clusterrole", "")
    return (
        f"kubectl create {kind} {role}{where} {rule} && "
        f"kubectl create {kind}binding {role}{where} --{kind}={role} {subject}"
    )


def _role_name(readable: str, named: str) -> str:
    """Another for each right, so that a second missing one does not meet the Role of the first."""
    if len(readable) <= _READABLE and not named:
        return readable
    digest = hashlib.sha256(f"{readable} {named}".encode()).hexdigest()[:_HASH_LENGTH]
    return f"{readable[:_READABLE].rstrip('-.')}-{digest}"
