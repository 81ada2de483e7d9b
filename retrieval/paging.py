"""Owns the pages of an answer: a cursor says how far one came, and knows an order that is not the one it came from.

A cursor holds no state of ours. It says what was asked, which sides and shards the order was made of, and, as a hash,
what was shown before it: a page follows another exactly when what comes before it is still what was shown.
"""

import binascii
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable
from dataclasses import dataclass, fields
from hashlib import blake2b

from embedmill.retrieval.view import MOST_OFFSET, View
from embedmill.shared.errors import NotFound, UsageError


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page ended.

    `asked` stands for the query with all that the order depends on, `shown` for the ids of all hits so far. `without`
    names the shards that did not answer; `by_words` where there was no vector for the query though one was meant to be.
    """

    offset: int
    asked: str
    shown: str
    without: tuple[str, ...] = ()
    by_words: bool = False


_CURSOR_FIELDS = tuple(field.name for field in fields(Cursor))


def write_cursor(cursor: Cursor) -> str:
    """The cursor as a word of ASCII."""
    told = {field: getattr(cursor, field) for field in _CURSOR_FIELDS}
    return urlsafe_b64encode(json.dumps(told, separators=(",", ":")).encode()).decode().rstrip("=")


def read_cursor(text: str) -> Cursor:
    """The cursor that was written; raises UsageError for what is none."""
    try:
        match json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4))):
            case {
                "offset": int(offset), "asked": str(asked), "shown": str(shown), "without": list(without),
                "by_words": bool(by_words),
            } if 0 < offset <= MOST_OFFSET:  # fmt: skip
                return Cursor(offset, asked, shown, tuple(map(str, without)), by_words)
    except (ValueError, binascii.Error, RecursionError):
        pass
    raise UsageError("this is no cursor of a search", hint="Take the value of `next` as it is.")


def stands_for(parts: Iterable[object]) -> str:
    """A short hash of some values, the same in every process; their order counts."""
    return blake2b(json.dumps([str(part) for part in parts]).encode(), digest_size=9).hexdigest()


def begin_of(view: View, asked: str) -> Cursor:
    """Where a page begins; raises UsageError for a cursor that is none, or that belongs to another query."""
    if view.after is None:
        return Cursor(view.offset, asked, "")
    cursor = read_cursor(view.after)
    if cursor.asked != asked:
        raise UsageError("the page after belongs to another query", hint="Ask as for the page before.")
    return cursor


def require_order(cursor: Cursor, before: str, *, why: str) -> None:
    """Raise NotFound where what stands before a page is not what was shown; `why` says what is known of it."""
    if cursor.shown and cursor.shown != before:
        reason = why or "documents have changed since"
        raise NotFound(
            f"the page that follows is not there any more: {reason}", hint="Begin with the first page again."
        )
