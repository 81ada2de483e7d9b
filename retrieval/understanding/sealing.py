"""Owns the sealing of what was made of a question: only who asks the same question again can read it.

What queries say is kept nowhere unless the collection's owner wants it, and sub-queries say nearly the same. So their
key is the question itself. Who holds the database can try questions, as with their hashes.
"""

from base64 import b85decode, b85encode
from hashlib import shake_256


def seal(text: str, question: str) -> str:
    """The text as nobody reads it without the question."""
    return b85encode(_mixed(text.encode("utf-8", "replace"), question)).decode()


def unseal(sealed: str, question: str) -> str:
    """The text again; raises ValueError for what was damaged, or sealed under another question."""
    return _mixed(b85decode(sealed), question).decode()


def _mixed(content: bytes, question: str) -> bytes:
    key = shake_256(b"embedmill plan\0" + question.encode("utf-8", "replace")).digest(len(content))
    return bytes(one ^ other for one, other in zip(content, key, strict=True))
