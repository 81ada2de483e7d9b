"""Reads back what earlier stages stored: a document's chunk set, and which of its chunks were rejected or repaired."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import orjson

from embedmill.shared.db.leases import WorkItem
from embedmill.shared.errors import BlobMissing
from embedmill.shared.json_bytes import json_bytes
from embedmill.shared.lexicon import recalled
from embedmill.shared.outcomes import Fail, Outcome
from embedmill.shared.providers.blobs.base import BlobStore
from embedmill.workers.chunking import Chunk, ChunkSet, decode_chunk_set, find_runs

if TYPE_CHECKING:
    from embedmill.shared.providers.embeddings.base import Embedder


@dataclass(frozen=True, slots=True)
class Repair:
    """`context` goes before the body, and the spans `cuts`, offsets into the body, are left out of it.

    Only the text that is embedded changes. The chunk's offsets into its document and the text that a reader is shown
    stay as they are, so quotes can still be checked against the source.
    """

    context: str = ""
    cuts: tuple[tuple[int, int], ...] = ()

    def apply(self, body: str, *, heading: str = "") -> str:
        """The body as it is embedded, behind the head of its table, without its prefix."""
        kept, start = [], 0
        for cut_start, cut_end in self.cuts:
            kept.append(body[start:cut_start])
            start = cut_end
        text = "".join([heading, *kept, body[start:]])
        return f"{self.context}\n{text}" if self.context else text

    def as_json(self) -> dict[str, Any]:
        """Plain JSON, as it is stored beside rejections."""
        return {"context": self.context, "cuts": [list(cut) for cut in self.cuts]}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Self:
        """The repair as it was stored."""
        return cls(stored["context"], tuple((start, end) for start, end in stored["cuts"]))


@dataclass(frozen=True, slots=True)
class Stored:
    """One document's chunks; `rejections` maps ordinals to reasons, `kept` are the chunks that were not rejected."""

    item: WorkItem
    chunk_set: ChunkSet
    rejections: dict[int, str]
    repairs: dict[int, Repair]
    kept: list[Chunk]

    def embedded_text(self, chunk: Chunk) -> str:
        """What an embedder is given for a chunk: prefix and body, repaired where the validator said so."""
        return embedded_text(self.chunk_set, chunk, self.repairs)

    def embedded_texts(self) -> list[str]:
        """The same of all chunks that are kept."""
        if self.repairs:
            return list(map(self.embedded_text, self.kept))
        text = self.chunk_set.text
        return [
            chunk.embedded_text(text) if chunk.head else chunk.prefix + text[chunk.start : chunk.end]
            for chunk in self.kept
        ]


def embedded_text(chunk_set: ChunkSet, chunk: Chunk, repairs: Mapping[int, Repair]) -> str:
    """Prefix and body of a chunk, repaired where there is a repair for it."""
    repair = repairs.get(chunk.ordinal)
    text = chunk_set.text
    if repair is None:
        return chunk.embedded_text(text)
    return chunk.prefix + repair.apply(chunk.body(text), heading=chunk.heading(text))


@dataclass(frozen=True, slots=True)
class Text:
    """What is sent to the embedder for one address; `tokens` are the chunk's, by the chunker's count."""

    text: str
    tokens: int
    ordinal: int = 0


def addressed_texts(embedder: "Embedder", stored: Stored) -> dict[bytes, Text]:
    """The texts to embed for a document, by content address; equal texts are one."""
    texts = {}
    for chunk, text in zip(stored.kept, stored.embedded_texts(), strict=True):
        texts[embedder.address(text)] = Text(text, chunk.tokens, chunk.ordinal)
    return texts


class HandedOn:
    """What a thread has stored and soon reads again, where a batch goes through several stages there: by reference."""

    def __init__(self) -> None:
        self._chunk_sets: dict[str, ChunkSet] | None = None

    @contextmanager
    def through_stages(self) -> Iterator[None]:
        """Remember what is stored until the block ends."""
        self._chunk_sets = {}
        try:
            yield
        finally:
            self._chunk_sets = None
            recalled.forget()

    def put(self, reference: str, chunk_set: ChunkSet) -> None:
        """Note what was stored, and the words that were found in it."""
        if self._chunk_sets is not None:
            self._chunk_sets[reference] = chunk_set
            recalled.note(find_runs(chunk_set))

    def get(self, reference: str | None) -> ChunkSet | None:
        """What is stored there, if it is here."""
        return self._chunk_sets.get(reference) if self._chunk_sets and reference else None


_NOTHING = HandedOn()


def load_stored(
    blobs: BlobStore, items: Sequence[WorkItem], handed_on: HandedOn = _NOTHING
) -> tuple[list[Stored], dict[int, Outcome]]:
    """The documents that could be read, and the outcome of those that could not."""
    here = {item.id: chunk_set for item in items if (chunk_set := handed_on.get(item.chunks_ref)) is not None}
    references = [r for item in items for r in (item.chunks_ref, item.rejections_ref) if r is not None]
    found = blobs.get_pack([r for r in references if handed_on.get(r) is None])
    loaded: list[Stored] = []
    failed: dict[int, Outcome] = {}
    for item in items:
        try:
            loaded.append(_load(item, here.get(item.id) or _chunk_set_of(item.chunks_ref, found), found))
        except BlobMissing as error:
            failed[item.id] = Fail(error)
    return loaded, failed


def _load(item: WorkItem, chunk_set: ChunkSet, found: Mapping[str, bytes | BlobMissing]) -> Stored:
    rejected, repairs = _findings_of(item.rejections_ref, found)
    kept = (
        [chunk for chunk in chunk_set.chunks if chunk.ordinal not in rejected] if rejected else list(chunk_set.chunks)
    )
    return Stored(item, chunk_set, rejected, repairs, kept)


def read_stored(
    chunks_ref: str | None, rejections_ref: str | None, found: Mapping[str, bytes | BlobMissing]
) -> tuple[ChunkSet, dict[int, str], dict[int, Repair]]:
    """A chunk set, its rejections and its repairs by ordinal, from a pack that was read; raises BlobMissing."""
    rejections, repairs = _findings_of(rejections_ref, found)
    return _chunk_set_of(chunks_ref, found), rejections, repairs


def _chunk_set_of(reference: str | None, found: Mapping[str, bytes | BlobMissing]) -> ChunkSet:
    return decode_chunk_set(_require(reference, found))


def _findings_of(
    reference: str | None, found: Mapping[str, bytes | BlobMissing]
) -> tuple[dict[int, str], dict[int, Repair]]:
    findings = orjson.loads(_require(reference, found)) if reference else {}
    by_ordinal = {int(ordinal): finding for ordinal, finding in findings.items()}
    rejections = {ordinal: finding for ordinal, finding in by_ordinal.items() if isinstance(finding, str)}
    return rejections, {o: Repair.from_json(finding) for o, finding in by_ordinal.items() if isinstance(finding, dict)}


def _require(reference: str | None, found: Mapping[str, bytes | BlobMissing]) -> bytes:
    data = found[reference] if reference is not None else BlobMissing("no chunk set was stored")
    if isinstance(data, BlobMissing):
        raise data
    return data


def encode_findings(rejections: Mapping[int, str], repairs: Mapping[int, Repair]) -> bytes:
    """Rejections and repairs as one stored object: by ordinal, a reason or a repair."""
    findings = {**rejections, **{ordinal: repair.as_json() for ordinal, repair in repairs.items()}}
    return json_bytes({str(ordinal): finding for ordinal, finding in sorted(findings.items())})
