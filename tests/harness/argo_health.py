"""What Argo CD makes of an object: our health.lua, run as Argo CD runs it.

Argo CD has Lua 5.1 with the libraries base, package, table and a small os, unless an administrator opens all of them
(its documentation: operator-manual/health.md). Here there is base and table, and nothing else.
"""

from typing import Any, NamedTuple

import lupa.lua51 as lupa

from hack.installation import ROOT

Json = dict[str, Any]
SCRIPT = ROOT / "config" / "gitops" / "argocd" / "health.lua"
STATUSES = ("Healthy", "Progressing", "Degraded", "Suspended")
"""What a script may say."""
NOT_THERE = ("string", "math", "io", "os", "debug", "package", "coroutine", "python")


class Health(NamedTuple):
    """A word of STATUSES, and what people are shown."""

    status: str
    message: str


def argo_health(found: Json, script: str | None = None) -> Health:
    """Raises LuaError where the script does, and AssertionError where Argo CD would not take its answer."""
    lua = lupa.LuaRuntime(unpack_returned_tuples=True)
    for library in NOT_THERE:
        lua.globals()[library] = None
    lua.globals().obj = lua.table_from(found, recursive=True)
    answer = lua.execute(SCRIPT.read_text() if script is None else script)
    assert lupa.lua_type(answer) == "table", f"no table: {answer!r}"
    assert answer["status"] in STATUSES, f"not a health: {answer['status']!r}"
    assert isinstance(answer["message"], str), f"no message: {answer['message']!r}"
    return Health(answer["status"], answer["message"])
