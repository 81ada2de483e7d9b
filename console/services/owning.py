"""Owners of documents, whose names are kept as they are beside texts from which such values are hidden."""

from embedmill.shared.collections import OFF
from embedmill.shared.errors import UsageError
from embedmill.shared.redaction.policy import PATTERNS


def require_shown(owner: str | None, redact: str) -> None:
    """Raise UsageError for an owner whom a collection's redaction would hide in a text; the name is not quoted."""
    if not owner or redact == OFF:
        return
    from embedmill.shared.redaction.redactor import Redactor

    if Redactor(PATTERNS).redact(owner).spans:
        raise UsageError(
            "the owner is an address or number that redaction hides, and owners are kept as they are",
            hint="Give owners names, for example: --owner zed; their tokens go by the same names.",
        )
