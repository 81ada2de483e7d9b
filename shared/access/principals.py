"""Who somebody is to this installation: a role, the collections that they reach, the access levels that they read."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from embedmill.shared.errors import UsageError

LEVEL = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}")
ALL = "*"
"""Every collection, or every level."""


class Right(StrEnum):
    """What a service may ask of whoever calls it."""

    READ = "read"
    OPERATE = "operate"
    MANAGE = "manage"
    AUDIT = "audit"


class Role(StrEnum):
    """What somebody is there for."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"
    AUDITOR = "auditor"


RIGHTS: Mapping[Role, frozenset[Right]] = {
    Role.VIEWER: frozenset({Right.READ}),
    Role.OPERATOR: frozenset({Right.READ, Right.OPERATE}),
    Role.ADMIN: frozenset(Right),
    Role.AUDITOR: frozenset({Right.AUDIT}),
}
"""An auditor sees who did what, and no document."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody who calls; None stands for every collection, or every level.

    `address` is where the call came from, and `token` the id of the token that says so, if one does.
    """

    name: str
    role: Role
    collections: frozenset[str] | None = None
    levels: frozenset[str] | None = None
    address: str = ""
    token: str = ""

    def __post_init__(self) -> None:
        """Only who reads has levels: what an operator handles are whole documents."""
        if self.levels is not None and self.role is not Role.VIEWER:
            raise UsageError(
                f"access levels are for viewers: {self.role} handles whole collections",
                hint="Leave the levels out, or choose the role viewer.",
            )

    def may(self, right: Right) -> bool:
        """Whether the role has a right."""
        return right in RIGHTS[self.role]

    def reaches(self, collection: str) -> bool:
        """Whether there is such a collection, for this principal."""
        return self.collections is None or collection in self.collections

    @property
    def reads_every_level(self) -> bool:
        """Whether nothing within a collection is kept from them."""
        return self.levels is None

    @property
    def scope(self) -> tuple[str, ...]:
        """What two principals share who may see the very same; what caches are kept under."""
        if self.collections is None and self.levels is None:
            return ()
        whose = (ALL,) if self.levels is None else (self.name, *sorted(self.levels))
        return ("of", *sorted(self.collections or (ALL,)), "reads", *whose)

    @classmethod
    def of_this_machine(cls) -> Self:
        """Whoever runs this process with no token: the owner of the home, who may do everything."""
        return cls(_name_user(), Role.ADMIN, address="local")


def _name_user() -> str:
    """Who runs this process, and where."""
    import getpass
    import socket

    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (KeyError, OSError):
        return socket.gethostname()


def read_level(text: object) -> str | None:
    """An access level as it is compared; None for what is none."""
    level = text.strip().casefold() if isinstance(text, str) else ""
    return level if LEVEL.fullmatch(level) else None


def require_level(text: str) -> str:
    """The same; raises UsageError."""
    level = read_level(text)
    if level is None:
        raise UsageError(
            f"{text[:80]!r} is no access level",
            hint="Use letters, digits, '.', '-' and '_', for example: internal.",
        )
    return level


def require_name(text: str) -> str:
    """The name of a principal; raises UsageError."""
    if not NAME.fullmatch(text):
        raise UsageError(
            f"{text[:80]!r} is no name of a principal",
            hint="Use up to 100 letters, digits and . _ @ + -, beginning with a letter or digit.",
        )
    return text


def read_levels(given: Iterable[str]) -> frozenset[str] | None:
    """Levels as somebody names them, `*` or none for every one; raises UsageError."""
    named = list(given)
    return None if not named or ALL in named else frozenset(map(require_level, named))


def read_collections(given: Iterable[str]) -> frozenset[str] | None:
    """Collections as somebody names them, `*` or none for every one."""
    named = frozenset(given)
    return None if not named or ALL in named else named
