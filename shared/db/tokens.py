"""Tokens that were issued here: made, found, listed and revoked."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, or_, select, update

from embedmill.shared.access.principals import Principal, Role
from embedmill.shared.access.tokens import MadeToken
from embedmill.shared.db.clock import clock
from embedmill.shared.db.schema import access_token


@dataclass(frozen=True, slots=True)
class StoredToken:
    """A token as it is kept: nothing of its secret but a hash; times in seconds since 1970."""

    id: str
    name: str
    role: str
    collections: Sequence[str] | None
    levels: Sequence[str] | None
    hash: str
    created_at: float
    created_by: str
    expires_at: float | None
    revoked_at: float | None
    revoked_by: str | None

    @property
    def principal(self) -> Principal:
        """Whoever has it."""
        return Principal(self.name, Role(self.role), _as_set(self.collections), _as_set(self.levels), token=self.id)


def _as_set(names: Sequence[str] | None) -> frozenset[str] | None:
    return None if names is None else frozenset(names)


def add_token(
    connection: Connection, made: MadeToken, principal: Principal, *, by: str, seconds: float | None
) -> StoredToken:
    """Keep a new token, which ends after so many seconds; None for one that does not."""
    values = {
        "id": made.id,
        "name": principal.name,
        "role": principal.role,
        "collections": _as_list(principal.collections),
        "levels": _as_list(principal.levels),
        "hash": made.hash,
        "created_at": clock(),
        "created_by": by,
        "expires_at": None if seconds is None else clock() + seconds,
    }
    connection.execute(insert(access_token).values(values))
    found = find_token(connection, made.id)
    assert found is not None
    return found


def _as_list(names: frozenset[str] | None) -> list[str] | None:
    return None if names is None else sorted(names)


def find_token(connection: Connection, id_: str) -> StoredToken | None:
    """A token by its id, whatever became of it."""
    row = connection.execute(select(access_token).where(access_token.c.id == id_)).first()
    return _stored(row) if row else None


def find_valid_token(connection: Connection, id_: str) -> StoredToken | None:
    """The same, if it is neither revoked nor expired by the database's clock."""
    valid = (access_token.c.revoked_at.is_(None), _is_unexpired())
    row = connection.execute(select(access_token).where(access_token.c.id == id_, *valid)).first()
    return _stored(row) if row else None


def list_tokens(connection: Connection, *, all_: bool) -> list[StoredToken]:
    """Tokens that can be used, or all that ever were, the oldest first."""
    query = select(access_token).order_by(access_token.c.created_at, access_token.c.id)
    if not all_:
        query = query.where(access_token.c.revoked_at.is_(None), _is_unexpired())
    return [_stored(row) for row in connection.execute(query)]


def revoke_token(connection: Connection, id_: str, *, by: str) -> bool:
    """End a token; whether there was one to end."""
    query = update(access_token).where(access_token.c.id == id_, access_token.c.revoked_at.is_(None))
    return bool(connection.execute(query.values(revoked_at=clock(), revoked_by=by)).rowcount)


def _is_unexpired() -> Any:
    return or_(access_token.c.expires_at.is_(None), access_token.c.expires_at > clock())


def _stored(row: Any) -> StoredToken:
    return StoredToken(**row._mapping)
