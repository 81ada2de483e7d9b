"""Keys out of a key: HKDF with SHA-256 (RFC 5869) over parts that are framed by their lengths."""

import hashlib
import hmac

KEY_BYTES = 32


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
