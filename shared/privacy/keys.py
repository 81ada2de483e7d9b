"""The keys of an installation: one secret, out of which keys for hashes and signatures are made, and data keys.

All of them are wrapped by a root key. The root is the one that EMBEDMILL_KEY names; where nothing is named, one that is
made here: a file beside SQLite's that its owner reads, or, where several hosts share a database server, a row there.
The secret stays the same when the root changes, so that what was hashed with it is found again.
"""

import hmac
import secrets
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from embedmill.shared.db.engine import Database
from embedmill.shared.db.keyring import (
    DATA,
    ROOT,
    SECRET,
    StoredKey,
    add_data_key,
    add_root,
    add_sole_key,
    find_key,
    find_keys,
    find_wrapped,
    keep_root,
    new_key_id,
)
from embedmill.shared.errors import KeyUnavailable
from embedmill.shared.privacy.roots import LocalRoot, Root, find_key_file, make_key_file, open_root
from embedmill.shared.sealing.derivation import KEY_BYTES, derive_key, framed
from embedmill.shared.sealing.envelope import DataKey

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from embedmill.shared.db.engine import Connection

KEY_FILE = "installation.key"
SIGNATURE_BYTES = 64
MOST_DERIVED = 1_000
"""Derived keys that are remembered: each collection has some."""


class Keys:
    """The keys; made once for a process. Every method raises KeyUnavailable where the root key is not here.

    The first use in an installation writes a row: it must not stand inside a transaction.
    """

    def __init__(self, database: Database, *, url: str, folder: Path) -> None:
        self._database = database
        self._url = url
        self._key_file = folder / KEY_FILE
        self._data_keys: dict[str, DataKey] = {}
        self._current: dict[int, str] = {}
        self._derived: dict[tuple[str, str], bytes] = {}
        self._others: list[Root] = []

    @property
    def key_id(self) -> str:
        """The id of the secret, which tells under which key a hash or signature was made; 16 hex digits."""
        return self._secret.id

    def derive(self, purpose: str, collection: str = "") -> bytes:
        """32 bytes for one purpose, and one collection; the same in every process of this installation, for ever."""
        known = (purpose, collection)
        if known not in self._derived:
            if len(self._derived) >= MOST_DERIVED:
                self._derived.clear()
            self._derived[known] = derive_key(self._secret.material, "purpose", purpose, collection)
        return self._derived[known]

    def mac(self, purpose: str, data: str | bytes, collection: str = "") -> bytes:
        """A hash of 32 bytes that nobody without the key can try guesses against."""
        text = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
        return hmac.digest(self.derive(purpose, collection), text, "sha256")

    def sign(self, data: bytes) -> bytes:
        """A signature (Ed25519, 64 bytes) that whoever has `public_key` can check."""
        return self._signer.sign(data)

    def verify(self, data: bytes, signature: bytes) -> bool:
        """Whether a signature is this installation's, of these bytes."""
        return is_signed(self.public_key, data, signature)

    @property
    def public_key(self) -> bytes:
        """What signatures are checked with elsewhere: 32 bytes, and no secret."""
        return self._signer.public_key().public_bytes_raw()

    def create_data_key(self, connection: "Connection", collection_id: int, root: Root) -> str:
        """A new key for a collection, wrapped by a root (see `root`), in the transaction that needs it; its id.

        Refused where other keys lie under a root that is not here: no root would open all of them any more.
        """
        self._require_same_root(connection, root)
        key_id = new_key_id()
        body = root.wrap(secrets.token_bytes(KEY_BYTES), wrapping_purpose(DATA, key_id))
        add_data_key(connection, _stored(key_id, DATA, root, body, collection_id))
        self._current.pop(collection_id, None)
        return key_id

    def _require_same_root(self, connection: "Connection", root: Root) -> None:
        known = {root.id, *(own.id for own in self._own_roots(connection))}
        for stored in find_wrapped(connection):
            if stored.root_id not in known:
                raise self._lacking(stored)

    def current_data_key(self, collection_id: int) -> DataKey:
        """The key under which a collection's texts are sealed now."""
        if collection_id not in self._current:
            found = self._database.query(find_keys, DATA, collection_id=collection_id)
            if not found:
                raise KeyUnavailable(f"collection {collection_id} is encrypted, and its key is gone")
            self._current[collection_id] = found[-1].id
        return self.data_key(self._current[collection_id])

    def forget_current(self) -> None:
        """Look again which keys are collections' current ones: another process may have made new ones."""
        self._current.clear()

    def data_key(self, key_id: str) -> DataKey:
        """A key by its id, as it stands in what was sealed."""
        found = self.find_data_key(key_id)
        if found is None:
            raise KeyUnavailable(f"something is encrypted under key {key_id}, which this installation does not have")
        return found

    def find_data_key(self, key_id: str) -> DataKey | None:
        """The same; None for one that this installation does not have."""
        if key_id not in self._data_keys:
            stored = self._database.query(find_key, key_id)
            if stored is None:
                return None
            self._data_keys[key_id] = DataKey(key_id, self.unwrap(stored), stored.collection_id or 0)
        return self._data_keys[key_id]

    def unwrap(self, stored: StoredKey) -> bytes:
        """The bytes of a stored key."""
        root, purpose = self.root_of(stored), wrapping_purpose(stored.kind, stored.id)
        if stored.body is None and isinstance(root, LocalRoot):
            return root.derive(purpose)
        return root.unwrap(stored.body or b"", purpose)

    def root_of(self, stored: StoredKey) -> Root:
        """The root that wrapped a key: the one that is set, or the one that was made here before."""
        for root in self._roots():
            if root.id == stored.root_id:
                return root
        raise self._lacking(stored)

    def _lacking(self, stored: StoredKey) -> KeyUnavailable:
        there = f"EMBEDMILL_KEY names another one ({self.root.id})" if self._url else "EMBEDMILL_KEY is not set"
        return KeyUnavailable(
            f"the keys of this installation need root key {stored.root_id} ({stored.root_name}): {there}"
        )

    def admit_root(self, root: Root) -> None:
        """Open with another root, too, what it wrapped."""
        self._others.append(root)

    def has_root_of(self, stored: StoredKey) -> bool:
        """Whether the root that wrapped a key is here."""
        try:
            self.root_of(stored)
        except KeyUnavailable:
            return False
        return True

    def find_root(self) -> Root | None:
        """The root that wraps new keys, if there is one already."""
        return self.root if self._url else next(self._own_roots(), None)

    def next_root(self) -> Root:
        """The root to change to where none is named: that of the settings, or a new one of the installation's own."""
        if self._url:
            return self.root
        if self._database.is_sqlite:
            return self._own_root(make_key_file(self._next_file))
        new = StoredKey(new_key_id(), ROOT, None, None, None, secrets.token_bytes(KEY_BYTES), "former", 0, 0)
        self._database.transact(add_root, new)
        return self._own_root(new.body or b"")

    def settle_root(self, root: Root) -> str:
        """Leave of the installation's own roots only the one that wraps everything now, if it is one of them.

        Returns the name of one that is of no use any more and was left: other databases may share its file.
        """
        vars(self).pop("root", None)
        if not self._database.is_sqlite:
            self._database.transact(keep_root, root.id, lambda body: self._own_root(body).id)
            return ""
        if self._is_in(self._next_file, root):
            self._next_file.replace(self._key_file)
        elif self._is_in(self._key_file, root):
            self._next_file.unlink(missing_ok=True)
        return next((each.name for each in self._own_roots() if each.id != root.id), "")

    def unused_own_root(self) -> str:
        """The name of a root of the installation's own that wraps nothing, though something else does; or nothing."""
        used = {key.root_id for key in self._database.query(find_wrapped)}
        return next((own.name for own in self._own_roots() if used and own.id not in used), "")

    def leans_on_own_root(self) -> bool:
        """Whether a key lies under a root of the installation's own, although another one is set."""
        used = {key.root_id for key in self._database.query(find_wrapped)}
        return bool(self._url) and any(own.id in used - {self.root.id} for own in self._own_roots())

    def _is_in(self, file: Path, root: Root) -> bool:
        body = find_key_file(file)
        return body is not None and self._own_root(body).id == root.id

    @property
    def _next_file(self) -> Path:
        return self._key_file.with_name(f"{KEY_FILE}.next")

    @cached_property
    def root(self) -> Root:
        """The root that wraps new keys."""
        return open_root(self._url) if self._url else self._make_own_root()

    def _roots(self) -> Iterator[Root]:
        if self._url:
            yield self.root
        yield from self._others
        yield from self._own_roots()

    def _own_roots(self, connection: "Connection | None" = None) -> Iterator[LocalRoot]:
        """Those that were made here: one, and while it is changed for another, that too."""
        if self._database.is_sqlite:
            bodies = [find_key_file(self._key_file), find_key_file(self._next_file)]
        else:
            roots = find_keys(connection, ROOT) if connection is not None else self._database.query(find_keys, ROOT)
            bodies = [key.body for key in roots]
        yield from (self._own_root(body) for body in bodies if body)

    def _make_own_root(self) -> LocalRoot:
        if found := next(self._own_roots(), None):
            return found
        if self._database.is_sqlite:
            return self._own_root(make_key_file(self._key_file))
        new = StoredKey(new_key_id(), ROOT, None, None, None, secrets.token_bytes(KEY_BYTES), "current", 0, 0)
        return self._own_root(self._database.transact(add_sole_key, new).body or b"")

    def _own_root(self, material: bytes) -> LocalRoot:
        return LocalRoot(material, name=self._own_name)

    @property
    def _own_name(self) -> str:
        return f"file://{self._key_file}" if self._database.is_sqlite else "a row of the tracking database"

    @cached_property
    def _secret(self) -> DataKey:
        found = self._database.query(find_keys, SECRET)
        stored = found[-1] if found else self._database.transact(add_sole_key, self._new_secret())
        return DataKey(stored.id, self.unwrap(stored))

    def _new_secret(self) -> StoredKey:
        key_id, root = new_key_id(), self.root
        if isinstance(root, LocalRoot):
            return _stored(key_id, SECRET, root, None)
        body = root.wrap(secrets.token_bytes(KEY_BYTES), wrapping_purpose(SECRET, key_id))
        return _stored(key_id, SECRET, root, body)

    @cached_property
    def _signer(self) -> "Ed25519PrivateKey":
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return Ed25519PrivateKey.from_private_bytes(self.derive("signature"))


def is_signed(public_key: bytes, data: bytes, signature: bytes) -> bool:
    """Whether whoever has the private key signed these bytes."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, data)
    except InvalidSignature:
        return False
    return True


def wrapping_purpose(kind: str, key_id: str) -> bytes:
    """What a wrapped key is bound to."""
    return framed("key", kind, key_id)


def rewrapped(stored: StoredKey, material: bytes, root: Root) -> StoredKey:
    """A stored key as another root wraps it."""
    body = root.wrap(material, wrapping_purpose(stored.kind, stored.id))
    return replace(stored, root_id=root.id, root_name=root.name, body=body)


def _stored(key_id: str, kind: str, root: Root, body: bytes | None, collection_id: int | None = None) -> StoredKey:
    return StoredKey(key_id, kind, collection_id, root.id, root.name, body, "current", 0, 0)
