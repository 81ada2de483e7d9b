"""Owns the sealing of what is kept of a question: only who asks the same question again can read it.

What queries say is kept nowhere unless the collection's owner wants it, and what was answered says nearly the same. So
its key is the question itself. Who holds the database can try questions, as with their hashes.
"""

import zlib
from hashlib import shake_256

_LEVEL = 1


def seal(content: bytes, question: str) -> bytes:
    """The content as nobody reads it without the question."""
    return _mixed(zlib.compress(content, _LEVEL), question)


def unseal(sealed: bytes, question: str) -> bytes:
    """The content again; raises ValueError for what was damaged, or sealed under another question."""
    try:
        return zlib.decompress(_mixed(sealed, question))
    except zlib.error as error:
        raise ValueError(str(error)) from None


def _mixed(content: bytes, question: str) -> bytes:
    size = len(content)
    key = shake_256(b"embedmill kept\0" + question.encode("utf-8", "surrogatepass")).digest(size)
    return (int.from_bytes(content) ^ int.from_bytes(key)).to_bytes(size)
