"""Takes out of an installed prefix what the operator and `kubectl actions` never load: python slim.py PREFIX

The image is built with it; more than half of what pip installs is other clients of the same API. A path that is not
there is an error, so that a new version of a package cannot bring back under another name what was taken out.
"""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

UNUSED = {
    "kubernetes/client": "the synchronous client; credentials come from the asynchronous one",
    "kubernetes/aio/client/api": "typed calls; every request goes over a connection pool of our own",
    "kubernetes/aio/client/models/v*.py": "models of the kinds, loaded only by the typed calls",
    "cel_expr_python/ext": "extensions of CEL that expressions do not have",
    "*/tests": "tests of packages",
}
"""Patterns below site-packages, and what that is."""


def slim(prefix: Path) -> Iterator[str]:
    """Removes it; what was removed, in words. Raises FileNotFoundError for a pattern that nothing fits."""
    packages = list(prefix.glob("lib/python3.*/site-packages"))
    if len(packages) != 1:
        raise FileNotFoundError(f"{prefix}: has no lib/python3.*/site-packages, so it is no prefix of Python packages")
    for pattern, what in UNUSED.items():
        found = list(packages[0].glob(pattern))
        if not found:
            raise FileNotFoundError(f"{packages[0]}: nothing is {pattern} ({what}); correct the list in slim.py")
        size = sum(file.stat().st_size for path in found for file in (path, *path.rglob("*")) if file.is_file())
        for path in found:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        yield f"{size / 1e6:6.1f} MB  {pattern}: {what}"


if __name__ == "__main__":
    for line in slim(Path(sys.argv[1])):
        print(line)
