"""How what was read of a cluster is judged by `doctor`. Pure: what was read in, findings out."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from controller.api.actiontype import ActionType
from controller.api.base import API_VERSION, GROUP, VERSION
from controller.api.crd import crd
from controller.api.kinds import KINDS
from controller.api.names import Mode
from controller.api.resource import Resource as Kind
from controller.cli.catalogue import readiness
from controller.cli.findings import Finding, broken, note, ok, skipped
from controller.cli.modes import Effect
from controller.cli.times import span
from controller.core.ports import Json
from controller.kube.lease import MOST_SKEW_SECONDS

OLDEST, STAMPING = (1, 32), (1, 36)
"""Kubernetes: older than this cannot be used; from this on the API server itself fills names in."""
CHART = "helm upgrade --install"
_VERSION = re.compile(r"v?(\d+)\.(\d+)")
_MOST = 5
_APPLY_CRDS = f"kubectl apply --server-side -f crds/   (the folder of the release; or by the chart: {CHART})"
_APPLY_TYPES = f"kubectl apply --server-side -f catalog/   (or by the chart: {CHART})"


def kubernetes(told: Json) -> Finding:
    """Whether the API server is new enough, by what `/version` answers."""
    name = str(told.get("gitVersion") or f"{told.get('major')}.{told.get('minor')}")
    found = _VERSION.match(name)
    if found is None:
        return note("Kubernetes", f"{name}: not a version that can be compared")
    version = int(found[1]), int(found[2])
    if version < OLDEST:
        said = f"{name} is too old: actions need {_dotted(OLDEST)} or newer (selectable fields of custom resources)"
        return broken("Kubernetes", said, "upgrade the cluster, or name a newer one with --context")
    if version < STAMPING:
        said = (
            f"{name}: before {_dotted(STAMPING)} the API server checks who asks, but does not fill it in; manifests "
            "for kubectl apply have to name spec.requestedBy themselves, this command does it for you"
        )
        return note("Kubernetes", said)
    return ok("Kubernetes", name)


def stamps(told: Json) -> bool:
    """Whether the API server fills in who asks."""
    found = _VERSION.match(str(told.get("gitVersion") or ""))
    return found is not None and (int(found[1]), int(found[2])) >= STAMPING


def definitions(stored: Mapping[str, Json], release: str) -> Finding:
    """Whether our kinds are there, served, and those that this command knows. `stored`: CRDs by name."""
    missing = [kind.INFO.kind for kind in KINDS if name_of(kind) not in stored]
    if len(missing) == len(KINDS):
        said = f"none is installed: the API server does not know {GROUP}"
        return broken("CRDs", said, _APPLY_CRDS, "or is it another cluster? name it with --context")
    if missing:
        return broken("CRDs", f"missing: {', '.join(missing)}", _APPLY_CRDS)
    there = [(kind, stored[name_of(kind)]) for kind in KINDS]
    if unserved := [kind.INFO.kind for kind, found in there if not _served(found)]:
        return broken("CRDs", f"{VERSION} is not served of: {', '.join(unserved)}", _APPLY_CRDS)
    if unready := [kind for kind, found in there if not _established(found)]:
        said = f"not established, perhaps another CRD has their names: {', '.join(one.INFO.kind for one in unready)}"
        return broken("CRDs", said, f"kubectl describe crd {name_of(unready[0])}")
    if others := [kind.INFO.kind for kind, found in there if not same_schema(kind, found)]:
        said = (
            f"of another version than this command ({release}): {', '.join(others)}; what only one of the two knows is "
            "refused or not shown"
        )
        return note("CRDs", said, f"apply crds/ of {release}, or use kubectl-actions of the version that is installed")
    return ok("CRDs", f"all {len(KINDS)} kinds are served as {VERSION}, just as this command knows them")


def served_only(served: Iterable[str]) -> Finding:
    """What can be told by somebody who may not read CRDs. `served`: the kinds that the API server serves of ours."""
    known = set(served)
    if missing := [kind.INFO.kind for kind in KINDS if kind.INFO.kind not in known]:
        return broken("CRDs", f"{API_VERSION} is not served of: {', '.join(missing)}", _APPLY_CRDS)
    return ok("CRDs", f"all {len(KINDS)} kinds are served (you may not read CRDs: their version is not compared)")


def name_of(kind: type[Kind]) -> str:
    """The name of its CRD."""
    return f"{kind.INFO.plural}.{GROUP}"


def same_schema(kind: type[Kind], stored: Json) -> bool:
    """Whether the schema that is stored is the one of this program."""
    ours = crd(kind)["spec"]["versions"][0]["schema"]
    return any(one.get("schema") == ours for one in stored["spec"]["versions"] if one["name"] == VERSION)


def _served(stored: Json) -> bool:
    return any(one["name"] == VERSION and one.get("served") for one in stored["spec"]["versions"])


def _established(stored: Json) -> bool:
    conditions = (stored.get("status") or {}).get("conditions") or ()
    return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)


def clock(skew_seconds: float | None) -> Finding:
    """How far our clock is off the API server's."""
    if skew_seconds is None:
        return skipped("Clock", "the API server's answers have no date")
    if abs(skew_seconds) <= MOST_SKEW_SECONDS:
        return ok("Clock", f"within {MOST_SKEW_SECONDS:g} s of the API server's")
    way = "ahead of" if skew_seconds > 0 else "behind"
    said = (
        f"it is {span(abs(skew_seconds))} {way} the API server's, and so are ages and countdowns shown here; "
        "an operator on such a machine would not lead"
    )
    return note("Clock", said, "set the clock by NTP: timedatectl set-ntp true")


def operators(leases: Mapping[str, Json | None], namespace: str, now: datetime) -> Iterator[Finding]:
    """For each Lease, by name: whether an operator leads. `now`: the API server's time."""
    for name, lease in leases.items():
        about = "Operator" if len(leases) == 1 else f"Operator {name}"
        yield _operator(about, lease, f"{namespace}/{name}", now)


def _operator(about: str, lease: Json | None, place: str, now: datetime) -> Finding:
    """`place`: namespace/name of the Lease."""
    start = f"see kubectl get pods -n {place.partition('/')[0]}; not installed yet: {CHART}"
    if lease is None:
        elsewhere = "if it is elsewhere, or has another name: --operator-namespace, --lease-name"
        return broken(about, f"there is no Lease {place}: no operator has ever led here", start, elsewhere)
    spec = lease.get("spec") or {}
    holder, renewed = spec.get("holderIdentity"), spec.get("renewTime")
    if not holder or not renewed:
        return broken(about, f"nobody holds the Lease {place}: the operator was stopped", start)
    silent = (now - datetime.fromisoformat(renewed)).total_seconds()
    most = float(spec.get("leaseDurationSeconds") or 15)
    if silent > most + MOST_SKEW_SECONDS:
        said = (
            f"{holder} holds the Lease {place}, but has not renewed it for {span(silent)} (limit {most:g} s): it has "
            "died, or cannot reach the API server"
        )
        return broken(about, said, start)
    return ok(about, f"{holder} leads (Lease {place}, renewed {span(silent)} ago)")


def types(found: Sequence[ActionType]) -> Finding:
    """Whether there is anything to run."""
    if not found:
        return broken("Action types", "there are none, so nothing can run", _APPLY_TYPES)
    unready = [(one.metadata.name, why) for one in found for ready, why in [readiness(one)] if ready == "not ready"]
    if unready:
        named = "; ".join(f"{name}: {why}" for name, why in unready[:_MOST])
        said = f"{len(unready)} of {len(found)} cannot run: {named}"
        return note("Action types", said, f"kubectl actions types {unready[0][0]}")
    unseen = sum(readiness(one)[0] == "not looked at yet" for one in found)
    return ok("Action types", f"{len(found)}" + (f", {unseen} not looked at by an operator yet" if unseen else ""))


def mode(effects: Sequence[Effect], namespace: str, policies: int) -> Finding:
    """Whether actions run in the namespace, or are only previewed."""
    running = sum(one.mode is Mode.EXECUTE for one in effects)
    if not running:
        why = "no policy that is about it says mode: Execute" if policies else "there is no ActionPolicy"
        return note(
            "Policies",
            f"nothing runs in namespace {namespace}, everything is only previewed (Observed): {why}",
            f"kubectl actions mode Execute -n {namespace} --reason TEXT",
            "better, with approvals, limits and a runner: an ActionPolicy in Git (docs/spec/actionpolicy.md)",
        )
    halted = sorted({one.halted_by for one in effects if one.halted_by})
    if halted:
        said = f"halted in namespace {namespace} by {', '.join(halted)}: nothing new starts"
        return note("Policies", said, f"kubectl actions resume apol/{halted[0]}")
    rest = ", the others are only previewed" if running < len(effects) else ""
    return ok("Policies", f"{running} of {len(effects)} action types run in namespace {namespace}{rest}")


def rights(about: str, who: str, missing: Sequence[str], asked: int, *mend: str) -> Finding:
    """Of somebody who needs them all."""
    if not missing:
        return ok(about, f"{who} has all {asked} that it needs")
    more = f" and {len(missing) - _MOST} more" if len(missing) > _MOST else ""
    return broken(about, f"{who} may not {'; '.join(missing[:_MOST])}{more}", *mend)


def _dotted(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))
