"""What Flux makes of an object by the `healthCheckExprs` of a Kustomization, as its RFC 9 and its documentation say.

First observedGeneration, then inProgress, failed and current, in this order; where none is true it is still on its
way. The object's top-level fields are the variables. An expression that has no answer makes Flux wait until its
timeout: here it raises.
"""

from typing import Any

import cel_expr_python.cel as cel

from harness.kstatus import Status, kstatus

Json = dict[str, Any]
ORDER = (("inProgress", Status.IN_PROGRESS), ("failed", Status.FAILED), ("current", Status.CURRENT))
FIELDS = ("apiVersion", "kind", "metadata", "spec", "status")


def flux_health(found: Json, kustomization: Json) -> Status:
    """By kstatus where the Kustomization says nothing about the kind. Raises AssertionError."""
    for rules in kustomization["spec"].get("healthCheckExprs", ()):
        if (rules["apiVersion"], rules["kind"]) == (found["apiVersion"], found["kind"]):
            return _by_rules(found, rules)
    return kstatus(found)


def _by_rules(found: Json, rules: Json) -> Status:
    assert "current" in rules, "Flux demands it"
    status = found.get("status") or {}
    if status.get("observedGeneration", found["metadata"]["generation"]) != found["metadata"]["generation"]:
        return Status.IN_PROGRESS
    return next((word for name, word in ORDER if name in rules and _is_true(rules[name], found)), Status.IN_PROGRESS)


def _is_true(expression: str, found: Json) -> bool:
    environment = cel.NewEnv(variables=dict.fromkeys(FIELDS, cel.Type.DYN))
    answer = environment.compile(expression).eval(data={name: found[name] for name in FIELDS if name in found})
    assert answer.type() == cel.Type.BOOL, f"{expression}: {answer.plain_value()}"
    return answer.plain_value() is True
