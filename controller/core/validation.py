"""What is wrong with an object as it was written: unknown or unsupported fields, action type, parameters."""

from collections.abc import Iterator, Mapping
from difflib import SequenceMatcher

from controller.api.base import SpecModel, unknown_fields
from controller.api.names import Reason
from controller.core import kinds
from controller.core.policy import EffectivePolicy
from controller.core.ports import Json
from controller.core.view import Fault
from controller.core.world import Catalogue, Executors, Traits, TypeEntry

MAX_LISTED_TYPES = 12


def field_faults(spec: SpecModel) -> Iterator[Fault]:
    """Fields that the schema or the operator does not know: they fail closed, with their path."""
    for path in unknown_fields(spec, "spec"):
        yield Fault(Reason.UNKNOWN_FIELD, f"{path}: is not a field of this kind; remove it")


def action_faults(
    catalogue: Catalogue, action: str, parameters: Json, path: str, computed: frozenset[str] = frozenset()
) -> list[Fault]:
    """Faults of one action: type unknown or not ready, every fault of its parameters. `path`: `spec` or a step's.

    `computed`: paths of parameters that are not known yet. What is wrong with them shows when they are.
    """
    entry = catalogue.types.get(action)
    if entry is None:
        return [
            Fault(
                Reason.UNKNOWN_ACTION,
                f"{path}.action: {unknown_action(catalogue.types, action)}",
                missing=True,
            )
        ]
    unready = type_fault(entry, catalogue.executors)
    if unready:
        message = f"{path}.action: ActionType {action} cannot run here: {unready.message}"
        return [Fault(Reason.TYPE_NOT_READY, message, missing=True)]
    faults = entry.parameters.faults(parameters, f"{path}.parameters", computed)
    if not faults and not computed:
        faults = _reading_faults(catalogue.executors, entry, parameters, path)
    return [Fault(Reason.INVALID_PARAMETERS, fault) for fault in faults]


def _reading_faults(executors: Executors, entry: TypeEntry, parameters: Json, path: str) -> list[str]:
    """What the executor itself cannot read, where a type's schema is looser than its executor."""
    try:
        executors.traits(entry, parameters)
    except ValueError as error:
        return [f"{path}.{line}" for line in str(error).splitlines()]
    return []


def kind_faults(traits: Traits, policy: EffectivePolicy, path: str) -> Iterator[Fault]:
    """Why a generic action may not touch the kind that it names. `path`: `spec` or a step's."""
    if traits.kind is None:
        return
    if kinds.never(traits.kind):
        yield Fault(Reason.KIND_NOT_ALLOWED, f"{path}.parameters: {traits.kind} {kinds.NEVER}")
    elif message := kinds.refusal(traits.kind, policy.kinds):
        yield Fault(Reason.KIND_NOT_ALLOWED, f"{path}.parameters: {message}", missing=True)


def type_fault(entry: TypeEntry, executors: Executors) -> Fault | None:
    """Why an action type is not Ready."""
    if entry.unknown_field:
        return Fault(Reason.UNKNOWN_FIELD, f"{entry.unknown_field}: is not a field of ActionType; remove it")
    if missing := executors.fault(entry):
        return Fault(Reason.NOT_SUPPORTED, missing)
    broken = entry.parameters.fault
    return Fault(Reason.INVALID_PARAMETERS, broken) if broken else None


def unknown_action(types: Mapping[str, object], action: str) -> str:
    """`there is no ActionType scale; available: scale-workload, ...`, the closest names first."""
    if not types:
        return f"there is no ActionType {action}, nor any other; apply the catalogue (kubectl apply -f catalog/)"
    ranked = sorted(types, key=lambda name: (-SequenceMatcher(None, action, name).ratio(), name))
    listed = ", ".join(ranked[:MAX_LISTED_TYPES])
    left = len(ranked) - MAX_LISTED_TYPES
    more = f" and {left} more (`kubectl actions types` lists all)" if left > 0 else ""
    return f"there is no ActionType {action}; available: {listed}{more}"
