"""What a model judges: chunks with the surroundings that it is shown, and their content addresses."""

from collections.abc import Sequence
from dataclasses import dataclass

from embedmill.shared.addresses import digest
from embedmill.workers.chunking import Chunk, ChunkSet

OPENING_CHARACTERS = 1500
"""How much of a document's beginning tells what it is about."""
BEFORE_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class ChunkPassage:
    """A chunk to be judged. Everything that a verdict may rest on is part of `address`, and nothing else is.

    Two documents share a verdict only if title, beginning, section, what stands directly before, and the chunk itself
    are the same: a context that was taken from one must be true of the other.
    """

    address: str
    document: str
    title: str
    opening: str
    section: str
    before: str
    body: str
    ordinal: int
    tokens: int
    headed: bool = False
    """Whether `before` is the head of its table, which stands further up."""

    @property
    def known(self) -> str:
        """All text around the chunk that is sent whatever its neighbours are."""
        return f"{self.title}\n{self.section}\n{self.opening}\n{self.before}\n{self.body}"


def make_passages(chunk_set: ChunkSet, chunks: Sequence[Chunk], *, document: str, judge: str) -> list[ChunkPassage]:
    """Chunks of one document as passages; `judge` names who is asked: the model and the hash of its prompt."""
    text, title = chunk_set.text, chunk_set.title
    opening = text[:OPENING_CHARACTERS]
    known = digest(judge, title, opening, length=64)
    return [_passage(chunk, text, document=document, title=title, opening=opening, known=known) for chunk in chunks]


def _passage(chunk: Chunk, text: str, *, document: str, title: str, opening: str, known: str) -> ChunkPassage:
    before = chunk.heading(text)[-BEFORE_CHARACTERS:] or text[max(0, chunk.start - BEFORE_CHARACTERS) : chunk.start]
    body = chunk.body(text)
    address = digest("verdict", known, chunk.section, before, body)
    return ChunkPassage(
        address,
        document,
        title,
        opening,
        chunk.section,
        before,
        body,
        ordinal=chunk.ordinal,
        tokens=chunk.tokens,
        headed=chunk.head is not None,
    )
