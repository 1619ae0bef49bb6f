"""The configuration half of the official Kubernetes client, without the rest of it.

`import kubernetes` runs the whole package: the synchronous client, requests, websockets, OAuth; 15 MB that the operator
never uses. Its credential loaders stand alone, so they are imported here with the parent packages left unexecuted.
Whoever imports `kubernetes` afterwards gets the whole package as usual.
"""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

_PARENTS = {"kubernetes": None, "kubernetes.aio": "aio", "kubernetes.aio.config": "aio/config"}


@contextmanager
def credentials_only() -> Iterator[None]:
    """While open, `kubernetes` offers its asynchronous credential loaders and nothing else.

    Also meant to be open while kopf is imported: kopf takes the whole client along if it finds it, for convenience
    types that we do not use, and does without if it does not. Does nothing once the whole package is imported.
    """
    spec = None if "kubernetes" in sys.modules else find_spec("kubernetes")
    if spec is None or not spec.submodule_search_locations:
        yield
        return
    root = Path(next(iter(spec.submodule_search_locations)))
    bare = {name: _bare(name, None if folder is None else root / folder) for name, folder in _PARENTS.items()}
    sys.modules.update(bare)
    try:
        yield
    finally:
        for name, module in bare.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]


def loader(name: str) -> ModuleType:
    """The module `kubernetes.aio.config.<name>`: `incluster_config`, `kube_config` or `config_exception`."""
    path = f"kubernetes.aio.config.{name}"
    with credentials_only():
        return importlib.import_module(path)


def _bare(name: str, folder: Path | None) -> ModuleType:
    module = ModuleType(name)
    module.__path__ = [] if folder is None else [str(folder)]
    return module
