"""Keys: which there are, under which root, and their rotation, which wraps them anew and touches nothing else."""

from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from embedmill.console.services.reach import installation
from embedmill.console.services.serving import Trace, serves
from embedmill.shared.access.principals import Principal, Right
from embedmill.shared.db import collections
from embedmill.shared.db.keyring import StoredKey, find_wrapped, rewrap_keys
from embedmill.shared.durations import moment
from embedmill.shared.errors import KeyUnavailable, UserError
from embedmill.shared.privacy.keys import Keys, rewrapped
from embedmill.shared.privacy.roots import Root, make_key_file, open_root
from embedmill.shared.runtime import Runtime


@dataclass(frozen=True, slots=True)
class KeyReport:
    """The installation's secret, or a data key of a collection; `root` wraps it, `here` says whether that is here."""

    id: str
    kind: str
    collection: str | None
    state: str
    root: str
    root_name: str
    here: bool
    created: datetime
    wrapped: datetime


@dataclass(frozen=True, slots=True)
class KeyReports:
    """The root key that new keys are wrapped by, where it is, and every key."""

    root: str | None
    root_name: str
    keys: Sequence[KeyReport]


@dataclass(frozen=True, slots=True)
class Rotated:
    """The root key that wraps all keys now, how many were wrapped anew, and which root is of no use any more."""

    root: str
    root_name: str
    rewrapped: int
    unused: str | None


@dataclass(frozen=True, slots=True)
class MadeKey:
    """A new root key, in a file; `setting` is what EMBEDMILL_KEY is to be set to."""

    path: str
    setting: str


@serves("keys.show", Right.MANAGE, installation, trace=Trace.NOTHING)
def show_keys(runtime: Runtime) -> KeyReports:
    """Every key but the root keys themselves; no key's bytes."""
    found = runtime.database.query(collections.list_collections)
    names = {collection.id: collection.name for collection in found}
    root = _find_root(runtime.keys)
    return KeyReports(
        root.id if root else None,
        root.name if root else runtime.settings.key,
        [
            _describe(runtime.keys, key, names.get(key.collection_id or 0))
            for key in runtime.database.query(find_wrapped)
        ],
    )


def _by_named_roots(runtime: Runtime, principal: Principal, given: MutableMapping[str, Any]) -> str | None:
    """The installation, opened by the named roots, too: under one of them may lie the key of the audit itself."""
    scope = installation(runtime, principal, given)
    for url in (*given["old"], *([given["to"]] if given["to"] else ())):
        runtime.keys.admit_root(open_root(url))
    return scope


@serves("keys.rotate", Right.MANAGE, _by_named_roots)
def rotate_keys(runtime: Runtime, *, to: str | None = None, old: Sequence[str] = ()) -> Rotated:
    """Wrap all keys anew: by the root key that `to` names, or EMBEDMILL_KEY, or a new one of the installation's own.

    The old root key has to be here; `old` names others that wrapped some of the keys. Nothing that is encrypted is read
    or written. What was wrapped stays so if this is interrupted, and opens with either. Raises KeyUnavailable,
    SettingsError.
    """
    del old  # they are admitted
    root = open_root(to) if to else runtime.keys.next_root()
    count = 0
    while left := [key for key in runtime.database.query(find_wrapped) if key.root_id != root.id]:
        anew = [rewrapped(key, runtime.keys.unwrap(key), root) for key in left]
        runtime.database.transact(rewrap_keys, anew)
        count += len(anew)
    unused = runtime.keys.settle_root(root)
    return Rotated(root.id, root.name, count, unused or None)


@serves("keys.make", Right.MANAGE, installation, trace=Trace.NOTHING)
def make_key(runtime: Runtime, path: Path) -> MadeKey:
    """Make a root key in a file that only its owner reads; raises UserError for one that is there.

    It leaves no record: that would need a key, and make one of the installation's own.
    """
    del runtime
    if path.exists():
        raise UserError(f"{path} is there already", hint="Keep it: what is encrypted under it cannot be read without.")
    make_key_file(path)
    return MadeKey(str(path), f"file://{path.absolute()}")


def _find_root(keys: Keys) -> Root | None:
    try:
        return keys.find_root()
    except KeyUnavailable:
        return None


def _describe(keys: Keys, key: StoredKey, collection: str | None) -> KeyReport:
    return KeyReport(
        id=key.id,
        kind=key.kind,
        collection=collection,
        state=key.state,
        root=key.root_id or "",
        root_name=key.root_name or "",
        here=keys.has_root_of(key),
        created=moment(key.created_at),
        wrapped=moment(key.wrapped_at),
    )
