"""Embeddings by the batch lane: one request a text, so that a text that is refused is alone from the start."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embedmill.shared.db.bulk_lane import EMBED, Entry, Want
from embedmill.shared.db.leases import Item
from embedmill.shared.errors import BadVector, BlobMissing, EmbedmillError, ProviderRefused
from embedmill.shared.ledger import Tokens
from embedmill.shared.paging import pages
from embedmill.shared.providers.batches.base import Result
from embedmill.shared.providers.embeddings.base import Embedder
from embedmill.shared.runtime import Runtime
from embedmill.workers.bulk.question import Draft, Errand, Harvest
from embedmill.workers.bulk.waiting import Held, Question, hold
from embedmill.workers.stored import Text, embedded_text, read_stored

OPERATION = "embed"
REFUSED_TEXTS = 16
"""So many texts of a batch refused, none accepted: then it is not the texts."""
PAGE = 500
"""Vectors that are stored together, and chunk sets that are read together."""


def hold_texts(
    runtime: Runtime, embedder: Embedder, items: Sequence[Item], wanted: Mapping[int, Mapping[bytes, Text]]
) -> Held:
    """Keep back the documents of one job whose vectors are to come by the batch lane."""

    def list_wants() -> dict[int, list[Want]]:
        return {item.id: list(_wants(embedder, item, wanted[item.id])) for item in items}

    def known(addresses: Sequence[str]) -> set[str]:
        wanted = [bytes.fromhex(address) for address in addresses]
        return {address.hex() for address in runtime.cache.get_many(wanted, dimensions=embedder.dimensions)}

    question = Question(EMBED, embedder.name, embedder.name.split("/")[0], embedder.model, OPERATION)
    return hold(runtime, items, question, list_wants=list_wants, known=known)


def _wants(embedder: Embedder, item: Item, texts: Mapping[bytes, Text]) -> Iterator[Want]:
    """What is too long or empty is left to the stage, which needs no request to say so."""
    sendable = embedder.find_sendable([text.text for text in texts.values()])
    for place, (address, text) in enumerate(texts.items()):
        if place in sendable:
            yield Want(address.hex(), item.document_id, item.chunks_ref, item.rejections_ref, text.ordinal)


class TextErrand(Errand):
    """What is asked about texts, and what becomes of the answers."""

    kind = EMBED
    operation = OPERATION

    def __init__(self, runtime: Runtime, target: str) -> None:
        self._runtime = runtime
        self._embedder: Any = runtime.embedder(target)
        self.provider, self.model = target.split("/", maxsplit=1)[0], self._embedder.model
        self.key = self._embedder.key_hash

    def draft(self, entries: Sequence[Entry]) -> Draft:
        draft = Draft()
        for part in pages(entries, PAGE):
            known = self._runtime.cache.get_many(
                [bytes.fromhex(entry.address) for entry in part], dimensions=self._embedder.dimensions
            )
            draft.known += [entry.id for entry in part if bytes.fromhex(entry.address) in known]
            self._draft_texts(draft, [entry for entry in part if bytes.fromhex(entry.address) not in known])
        return draft

    def _draft_texts(self, draft: Draft, entries: Sequence[Entry]) -> None:
        texts = self._read_texts(entries)
        draft.gone += [entry.id for entry in entries if entry.id not in texts]
        there = [entry for entry in entries if entry.id in texts]
        counts = self._embedder.count_tokens([texts[entry.id] for entry in there])
        for entry, tokens in zip(there, counts, strict=True):
            draft.add([entry], self._embedder.parameters([texts[entry.id]]), Tokens(into=tokens))

    def _read_texts(self, entries: Sequence[Entry]) -> dict[int, str]:
        """Texts by entry; without those that are not what they were asked for as."""
        references = {r for e in entries for r in (e.chunks_ref, e.rejections_ref) if r is not None}
        found = self._runtime.blobs.get_pack(sorted(references))
        read: dict[tuple[str | None, str | None], Any] = {}
        texts = {}
        for entry in entries:
            place = entry.chunks_ref, entry.rejections_ref
            try:
                if place not in read:
                    read[place] = read_stored(*place, found)
                chunk_set, _, repairs = read[place]
                text = embedded_text(chunk_set, chunk_set.chunks[entry.ordinal], repairs)
            except (BlobMissing, IndexError):
                continue
            if self._embedder.address(text).hex() == entry.address:
                texts[entry.id] = text
        return texts

    def read(self, sent: Mapping[int, Sequence[Entry]], results: Iterator[tuple[int, Result]]) -> Harvest:
        harvest = Harvest()
        page: dict[bytes, NDArray[np.float32]] = {}
        for number, result in results:
            entries = sent.get(number, ())
            vector = self._read_one(harvest, entries, result)
            if vector is not None:
                page |= {bytes.fromhex(entry.address): vector for entry in entries}
            if len(page) >= PAGE:
                self._runtime.cache.put_many(page)
                page = {}
        if page:
            self._runtime.cache.put_many(page)
        if harvest.refused >= REFUSED_TEXTS and not harvest.succeeded:
            harvest.blame(ProviderRefused(f"{self.provider} refuses every text: {harvest.last_refusal}"))
        return harvest

    def _read_one(self, harvest: Harvest, entries: Sequence[Entry], result: Result) -> NDArray[np.float32] | None:
        """The vector of a result, which is counted whether anybody waits for it or not: it is on the bill."""
        if result.body is None:
            harvest.note_without_answer(entries, result)
            return None
        try:
            answer = self._embedder.read_batch(result.body)
        except EmbedmillError as error:
            harvest.note_unreadable(entries, error, at_most=self._at_most(entries))
            return None
        harvest.count(answer.tokens, inputs=1, at_most=partial(self._at_most, entries))
        vector: NDArray[np.float32] = answer.vectors[0]
        if not np.isfinite(vector).all():
            harvest.fail(entries, BadVector(f"{self.provider} returned an unusable vector"))
            return None
        return vector

    def _at_most(self, entries: Sequence[Entry]) -> Tokens | None:
        """What a request was reserved for; None when its text is gone."""
        texts = self._read_texts(entries)
        return Tokens(into=sum(self._embedder.count_tokens(list(texts.values())))) if texts else None
