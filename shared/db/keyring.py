"""The keys of an installation, wrapped by a root key, and the root key itself where a server's hosts share one."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select, update

from embedmill.shared.db.bulk import insert_or
from embedmill.shared.db.clock import clock
from embedmill.shared.db.schema import encryption_key

ROOT, SECRET, DATA = KEY_KINDS = ("root", "secret", "data")


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key as it is stored; a secret without a body is what its root derives for its id."""

    id: str
    kind: str
    collection_id: int | None
    root_id: str | None
    root_name: str | None
    body: bytes | None
    state: str
    created_at: float
    wrapped_at: float


def find_keys(connection: Connection, kind: str, *, collection_id: int | None = None) -> list[StoredKey]:
    """Keys of a kind, oldest first."""
    query = select(*_COLUMNS).where(encryption_key.c.kind == kind).order_by(encryption_key.c.created_at)
    if collection_id is not None:
        query = query.where(encryption_key.c.collection_id == collection_id)
    return [StoredKey(*row) for row in connection.execute(query)]


def find_wrapped(connection: Connection) -> list[StoredKey]:
    """Every key that a root wraps, the secret first."""
    return [key for kind in (SECRET, DATA) for key in find_keys(connection, kind)]


def find_key(connection: Connection, key_id: str) -> StoredKey | None:
    """A key by its id."""
    row = connection.execute(select(*_COLUMNS).where(encryption_key.c.id == key_id)).first()
    return StoredKey(*row) if row else None


def add_sole_key(connection: Connection, key: StoredKey) -> StoredKey:
    """The installation's one key of a kind: this one, or the one that another process added before."""
    make = insert_or(connection, encryption_key).values(**_values(key), created_at=clock(), wrapped_at=clock())
    connection.execute(make.on_conflict_do_nothing())
    return next(found for found in find_keys(connection, key.kind) if found.state == key.state)


def add_root(connection: Connection, root: StoredKey) -> None:
    """A root beside the one that there is."""
    connection.execute(insert(encryption_key).values(**_values(root), created_at=clock(), wrapped_at=clock()))


def keep_root(connection: Connection, root_id: str, id_of: Callable[[bytes], str]) -> None:
    """Let all roots go but the one of whose bytes `id_of` tells this id, and those that still wrap a key."""
    kept = {root_id, *(key.root_id for key in find_wrapped(connection))}
    gone = [key.id for key in find_keys(connection, ROOT) if id_of(key.body or b"") not in kept]
    connection.execute(delete(encryption_key).where(encryption_key.c.id.in_(gone)))
    connection.execute(update(encryption_key).where(encryption_key.c.kind == ROOT).values(state="current"))


def add_data_key(connection: Connection, key: StoredKey) -> None:
    """A collection's new key; what is sealed from now on is sealed under it."""
    former = (encryption_key.c.collection_id == key.collection_id, encryption_key.c.state == "current")
    connection.execute(update(encryption_key).where(*former).values(state="former"))
    connection.execute(insert(encryption_key).values(**_values(key), created_at=clock(), wrapped_at=clock()))


def rewrap_keys(connection: Connection, keys: Sequence[StoredKey]) -> None:
    """Write keys as another root wrapped them."""
    for key in keys:
        changed = {"root_id": key.root_id, "root_name": key.root_name, "body": key.body, "wrapped_at": clock()}
        connection.execute(update(encryption_key).where(encryption_key.c.id == key.id).values(**changed))


def new_key_id() -> str:
    """An id that no other key has."""
    return secrets.token_hex(8)


_COLUMNS = [encryption_key.c[name] for name in StoredKey.__slots__]
_TIMES = ("created_at", "wrapped_at")


def _values(key: StoredKey) -> dict[str, object]:
    return {name: getattr(key, name) for name in StoredKey.__slots__ if name not in _TIMES}
