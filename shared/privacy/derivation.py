"""Keys out of a key: HKDF with SHA-256 (RFC 5869) over parts that are framed by their lengths."""

import hashlib
import hmac

KEY_BYTES = 32


def framed(*parts: bytes | str) -> bytes:
    """The parts behind each other, each with its length, so that ('ab', 'c') and ('a', 'bc') differ."""
    texts = (part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part for part in parts)
    return b"".join(len(text).to_bytes(4, "big") + text for text in texts)


def derive_key(secret: bytes, *parts: bytes | str) -> bytes:
    """32 bytes for what the parts name; they say nothing of the secret, nor of keys for other parts."""
    extracted = hmac.digest(b"embedmill", secret, hashlib.sha256)
    return hmac.digest(extracted, framed(*parts) + b"\x01", hashlib.sha256)
