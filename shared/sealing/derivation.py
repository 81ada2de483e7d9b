"""Keys out of a key: HKDF with SHA-256 (RFC 5869) over parts that are framed by their lengths."""

import hashlib
import hmac
from typing import Protocol

KEY_BYTES = 32


class KeySource(Protocol):
    """Where keys for a purpose come from (`shared.privacy.keys`); whatever it makes is the same for ever."""

    @property
    def key_id(self) -> str:
        """The id of the secret that all of them are made of."""

    def derive(self, purpose: str, collection: str = "") -> bytes:
        """32 bytes for one purpose, and one collection."""

    def mac(self, purpose: str, data: str | bytes, collection: str = "") -> bytes:
        """A hash of 32 bytes that nobody without the key can try guesses against."""


def framed(*parts: bytes | str) -> bytes:
    """The parts behind each other, each with its length, so that ('ab', 'c') and ('a', 'bc') differ."""
    found = bytearray()
    for part in parts:
        text = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        found += len(text).to_bytes(4, "big")
        found += text
    return bytes(found)


def derive_key(secret: bytes, *parts: bytes | str) -> bytes:
    """32 bytes for what the parts name; they say nothing of the secret, nor of keys for other parts."""
    extracted = hmac.digest(b"embedmill", secret, hashlib.sha256)
    return hmac.digest(extracted, framed(*parts) + b"\x01", hashlib.sha256)
