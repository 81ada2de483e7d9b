"""How bytes are sealed under a data key: AES-256-GCM, with a header that tells how and under which key.

    magic  version  algorithm  key id    salt      ciphertext and tag
    3      1        1          8 bytes   24 bytes  as long as the text, and 16

Each seal has a key and nonce of its own, made of the data key and a random salt (HKDF-Expand with SHA-512), so no nonce
comes twice however much is sealed under a data key. What is sealed is bound to the header, and to the place that it was
sealed for: bytes that are moved to another place do not open there.
"""

import hashlib
import hmac
import os
from dataclasses import dataclass

from embedmill.shared.errors import SealBroken
from embedmill.shared.sealing.derivation import framed

MAGIC = b"\xe7EM"
"""No text in UTF-8 begins so, and none of our formats."""
VERSION = 1
AES_256_GCM = 1
SALT_BYTES = 24
_KEY_ID_END = len(MAGIC) + 2 + 8
HEADER_BYTES = _KEY_ID_END + SALT_BYTES
TAG_BYTES = 16
OVERHEAD_BYTES = HEADER_BYTES + TAG_BYTES


@dataclass(frozen=True, slots=True)
class DataKey:
    """A key under which texts are sealed, its id, 16 hex digits, and the number of its collection; 0 for none."""

    id: str
    material: bytes
    collection: int = 0


def is_sealed(data: bytes) -> bool:
    """Whether bytes are sealed, by whatever version of this format."""
    return data.startswith(MAGIC)


def key_id_of(data: bytes) -> str:
    """The id of the key under which bytes were sealed; raises SealBroken for a version that is not known here."""
    if len(data) < OVERHEAD_BYTES or data[len(MAGIC) : len(MAGIC) + 2] != bytes((VERSION, AES_256_GCM)):
        raise SealBroken("something encrypted has a form that this release does not know, or is cut off")
    return data[len(MAGIC) + 2 : _KEY_ID_END].hex()


def seal(key: DataKey, place: bytes, data: bytes) -> bytes:
    """The bytes, sealed for a place (see `framed`): `OVERHEAD_BYTES` longer."""
    return _sealed(key, place, data, os.urandom(SALT_BYTES))


def seal_same(key: DataKey, place: bytes, data: bytes) -> bytes:
    """The same, and the same for the same bytes, which thereby can be told to be equal: the salt is made of them."""
    salt = hmac.digest(key.material, b"embedmill same" + framed(place, data), hashlib.sha256)[:SALT_BYTES]
    return _sealed(key, place, data, salt)


def _sealed(key: DataKey, place: bytes, data: bytes, salt: bytes) -> bytes:
    header = MAGIC + bytes((VERSION, AES_256_GCM)) + bytes.fromhex(key.id) + salt
    return header + _encrypt(key, header, place, data)


def unseal(key: DataKey, place: bytes, sealed: bytes) -> bytes:
    """What was sealed for a place; raises SealBroken where it was changed, moved, or sealed under another key."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    header = sealed[:HEADER_BYTES]
    own, nonce = _own_key(key.material, header)
    try:
        return AESGCM(own).decrypt(nonce, sealed[HEADER_BYTES:], _bound_to(key, header, place))
    except InvalidTag:
        raise SealBroken(f"something encrypted under key {key.id} was changed, or was written for elsewhere") from None


def _encrypt(key: DataKey, header: bytes, place: bytes, data: bytes) -> bytes:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    own, nonce = _own_key(key.material, header)
    return AESGCM(own).encrypt(nonce, data, _bound_to(key, header, place))


def _bound_to(key: DataKey, header: bytes, place: bytes) -> bytes:
    return framed(header, str(key.collection), place)


def _own_key(material: bytes, header: bytes) -> tuple[bytes, bytes]:
    made = hmac.digest(material, b"embedmill seal" + header + b"\x01", hashlib.sha512)
    return made[:32], made[32:44]
