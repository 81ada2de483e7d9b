"""Seals what is stored of collections that are encrypted, and opens it again; everything else passes as it is.

What is sealed tells under which key, so whoever opens it need not know its collection. It is sealed for a place: a kind
of thing and, where it has a name by which it is looked up, that name.
"""

import base64
import binascii
import hmac
import zlib
from collections.abc import Callable

from embedmill.shared.privacy.derivation import framed
from embedmill.shared.privacy.envelope import DataKey, is_sealed, key_id_of, seal, unseal
from embedmill.shared.privacy.keys import Keys
from embedmill.shared.privacy.ring import KeyRing

PLAIN, PACKED = b"\x00", b"\x01"
LEVEL = 1
"""Of zlib, before sealing: what is sealed does not get shorter any more."""
LEAST_PACKED = 80
MARK = "\x02"
"""Before what is sealed in a column of text; no title, note or word of a document keeps control characters."""


class Vault:
    """The sealing of one process. Raises KeyUnavailable, and SealBroken for what is not as it was written."""

    def __init__(self, keys: Callable[[], Keys], is_encrypted: Callable[[int], bool]) -> None:
        self._keys = keys
        self._is_encrypted = is_encrypted

    def is_encrypted(self, collection_id: int) -> bool:
        """Whether a collection is."""
        return self._is_encrypted(collection_id)

    def ring(self, collection_id: int) -> KeyRing:
        """The keys of a collection for its store."""
        return KeyRing(lambda: self.current_key(collection_id), lambda key_id: self._keys().find_data_key(key_id))

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

    def seal_text(self, collection_id: int, kind: str, text: str, *, name: str = "") -> str:
        """The same for a column of text."""
        if not text or not self._is_encrypted(collection_id):
            return text
        sealed = self.seal(collection_id, kind, text.encode("utf-8", "surrogatepass"), name=name)
        return MARK + base64.b64encode(sealed).decode()

    def open_text(self, kind: str, text: str, *, name: str = "") -> str:
        """The text that was given to `seal_text`."""
        if not text.startswith(MARK):
            return text
        try:
            sealed = base64.b64decode(text[len(MARK) :], validate=True)
        except binascii.Error:
            return text
        return self.open(kind, sealed, name=name).decode("utf-8", "surrogatepass") if is_sealed(sealed) else text

    def seal_blob(self, collection_id: int, data: bytes) -> bytes:
        """A part of a stored object; it is found by the hash of what is stored, which is the name that it needs."""
        return self.seal(collection_id, "blob", data)

    def open_blob(self, data: bytes) -> bytes:
        """What `seal_blob` sealed."""
        return self.open("blob", data)

    def address(self, collection_id: int, address: bytes) -> bytes:
        """A content address as an encrypted collection's: nobody tells by it who else has the same text."""
        if not self._is_encrypted(collection_id):
            return address
        return hmac.digest(self._keys().derive("address", str(collection_id)), address, "sha256")


def _pack(data: bytes) -> bytes:
    packed = zlib.compress(data, LEVEL) if len(data) > LEAST_PACKED else data
    return PACKED + packed if len(packed) < len(data) else PLAIN + data


def _unpack(packed: bytes) -> bytes:
    return zlib.decompress(packed[1:]) if packed[:1] == PACKED else packed[1:]
