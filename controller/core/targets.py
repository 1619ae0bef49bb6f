"""What an action is done to, for keeping two actions on the same thing apart.

Told by the parameters that name a target: those that types mark as `fixed` under one of these names. So it is known
before any preview, of finished actions as well, and types that name the same object alike have the same target.
"""

from collections.abc import Iterable

from controller.core.ports import Json

NAMES = frozenset({"kind", "name", "namespace", "node", "url", "manifest"})


def target_of(fixed: Iterable[str], namespace: str, parameters: Json) -> str | None:
    """`Deployment shop/checkout`, `Node node-3`, `https://hooks.example.com/page`; None where nothing is named."""
    named = {name: parameters[name] for name in sorted(NAMES.intersection(fixed)) if name in parameters}
    match named:
        case {"node": node}:
            return f"Node {node}"
        case {"url": url}:
            return str(url).partition("?")[0]
        case {"manifest": {"kind": kind, "metadata": {"name": name}}}:
            return f"{kind} {namespace}/{name}"
        case {"name": name}:
            path = f"{named.get('namespace', namespace)}/{name}"
            return f"{named['kind']} {path}" if "kind" in named else path
    return None
