"""Texts that are sealed in the tracking database, and are opened where they are read.

Whoever writes one seals it (`shared.privacy.vault`). What opens it belongs to the database that it is read from, and is
kept with its dialect, which every connection has at hand.
"""

from collections.abc import Callable
from typing import overload

from sqlalchemy import Connection

MARK = "\x02"
"""Before what is sealed in a column of text; no title, note or word of a document keeps control characters."""
TITLE, NOTES, TERM, QUERY, FEEDBACK = "title", "notes", "term", "query", "feedback"
"""As what texts are sealed: one does not stand for another."""
ATTRIBUTE = "open_sealed"


@overload
def open_sealed(connection: Connection, kind: str, text: str) -> str: ...
@overload
def open_sealed(connection: Connection, kind: str, text: None) -> None: ...
def open_sealed(connection: Connection, kind: str, text: str | None) -> str | None:
    """The text; itself where it is open to read. Raises KeyUnavailable, SealBroken."""
    if text is None or not text.startswith(MARK):
        return text
    open_: Callable[[str, str], str] = getattr(connection.dialect, ATTRIBUTE)
    return open_(kind, text)
