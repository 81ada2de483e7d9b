"""Owns how a shard's file is opened, plain or encrypted by SQLCipher: rows, indexes and write-ahead log, page by page.

Which key a file is encrypted under stands in a file beside it; a plain one has none. The shard's file itself is never
opened to look: when a process closes a file, it loses the locks that SQLite holds on it there. For the same reason one
file is never opened by both libraries.
"""

import os
import sqlite3
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from embedmill.shared.errors import MissingExtra, ShardDamaged
from embedmill.shared.sealing.derivation import derive_key
from embedmill.shared.sealing.envelope import DataKey
from embedmill.shared.sealing.ring import KeyRing

SUFFIX = "-key"
"""Behind the name of a shard's file: ids of keys, by the inode of a file that is put in its place, or by nothing."""


def connect(path: Path, uri: str, ring: KeyRing, **options: Any) -> sqlite3.Connection:
    """A connection to a shard's file. SQLCipher's module is made as sqlite3 is.

    Raises KeyUnavailable, ShardDamaged, MissingExtra.
    """
    key_id = key_id_of(path)
    return (
        sqlite3.connect(uri, uri=True, **options) if not key_id else unlock(uri, _find(path, ring, key_id), **options)
    )


def unlock(uri: str, key: DataKey | None, **options: Any) -> sqlite3.Connection:
    """A connection by SQLCipher: to a plain file without a key."""
    connection: sqlite3.Connection = _load_library().connect(uri, uri=True, **options)
    if key is not None:
        connection.execute(f"PRAGMA key = {literal_of(key)}")
    return connection


def literal_of(key: DataKey) -> str:
    """What a statement of SQLCipher names the key of shards by, which is none of a passphrase."""
    return f"\"x'{derive_key(key.material, 'shard').hex()}'\""


def choose(path: Path, ring: KeyRing) -> None:
    """Write down the key of a file that is about to be made."""
    key = ring.current()
    if key is not None:
        write_key_ids(path, {"": key.id})
    else:
        Path(f"{path}{SUFFIX}").unlink(missing_ok=True)


def key_id_of(path: Path) -> str | None:
    """The id of the key that a file is encrypted under; None or nothing for a plain one."""
    try:
        ids = orjson.loads(Path(f"{path}{SUFFIX}").read_bytes())
        found: str | None = ids.get(str(os.stat(path).st_ino) if path.exists() else "", ids.get(""))
    except FileNotFoundError:
        return None
    except (ValueError, AttributeError):
        raise ShardDamaged(f"vector shard {path}: what tells its key is damaged") from None
    return found


def write_key_ids(path: Path, ids: Mapping[str, str | None]) -> None:
    """Write down which file has which key; whoever reads sees all of it or what was there before."""
    draft = Path(f"{path}{SUFFIX}.draft")
    with draft.open("wb") as file:
        file.write(orjson.dumps(dict(ids)))
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, f"{path}{SUFFIX}")


def errors() -> tuple[type[Exception], ...]:
    """What either library raises; SQLCipher's only where it was loaded."""
    loaded = sys.modules.get("sqlcipher3.dbapi2")
    return (sqlite3.Error, loaded.Error) if loaded else (sqlite3.Error,)


def _find(path: Path, ring: KeyRing, key_id: str) -> DataKey:
    key = ring.find(key_id)
    if key is None:
        raise ShardDamaged(
            f"vector shard {path} is encrypted under key {key_id}, which this installation does not have"
        )
    return key


def _load_library() -> Any:
    try:
        from sqlcipher3 import dbapi2
    except ImportError:
        raise MissingExtra("an encrypted store needs the extra: pip install 'embedmill[encryption]'") from None
    return dbapi2
