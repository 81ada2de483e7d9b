"""The words of erasures: why there is one, how far it is, and what its marks are of."""

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum

ASKED, RETENTION, RESTORE = CAUSES = ("asked", "retention", "restore")
"""Somebody asked for it; the time of a document had come; a backup brought back what had been erased."""


class ErasureState(StrEnum):
    """Whether an erasure is under way."""

    OPEN = "open"
    DONE = "done"


class MarkKind(StrEnum):
    """What does not come back: a document under its name, a content in its collection, a content under its name."""

    DOCUMENT = "document"
    CONTENT = "content"
    VERSION = "version"


_WHY: Mapping[MarkKind, str] = {
    MarkKind.DOCUMENT: "it was erased on {day} and stays out",
    MarkKind.CONTENT: "its content was erased on {day} under another name and stays out",
    MarkKind.VERSION: "its time was up on {day}, and it has not changed since",
}


def explain(kind: MarkKind, since: float) -> str:
    """Why a document stays out that a source still has, and what lets it in."""
    day = datetime.fromtimestamp(since, UTC).date().isoformat()
    return f"{_WHY[kind].format(day=day)}; `embedmill erasures lift MARK` lets it in"
