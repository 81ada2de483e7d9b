"""Verdicts by the batch lane: several chunks a request, by the same rules as in calls at once."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from embedmill.shared.asking.question import Request
from embedmill.shared.db.bulk_items import VERDICT, BulkItem
from embedmill.shared.db.bulk_waits import NewItem
from embedmill.shared.db.leases import WorkItem
from embedmill.shared.db.verdict_cache import VerdictCache
from embedmill.shared.errors import BlobMissing
from embedmill.shared.ledger import MESSAGE, Tokens
from embedmill.shared.paging import pages
from embedmill.shared.providers.models.base import Model, ModelAnswer
from embedmill.shared.providers.models.counting import most_tokens
from embedmill.shared.runtime import Runtime
from embedmill.workers.bulk.question import BatchQuestion
from embedmill.workers.bulk.waiting import BatchTarget, Diverted, divert
from embedmill.workers.chunking import ChunkSet, decode_chunk_set
from embedmill.workers.validation.judging import VerdictQuestion
from embedmill.workers.validation.obtaining import find_opinions, judge_name, store_verdicts, verdict_cache
from embedmill.workers.validation.passages import ChunkPassage, make_passages
from embedmill.workers.validation.verdict import Verdict
from embedmill.workers.validation.wording import MOST_CHUNKS, pack_passages

PAGE = 500
"""Chunk sets that are read together."""


def divert_passages(
    runtime: Runtime, model: Model, items: Sequence[WorkItem], passages: Mapping[int, Sequence[ChunkPassage]]
) -> Diverted:
    """The documents of one job whose verdicts are to come by the batch lane."""
    cache = verdict_cache(runtime, model)

    def list_needed() -> dict[int, list[NewItem]]:
        return {
            item.id: [NewItem(p.address, item.document_id, item.chunks_ref, None, p.ordinal) for p in passages[item.id]]
            for item in items
        }

    target = BatchTarget(VERDICT, model.name, model.provider, model.model, MESSAGE)
    return divert(
        runtime,
        items,
        target,
        list_needed=list_needed,
        find_known=lambda addresses: find_opinions(cache, addresses).keys(),
    )


class VerdictBatches(VerdictQuestion, BatchQuestion[ChunkPassage, Verdict, ModelAnswer]):
    """Chunks, which are read anew where they are stored, and what a model thinks of them."""

    kind = VERDICT
    operation = MESSAGE
    items_per_request = MOST_CHUNKS

    def __init__(self, runtime: Runtime, target: str) -> None:
        model = runtime.model(target)
        self._cache: VerdictCache = verdict_cache(runtime, model)
        super().__init__(model, store_verdicts(self._cache))
        self._runtime = runtime
        self.provider, self.model_name = model.provider, model.model
        self.key = model.key_hash

    def find_known(self, addresses: Sequence[str]) -> Collection[str]:
        return find_opinions(self._cache, addresses).keys()

    def load(self, items: Sequence[BulkItem]) -> dict[str, ChunkPassage]:
        judge = judge_name(self.model)
        passages: dict[str, ChunkPassage] = {}
        for part in pages(sorted({item.chunks_ref for item in items if item.chunks_ref is not None}), PAGE):
            chunk_sets = self._read_chunk_sets(part)
            for item in items:
                if item.chunks_ref in chunk_sets:
                    passages |= _passage(chunk_sets[str(item.chunks_ref)], item, judge)
        return passages

    def recall(self, items: Sequence[BulkItem]) -> dict[str, ChunkPassage]:
        return self.load(items)

    def pack(self, loaded: Sequence[ChunkPassage]) -> list[Request[ChunkPassage]]:
        return pack_passages(sorted(loaded, key=lambda passage: (passage.document, passage.ordinal)))

    def body(self, request: Request[ChunkPassage]) -> Mapping[str, Any]:
        return self.model.parameters(self.word(request), batch=True)

    def most_tokens(self, request: Request[ChunkPassage]) -> Tokens | None:
        return most_tokens(self.model, self.word(request), batch=True) if request.items else None

    def parse(self, body: Any) -> ModelAnswer:
        return self.model.read_batch(body)

    def _read_chunk_sets(self, references: Sequence[str]) -> dict[str, ChunkSet]:
        chunk_sets = {}
        for reference, data in self._runtime.blobs.get_pack(list(references)).items():
            try:
                if not isinstance(data, BlobMissing):
                    chunk_sets[reference] = decode_chunk_set(data)
            except BlobMissing:
                continue
        return chunk_sets


def _passage(chunk_set: ChunkSet, item: BulkItem, judge: str) -> dict[str, ChunkPassage]:
    """An item's passage by its address; nothing when that is not what it was asked for as."""
    if item.ordinal >= len(chunk_set.chunks):
        return {}
    chunk = chunk_set.chunks[item.ordinal]
    (passage,) = make_passages(chunk_set, [chunk], document=item.document_id, judge=judge)
    return {passage.address: passage} if passage.address == item.address else {}
