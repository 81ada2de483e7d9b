"""Owns what a signature or a key wraps around a mail's words: PGP's lines in a text, and the message in S/MIME's.

S/MIME that only signs holds the message as it is, in CMS (RFC 5652, 5.1 and 5.2). Nothing is verified.
"""

import re
from collections.abc import Iterator

SIGNATURES = frozenset(("application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature"))
SIGNED = frozenset(("application/pkcs7-mime", "application/x-pkcs7-mime"))
PGP_VERSION = "application/pgp-encrypted"
ENCRYPTED_PGP = b"-----BEGIN PGP MESSAGE-----"

_ARMOURED = ("SIGNATURE", "MESSAGE")
_SIGNED_HEAD = re.compile(r"-----BEGIN PGP SIGNED MESSAGE-----\r?\n(?:[A-Za-z]+:[^\n]*\n)*\r?\n?")
_DASHED = re.compile(r"(?m)^- (?=-)")

_SIGNED_DATA = bytes.fromhex("2a864886f70d010702")
_DATA = bytes.fromhex("2a864886f70d010701")
_SEQUENCE, _OID, _OCTETS, _OCTETS_IN_PARTS, _CONTEXT = 0x30, 0x06, 0x04, 0x24, 0xA0
_INDEFINITE, _LONG = 0x80, 0x80
_DEEPEST = 8


def without_armour(text: str) -> tuple[str, bool]:
    """A text without the lines that PGP puts around it, and whether some of it is encrypted."""
    if "-----BEGIN PGP " not in text:
        return text, False
    bare, is_encrypted = text, False
    for kind in _ARMOURED:
        without = "".join(_outside(bare, f"-----BEGIN PGP {kind}-----", f"-----END PGP {kind}-----"))
        is_encrypted = is_encrypted or (kind == "MESSAGE" and without != bare)
        bare = without
    signed = _SIGNED_HEAD.sub("", bare)
    return (_DASHED.sub("", signed) if signed != bare else bare), is_encrypted


def _outside(text: str, begin: str, end: str) -> Iterator[str]:
    at, last = 0, text.rfind(end)
    while (found := text.find(begin, at)) >= 0 and found < last:
        yield text[at:found]
        at = text.find(end, found) + len(end)
    yield text[at:]


def message_within(data: bytes) -> bytes | None:
    """The message that S/MIME signs; None where it is encrypted, or cannot be read."""
    try:
        kind, wrapped = list(_values(_one(data, _SEQUENCE)))[:2]
        if kind != (_OID, _SIGNED_DATA):
            return None
        parts = list(_values(_one(wrapped[1], _SEQUENCE)))
        content = next(value for tag, value in parts[1:] if tag == _SEQUENCE)
        kind, octets = list(_values(content))[:2]
        return b"".join(_octets(octets[1], 0)) if kind == (_OID, _DATA) and octets[0] == _CONTEXT else None
    except (IndexError, ValueError, StopIteration):
        return None


def _one(data: bytes, tag: int) -> bytes:
    found, value = next(_values(data))
    if found != tag:
        raise ValueError(found)
    return value


def _octets(data: bytes, depth: int) -> Iterator[bytes]:
    """Those of a string, which may be written in parts."""
    if depth > _DEEPEST:
        raise ValueError(depth)
    for tag, value in _values(data):
        if tag == _OCTETS:
            yield value
        elif tag == _OCTETS_IN_PARTS:
            yield from _octets(value, depth + 1)


def _values(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Tags and contents, one after the other."""
    at = 0
    while at + 1 < len(data) and data[at : at + 2] != b"\0\0":
        tag, begin, size = _header(data, at)
        if size is None:
            end = _end(data, begin, 0)
            yield tag, data[begin:end]
            at = end + 2
        else:
            if begin + size > len(data):
                raise ValueError(size)
            yield tag, data[begin : begin + size]
            at = begin + size


def _header(data: bytes, at: int) -> tuple[int, int, int | None]:
    """The tag, where its content begins, and its length; None where only an end says it."""
    tag, length = data[at], data[at + 1]
    if length == _INDEFINITE:
        return tag, at + 2, None
    if length < _LONG:
        return tag, at + 2, length
    size = length - _LONG
    return tag, at + 2 + size, int.from_bytes(data[at + 2 : at + 2 + size], "big")


def _end(data: bytes, at: int, depth: int) -> int:
    """Where a content whose length is not told ends."""
    if depth > 2 * _DEEPEST:
        raise ValueError(depth)
    while data[at : at + 2] != b"\0\0":
        _, begin, size = _header(data, at)
        at = _end(data, begin, depth + 1) + 2 if size is None else begin + size
    return at
