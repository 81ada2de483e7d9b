"""How a path that a user wrote becomes an absolute one, and how it is shown back."""

import os


def absolute_path(name: bytes, *, base: bytes) -> bytes:
    """Absolute and without `.` and `//`; links stay as named, so a re-pointed `current` keeps its documents' URIs."""
    path = os.path.join(base, name)
    if b".." in path.split(b"/"):
        # Only the file system knows what the parent of a linked folder is.
        return os.path.realpath(path)
    return b"/" + os.path.normpath(path).lstrip(b"/")


def shown(path: bytes) -> str:
    """A path for a message: printable on every terminal, non-UTF-8 bytes and control characters escaped."""
    text = path.decode("utf-8", "backslashreplace")
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
