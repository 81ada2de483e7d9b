"""Subjects for tests."""

from embedmill.workers.validation.passages import ChunkPassage


def passage(number: int, body: str = "", *, document: str = "d1", tokens: int = 50, before: str = "") -> ChunkPassage:
    """A chunk to be judged; its address is its number."""
    text = body or f"Chunk number {number} says something that can be understood."
    return ChunkPassage(
        address=f"address-{document}-{number}",
        document=document,
        title=f"Handbook {document}",
        opening=f"Opening of {document}.",
        section="Section",
        before=before,
        body=text,
        ordinal=number,
        tokens=tokens,
    )
