"""What a policy is about, as people say it: everything, one namespace, some actions. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from controller.api.policy import Match
from controller.core.ports import Json


@dataclass(frozen=True)
class Scope:
    """Where a policy of ours applies. Every field given must fit; none given = everything."""

    namespaces: Sequence[str] = ()
    namespace_labels: Mapping[str, str] = field(default_factory=dict)
    actions: Sequence[str] = ()
    risks: Sequence[str] = ()

    def match(self) -> Json:
        """`spec.match`, lists in order, so that the same scope is always the same match."""
        given: Json = {
            "namespaces": sorted(set(self.namespaces)),
            "namespaceLabels": dict(sorted(self.namespace_labels.items())),
            "actions": sorted(set(self.actions)),
            "risks": sorted(set(self.risks)),
        }
        return {name: value for name, value in given.items() if value}

    def __str__(self) -> str:
        return match_words(Match.model_validate(self.match()))


EVERYTHING = Scope()


def match_words(match: Match) -> str:
    """`everything`; `scale-workload in namespace shop or cart`; `risk High in namespaces with tier=prod`."""
    what = []
    if match.actions is not None:
        what.append(_either(match.actions))
    if match.risks is not None:
        what.append(f"risk {_either([str(risk) for risk in match.risks])}")
    if match.requesters is not None:
        what.append(f"what {_either(match.requesters)} asks for")
    where = []
    if match.namespaces is not None:
        where.append(f"namespace {_either(match.namespaces)}")
    if match.namespace_labels:
        labels = ", ".join(f"{name}={value}" for name, value in match.namespace_labels.items())
        where.append(f"namespaces with {labels}")
    said = " and ".join(what) or "everything"
    return f"{said} in {' and '.join(where)}" if where else said


def covers(match: Match, scope: Scope) -> bool:
    """Whether a policy with that match applies to all of the scope, for certain."""
    labels = dict(scope.namespace_labels)
    return (
        _within(scope.namespaces, match.namespaces)
        and _within(scope.actions, match.actions)
        and _within(scope.risks, match.risks)
        and match.requesters is None
        and all(labels.get(name) == value for name, value in (match.namespace_labels or {}).items())
    )


def may_touch(match: Match, scope: Scope) -> bool:
    """Whether a policy with that match may apply to some of the scope."""
    labels = dict(scope.namespace_labels)
    return (
        _overlap(scope.namespaces, match.namespaces)
        and _overlap(scope.actions, match.actions)
        and _overlap(scope.risks, match.risks)
        and all(labels.get(name, value) == value for name, value in (match.namespace_labels or {}).items())
    )


def _within(given: Sequence[str], allowed: Sequence[str] | None) -> bool:
    return allowed is None or (bool(given) and set(given) <= set(allowed))


def _overlap(given: Sequence[str], allowed: Sequence[str] | None) -> bool:
    return allowed is None or not given or bool(set(given) & set(allowed))


def _either(names: Sequence[str]) -> str:
    return " or ".join(names) if names else "nothing"
