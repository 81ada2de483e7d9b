"""Seals what is stored of collections that are encrypted, and opens it again; everything else passes as it is.

What is sealed tells under which key, so whoever opens it need not know its collection. It is sealed for a place: a kind
of thing and, where it has a name by which it is looked up, that name.
"""

import base64
import binascii
import hmac
import zlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import orjson

from embedmill.shared.db.sealed import MARK
from embedmill.shared.sealing.derivation import framed
from embedmill.shared.sealing.envelope import DataKey, is_sealed, key_id_of, seal, seal_same, unseal
from embedmill.shared.sealing.ring import KeyRing

if TYPE_CHECKING:
    from embedmill.shared.privacy.keys import Keys
    from embedmill.shared.sealing.rotation import Rotation

PLAIN, PACKED = b"\x00", b"\x01"
LEVEL = 1
"""Of zlib, before sealing: what is sealed does not get shorter any more."""
LEAST_PACKED = 80
SEALED = "sealed"
"""What an object has instead of its own members."""


class Vault:
    """The sealing of one process. Raises KeyUnavailable, and SealBroken for what is not as it was written."""

    def __init__(self, keys: Callable[[], "Keys"], is_encrypted: Callable[[int], bool]) -> None:
        self._keys = keys
        self._is_encrypted = is_encrypted

    def is_encrypted(self, collection_id: int) -> bool:
        """Whether a collection is."""
        return self._is_encrypted(collection_id)

    def ring(self, collection_id: int) -> KeyRing:
        """The keys of a collection for its store."""
        return KeyRing(lambda: self.current_key(collection_id), lambda key_id: self._keys().find_data_key(key_id))

    def rotation(self, collection_id: int, dimensions: int) -> "Rotation":
        """The rotation of a collection's vectors; it stays when the collection's key is changed."""
        from embedmill.shared.sealing.rotation import Rotation

        return Rotation(self._keys().derive("rotation", str(collection_id)), dimensions)

    def current_key(self, collection_id: int) -> DataKey | None:
        """The key for what is written of a collection now; None unless it is encrypted."""
        return self._keys().current_data_key(collection_id) if self._is_encrypted(collection_id) else None

    def seal(self, collection_id: int, kind: str, data: bytes, *, name: str | bytes = "") -> bytes:
        """The bytes as they are to be stored; themselves unless the collection is encrypted."""
        key = self.current_key(collection_id)
        return data if key is None else seal(key, framed(kind, name), _pack(data))

    def open(self, kind: str, data: bytes, *, name: str | bytes = "") -> bytes:
        """The bytes that were given to `seal` for the same kind and name."""
        if not is_sealed(data):
            return data
        return _unpack(unseal(self._keys().data_key(key_id_of(data)), framed(kind, name), data))

    def seal_text(self, collection_id: int, kind: str, text: str) -> str:
        """The same for a column of text."""
        if not text or not self._is_encrypted(collection_id):
            return text
        return _as_text(self.seal(collection_id, kind, _encoded(text)))

    def seal_same(self, collection_id: int, kind: str, text: str) -> str:
        """The same for a column of whose texts the database has to tell which are equal."""
        key = self.current_key(collection_id)
        return text if key is None or not text else _as_text(seal_same(key, framed(kind, ""), PLAIN + _encoded(text)))

    def open_text(self, kind: str, text: str) -> str:
        """The text that was given to `seal_text` or `seal_same`."""
        if not text.startswith(MARK):
            return text
        try:
            sealed = base64.b64decode(text[len(MARK) :], validate=True)
        except binascii.Error:
            return text
        return self.open(kind, sealed).decode("utf-8", "surrogatepass") if is_sealed(sealed) else text

    def seal_json(self, collection_id: int, kind: str, value: Mapping[str, Any]) -> Mapping[str, Any]:
        """The same for an object in a column of JSON."""
        if not value or not self._is_encrypted(collection_id):
            return value
        return {SEALED: self.seal_text(collection_id, kind, orjson.dumps(dict(value)).decode())}

    def open_json(self, kind: str, value: Mapping[str, Any]) -> Mapping[str, Any]:
        """The object that was given to `seal_json`."""
        if not is_sealed_json(value):
            return value
        opened: Mapping[str, Any] = orjson.loads(self.open_text(kind, value[SEALED]))
        return opened

    def seal_blob(self, collection_id: int, data: bytes) -> bytes:
        """A part of a stored object; it is found by the hash of what is stored, which is the name that it needs."""
        return self.seal(collection_id, "blob", data)

    def open_blob(self, data: bytes) -> bytes:
        """What `seal_blob` sealed."""
        return self.open("blob", data)

    def is_as_it_should_be(self, collection_id: int, text: str) -> bool:
        """Whether a column's text is sealed under the collection's current key, or open where that is none."""
        key = self.current_key(collection_id)
        sealed = base64.b64decode(text[len(MARK) :]) if text.startswith(MARK) else b""
        return (key_id_of(sealed) if sealed else None) == (key.id if key else None)

    def keyed_hash_of(self, collection_id: int, kind: str, text: str) -> str:
        """What `hash_of` is where the collection is encrypted."""
        return self.keyed(collection_id, f"{kind} {text}".encode("utf-8", "surrogatepass")).hex()

    def hash_of(self, collection_id: int, kind: str, text: str) -> str:
        """A hash or name as an encrypted collection's: nobody can try guesses against it."""
        return self.keyed_hash_of(collection_id, kind, text) if self._is_encrypted(collection_id) else text

    def address(self, collection_id: int, address: bytes) -> bytes:
        """A content address as an encrypted collection's: nobody tells by it who else has the same text."""
        return self.keyed(collection_id, address) if self._is_encrypted(collection_id) else address

    def keyed(self, collection_id: int, address: bytes) -> bytes:
        """What `address` is where the collection is encrypted."""
        return hmac.digest(self._keys().derive("address", str(collection_id)), address, "sha256")


def is_sealed_json(value: Mapping[str, Any]) -> bool:
    """Whether an object stands for another one that was sealed."""
    sealed = value.get(SEALED)
    return isinstance(sealed, str) and sealed.startswith(MARK)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _as_text(sealed: bytes) -> str:
    return MARK + base64.b64encode(sealed).decode()


def _pack(data: bytes) -> bytes:
    packed = zlib.compress(data, LEVEL) if len(data) > LEAST_PACKED else data
    return PACKED + packed if len(packed) < len(data) else PLAIN + data


def _unpack(packed: bytes) -> bytes:
    return zlib.decompress(packed[1:]) if packed[:1] == PACKED else packed[1:]
