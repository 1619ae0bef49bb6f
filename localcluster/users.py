"""Who may come in: people and programs, known to the API server by their tokens."""

import secrets
from dataclasses import dataclass, field
from pathlib import Path

ADMINISTRATORS = "system:masters"
PEOPLE = {"alice": "sre", "bob": "developers", "carol": "sre"}
NODES = "system:nodes"
PROGRAMS = ("kube-controller-manager", "kube-scheduler", "kwok")


@dataclass(frozen=True)
class User:
    """Somebody whom the API server knows by a token."""

    name: str
    group: str
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)

    def line(self) -> str:
        """Return the line of the API server's token file: token, name, uid, groups."""
        return f'{self.token},{self.name},{self.name},"{self.group}"\n'


@dataclass(frozen=True)
class Credentials:
    """All who may come in. The programs have names of their own, so that audit tells them apart."""

    admin: User = field(default_factory=lambda: User("admin", ADMINISTRATORS))
    people: tuple[User, ...] = field(default_factory=lambda: tuple(User(name, group) for name, group in PEOPLE.items()))
    programs: tuple[User, ...] = field(
        default_factory=lambda: tuple(User(f"system:{name}", ADMINISTRATORS) for name in PROGRAMS)
    )

    node: User | None = None
    """The kubelet of a real node."""

    def everybody(self) -> tuple[User, ...]:
        """Return all users."""
        node = () if self.node is None else (self.node,)
        return (self.admin, *self.people, *self.programs, *node)

    def write(self, path: Path) -> None:
        """Write the API server's token file, readable by its owner only."""
        path.touch(mode=0o600)
        path.write_text("".join(user.line() for user in self.everybody()))
