"""The words of erasures: why there is one, how far it is, and what its marks are of."""

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
