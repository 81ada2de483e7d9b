"""Writes all that is stored of a collection anew: under its current key, or open to read where it is not encrypted now.

Whatever is read tells by itself under which key it is, so each step can be done again, and one that was cut short is
taken up. Nothing is asked of a model: what was paid for is copied.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import orjson

from embedmill.shared.collections import read_collection_settings
from embedmill.shared.db import references, resealing, word_counts
from embedmill.shared.db.collections import Collection, list_collections, require_idle
from embedmill.shared.db.jobs import RE_ENCRYPTION
from embedmill.shared.db.references import object_of
from embedmill.shared.db.resealing import list_ids
from embedmill.shared.db.sealed import MARK, TERM
from embedmill.shared.errors import BlobMissing
from embedmill.shared.ledger import FREE_PROVIDERS
from embedmill.shared.privacy.sealed_cache import SealedCache
from embedmill.shared.privacy.verdict_seals import VerdictSeals, open_doubts, open_verdict, seal_doubts
from embedmill.shared.runtime import Runtime
from embedmill.workers.chunking import decode_chunk_set
from embedmill.workers.stored import embedded_text, read_stored
from embedmill.workers.validation.obtaining import name_judge, own_judge
from embedmill.workers.validation.passages import make_passages

PAGE = 200
"""Documents whose objects are written anew together."""


class Resealer:
    """One collection; `steps` does everything, and says after each step how far it is."""

    def __init__(self, runtime: Runtime, collection: Collection) -> None:
        self._runtime = runtime
        self._vault = runtime.vault
        self._collection = collection
        self._database = runtime.database
        self._settings = read_collection_settings(collection.settings)
        self.documents = 0

    def steps(self) -> Iterator[str]:
        """Do everything; yields what was done last."""
        yield from self._texts()
        yield from self._objects()
        yield from self._shards()

    def _texts(self) -> Iterator[str]:
        id_ = self._collection.id
        for place in (*resealing.PLACES, resealing.TERMS):
            anew = partial(self._text_anew, same=place is resealing.TERMS)
            for _ in self._pages(partial(resealing.reseal_page, place=place, collection_id=id_, anew=anew), None):
                yield place.table.name
        for _ in self._pages(partial(resealing.reseal_metadata, collection_id=id_, anew=self._object_anew), 0):
            yield "metadata"
        if self._settings.encrypt:
            self._database.transact(word_counts.forget_all_words, id_)
        self._database.transact(lambda c: resealing.reseal_memory(c, id_, self._object_anew))
        self._database.transact(lambda c: resealing.reseal_doubts(c, id_, self._doubts_anew))

    def _pages(self, page: Callable[..., Any], after: Any) -> Iterator[Any]:
        while (after := self._database.transact(partial(page, after=after))) is not None:
            yield after

    def _text_anew(self, kind: str, text: str, *, same: bool = False) -> str:
        if self._vault.is_as_it_should_be(self._collection.id, text):
            return text
        seal = self._vault.seal_same if same else self._vault.seal_text
        made = seal(self._collection.id, kind, self._vault.open_text(kind, text))
        # A term that is too long for its column when it is sealed stays under the key that it is under.
        return text if kind == TERM and text.startswith(MARK) and len(made) > len(text) else made

    def _object_anew(self, kind: str, value: Mapping[str, Any]) -> Mapping[str, Any]:
        return self._vault.seal_json(self._collection.id, kind, self._vault.open_json(kind, value))

    def _doubts_anew(self, doubts: list[str]) -> list[str]:
        return [*seal_doubts(self._vault, self._collection.id, open_doubts(self._vault, doubts))]

    def _objects(self) -> Iterator[str]:
        after = ""
        while ids := self._database.query(list_ids, self._collection.id, after=after, limit=PAGE):
            after = ids[-1]
            self._move_objects(ids)
            self.documents += len(ids)
            yield "documents"

    def _move_objects(self, ids: Sequence[str]) -> None:
        """Store the parts of packs anew; others' parts of the same packs come along as they are."""
        found = self._database.query(references.find_references, ids)
        mine = {ref for refs in found.values() for ref in refs}
        objects = sorted({object_of(ref) for ref in mine})
        rows = self._database.query(lambda c: list(references.find_referring(c, objects, erasure_id="")))
        wanted = sorted({ref for row in rows for ref in row.references.values()})
        opened = self._runtime.blobs.get_pack([ref for ref in wanted if ref in mine])
        stored = self._runtime.blobs.get_stored([ref for ref in wanted if ref not in mine])
        parts = {ref: self._vault.seal_blob(self._collection.id, part) for ref, part in _there(opened)}
        parts |= dict(_there(stored))
        moved = dict(zip(parts, self._runtime.blobs.put_pack(list(parts.values())), strict=True))
        self._database.transact(references.redirect, rows, moved)
        self._copy_paid(rows, dict(_there(opened)))

    def _copy_paid(self, rows: Sequence[references.Referring], parts: Mapping[str, bytes]) -> None:
        """What was paid for, at its new addresses: vectors and verdicts of the texts of these packs."""
        pairs = {(r["chunks_ref"], r.get("rejections_ref")) for row in rows if "chunks_ref" in (r := row.references)}
        for chunks_ref, rejections_ref in sorted(pairs, key=str):
            if chunks_ref in parts:
                self._copy_of(chunks_ref, rejections_ref, parts)

    def _copy_of(self, chunks_ref: str, rejections_ref: str | None, parts: Mapping[str, bytes]) -> None:
        embedder = self._runtime.embedder(self._settings.embedding)
        if embedder.provider not in FREE_PROVIDERS:
            chunk_set, _, repairs = read_stored(chunks_ref, rejections_ref if rejections_ref in parts else None, parts)
            texts = {embedded_text(chunk_set, chunk, repairs) for chunk in chunk_set.chunks}
            self._copy_vectors(sorted(embedder.address(text) for text in texts), embedder.dimensions)
        if self._settings.gates or self._settings.audits:
            self._move_verdicts(parts[chunks_ref])

    def _copy_vectors(self, addresses: Sequence[bytes], dimensions: int) -> None:
        cache = self._runtime.cache
        sealed = SealedCache(cache, self._vault, self._collection.id, always_keyed=True)
        known = {
            **cache.get_many(addresses, dimensions=dimensions),
            **sealed.get_many(addresses, dimensions=dimensions),
        }
        target = self._runtime.cache_of(self._collection.id)
        # What is there is under another key, and an address keeps what it has.
        target.forget_many([address for address in addresses if address in known])
        target.put_many(known)
        if self._settings.encrypt and not self._is_shared():
            cache.forget_many(addresses)

    def _is_shared(self) -> bool:
        """Whether another collection may find the same vectors."""
        others = (c for c in self._database.query(list_collections) if c.id != self._collection.id)
        return any(
            c.model == self._collection.model and not read_collection_settings(c.settings).encrypt for c in others
        )

    def _move_verdicts(self, data: bytes) -> None:
        chunk_set, id_ = decode_chunk_set(data), self._collection.id
        plain = name_judge(self._settings.validator, self._runtime.model_endpoint(self._settings.validator))
        own = self._vault.keyed_hash_of(id_, "judge", plain)
        now = own_judge(self._runtime, id_, plain)
        targets = [p.address for p in make_passages(chunk_set, chunk_set.chunks, document="", judge=now)]
        seals = VerdictSeals(self._vault, id_)

        def anew(text: str) -> Mapping[str, Any]:
            return seals.seal(orjson.loads(open_verdict(self._vault, text)))

        for judge in (plain, own):
            olds = [p.address for p in make_passages(chunk_set, chunk_set.chunks, document="", judge=judge)]
            moves = dict(zip(olds, targets, strict=True))
            self._database.transact(resealing.move_verdicts, id_, moves, anew)

    def _shards(self) -> Iterator[str]:
        store = self._runtime.store(self._collection)
        for shard in self._collection.reading_shards:
            self._database.query(lambda c: require_idle(c, self._collection.id, but=RE_ENCRYPTION))
            store.reseal(shard)
            yield f"shard {shard}"


def _there(found: Mapping[str, bytes | BlobMissing]) -> Iterator[tuple[str, bytes]]:
    return ((ref, part) for ref, part in found.items() if isinstance(part, bytes))
