"""How a path that a user wrote becomes the one that its documents are known by, and how it is shown back."""

import os


def absolute_path(name: bytes, *, base: bytes) -> bytes:
    """As it was written, from the root on and without `//` and `.`; links and `..` stay, for the system to resolve."""
    path = os.path.join(base, name)
    parts = [part for part in path.split(b"/") if part not in (b"", b".")]
    return b"/" + b"/".join(parts)


def canonical_path(path: bytes) -> bytes:
    """The one spelling of an absolute path: without links, `..` and `.`, so that one file is one document.

    What is not there keeps the rest of its name. Case and the normal form of Unicode are bytes of the name and stay.
    """
    return os.path.realpath(path)


def shown(path: bytes) -> str:
    """A path for a message: printable on every terminal, non-UTF-8 bytes and control characters escaped."""
    text = path.decode("utf-8", "backslashreplace")
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
