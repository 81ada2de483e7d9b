"""Dead letters of which only what a test is about is told."""

from typing import Any

from embedmill.shared.db.dead_letters import StoredLetter


def letter(**told: object) -> StoredLetter:
    """A letter of a document without stored chunks."""
    nothing: dict[str, Any] = dict.fromkeys(StoredLetter.__dataclass_fields__)
    usual = {"deletes": False, "chunks_expected": 0, "chunks_rejected": 0, "error": "torn", "uri": "row-1"}
    return StoredLetter(**nothing | usual | {"origin": {"kind": "file"}} | told)
