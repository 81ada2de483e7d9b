"""How a path that a user wrote becomes the one that its documents are known by, and how it is shown back."""

import os
import re

from embedmill.shared.errors import UsageError

# Of an address that somebody took for a path: a user and a password before its host.
_LOGIN = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*:/+)[^/@]+@")


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


def named_path(url: str, scheme: str) -> bytes:
    """The path of `scheme:PATH`, in its one spelling; raises UsageError where there is none."""
    name = url[len(scheme) :]
    if not name.strip():
        raise UsageError(f"{scheme} names no file and no folder", hint=f"Write {scheme}PATH.")
    return canonical_path(absolute_path(os.path.expanduser(os.fsencode(name)), base=os.getcwdb()))


def shown(path: bytes) -> str:
    """A path for a message: printable on every terminal, non-UTF-8 bytes and control characters escaped.

    Passwords are left out of what is an address and no path.
    """
    text = _LOGIN.sub(r"\1…@", path.decode("utf-8", "backslashreplace"))
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
