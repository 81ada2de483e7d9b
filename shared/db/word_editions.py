"""What tells one edition of a document's words from all others, in Python and as the database says it."""

from sqlalchemy import ColumnElement, String, cast, func

from embedmill.shared.db.schema import document
from embedmill.shared.words.cutter import VERSION


def edition_of(generation: int, chunks_ref: str | None, rejections_ref: str | None) -> str:
    """What tells the rows of a document, and the cutting of their words, from all others that it had or will have."""
    return f"{VERSION}/{generation}/{chunks_ref or ''}/{rejections_ref or ''}"


def active_edition() -> ColumnElement[str]:
    """The same of a document as it is now."""
    refs = (func.coalesce(column, "") for column in (document.c.chunks_ref, document.c.rejections_ref))
    found: ColumnElement[str] = cast(document.c.active_generation, String)
    return f"{VERSION}/" + found + "/" + next(refs) + "/" + next(refs)
