"""What a Dockerfile takes from its folder: the files it copies, and the locks it installs from."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

IGNORED = ("**/__pycache__", "**/*.pyc", ".git", ".venv")
"""What is left out of the build, where the folder has no .dockerignore."""


@dataclass(frozen=True)
class Dockerfile:
    """One Dockerfile in its folder."""

    folder: Path

    @property
    def path(self) -> Path:
        """Return the file itself."""
        return self.folder / "Dockerfile"

    def locks(self) -> list[Path]:
        """Return the requirement files that it gives to pip."""
        names = re.findall(r"\s-r[ =](\S+)", self._text())
        return [self.folder / name for name in dict.fromkeys(names)]

    def digest(self, *also: str) -> str:
        """Return a digest of everything that decides what is built: itself, and each file that it copies."""
        digest = hashlib.sha256("\n".join(also).encode())
        for path in (self.path, *self._copied()):
            digest.update(str(path.relative_to(self.folder)).encode() + b"\0")
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()[:12]

    def _copied(self) -> Iterator[Path]:
        for source in self._sources():
            for match in sorted(self.folder.glob(source.rstrip("/"))):
                below = sorted(match.rglob("*")) if match.is_dir() else [match]
                yield from (one for one in below if one.is_file() and "__pycache__" not in one.parts)

    def _sources(self) -> Iterator[str]:
        lines = re.sub(r"\\\n", " ", self._text()).splitlines()
        for words in (line.split() for line in lines):
            if words and words[0] == "COPY" and not any(word.startswith("--from=") for word in words):
                yield from (word for word in words[1:-1] if not word.startswith("--"))

    def _text(self) -> str:
        return self.path.read_text(encoding="utf-8")
