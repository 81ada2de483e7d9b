"""Embeddings by the batch lane: one request a text, so that a text that is refused is alone from the start."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embedmill.shared.asking.question import ReadAnswer, Request
from embedmill.shared.db.bulk_items import EMBED, BulkItem
from embedmill.shared.db.bulk_waits import NewItem
from embedmill.shared.db.leases import WorkItem
from embedmill.shared.errors import BadVector, BlobMissing
from embedmill.shared.ledger import EMBED as OPERATION
from embedmill.shared.ledger import Tokens
from embedmill.shared.paging import pages
from embedmill.shared.providers.embeddings.answers import EmbeddingAnswer
from embedmill.shared.providers.embeddings.base import Embedder
from embedmill.shared.runtime import Runtime
from embedmill.workers.bulk.question import BatchQuestion
from embedmill.workers.bulk.waiting import BatchTarget, Diverted, divert
from embedmill.workers.stored import Text, embedded_text, read_stored

PAGE = 500
"""Vectors that are looked up together, and chunk sets that are read together."""

Vector = NDArray[np.float32]


def divert_texts(
    runtime: Runtime, embedder: Embedder, items: Sequence[WorkItem], texts: Mapping[int, Mapping[bytes, Text]]
) -> Diverted:
    """The documents of one job whose vectors are to come by the batch lane; `texts` are theirs by address."""

    def list_needed() -> dict[int, list[NewItem]]:
        return {item.id: list(_needed(embedder, item, texts[item.id])) for item in items}

    target = BatchTarget(EMBED, embedder.name, embedder.provider, embedder.model, OPERATION)
    return divert(
        runtime,
        items,
        target,
        list_needed=list_needed,
        find_known=lambda addresses: _find_known(runtime, addresses, embedder.dimensions),
    )


def _needed(embedder: Embedder, item: WorkItem, texts: Mapping[bytes, Text]) -> Iterator[NewItem]:
    """What is too long or empty is left to the stage, which needs no request to say so."""
    sendable = embedder.find_sendable([text.text for text in texts.values()])
    for place, (address, text) in enumerate(texts.items()):
        if place in sendable:
            yield NewItem(address.hex(), item.document_id, item.chunks_ref, item.rejections_ref, text.ordinal)


def _find_known(runtime: Runtime, addresses: Sequence[str], dimensions: int) -> set[str]:
    known: set[str] = set()
    for part in pages(addresses, PAGE):
        found = runtime.cache.find_known([bytes.fromhex(address) for address in part], dimensions=dimensions)
        known |= {address.hex() for address in found}
    return known


class VectorBatches(BatchQuestion[BulkItem, Vector, EmbeddingAnswer]):
    """Texts, which are read anew where they are stored, and their vectors."""

    kind = EMBED
    operation = OPERATION

    def __init__(self, runtime: Runtime, target: str) -> None:
        self._runtime = runtime
        self._embedder: Any = runtime.embedder(target)
        self._texts: dict[str, str] = {}
        self._tokens: dict[str, int] = {}
        self.name = self.provider = self._embedder.provider
        self.model_name = self._embedder.model
        self.key = self._embedder.key_hash

    def find_known(self, addresses: Sequence[str]) -> Collection[str]:
        return _find_known(self._runtime, addresses, self._embedder.dimensions)

    def load(self, items: Sequence[BulkItem]) -> dict[str, BulkItem]:
        self._texts, self._tokens = {}, {}
        for part in pages(items, PAGE):
            texts = self._read_texts(part)
            self._texts |= texts
            self._tokens |= zip(texts, self._embedder.count_tokens(list(texts.values())), strict=True)
        return {item.address: item for item in items if item.address in self._texts}

    def recall(self, items: Sequence[BulkItem]) -> dict[str, BulkItem]:
        return {item.address: item for item in items}

    def pack(self, loaded: Sequence[BulkItem]) -> list[Request[BulkItem]]:
        return [Request((item,)) for item in loaded]

    def body(self, request: Request[BulkItem]) -> Mapping[str, Any]:
        parameters: Mapping[str, Any] = self._embedder.parameters([self._texts[i.address] for i in request.items])
        return parameters

    def most_tokens(self, request: Request[BulkItem]) -> Tokens | None:
        if any(item.address not in self._tokens for item in request.items):
            self.load(request.items)
        counts = [self._tokens[item.address] for item in request.items if item.address in self._tokens]
        return Tokens(into=sum(counts)) if counts else None

    def parse(self, body: Any) -> EmbeddingAnswer:
        answer: EmbeddingAnswer = self._embedder.read_batch(body)
        return answer

    def read(self, request: Request[BulkItem], answer: EmbeddingAnswer) -> ReadAnswer[BulkItem, Vector]:
        if np.isfinite(answer.vectors[0]).all():
            return ReadAnswer(dict.fromkeys(request.items, answer.vectors[0]))
        spoiled = BadVector(f"{self.provider} returned an unusable vector")
        return ReadAnswer({}, errors=dict.fromkeys(request.items, spoiled))

    def keep(self, found: Mapping[BulkItem, Vector]) -> None:
        self._runtime.cache.put_many({bytes.fromhex(item.address): vector for item, vector in found.items()})

    def _read_texts(self, items: Sequence[BulkItem]) -> dict[str, str]:
        """Texts by address; without those that are not what they were asked for as."""
        references = {r for i in items for r in (i.chunks_ref, i.rejections_ref) if r is not None}
        found = self._runtime.blobs.get_pack(sorted(references))
        read: dict[tuple[str | None, str | None], Any] = {}
        texts = {}
        for item in items:
            place = item.chunks_ref, item.rejections_ref
            try:
                if place not in read:
                    read[place] = read_stored(*place, found)
                chunk_set, _, repairs = read[place]
                text = embedded_text(chunk_set, chunk_set.chunks[item.ordinal], repairs)
            except (BlobMissing, IndexError):
                continue
            if self._embedder.address(text).hex() == item.address:
                texts[item.address] = text
        return texts
