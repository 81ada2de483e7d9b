"""The embed stage: vectors for every kept chunk, from the cache or the provider, stored before the stage ends."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.db import jobs
from shared.db.work import Claim, Item
from shared.outcomes import Advance, Outcome
from shared.providers.embeddings.address import content_address
from shared.providers.embeddings.base import Embedder
from shared.states import Stage
from workers.executor import bisect
from workers.runtime import WorkerRuntime
from workers.stages.stored import Stored, load_stored


@dataclass(frozen=True, slots=True)
class Text:
    """What is sent to the embedder for one address; `tokens` are the chunk's, by the chunker's count."""

    text: str
    tokens: int


def embed(runtime: WorkerRuntime, claim: Claim) -> dict[int, Outcome]:
    """Embed all documents of a batch that use the same model together; a failing batch is bisected to its culprit."""
    stored, outcomes = load_stored(runtime.blobs, claim.items)
    by_id = {s.item.id: s for s in stored}
    for name, items in _by_model(runtime, stored).items():
        embedder = runtime.embedder(name)
        outcomes |= bisect(items, lambda part, e=embedder: _embed(runtime, e, [by_id[i.id] for i in part]))  # type: ignore[misc]
    return outcomes


def _by_model(runtime: WorkerRuntime, stored: Sequence[Stored]) -> dict[str, list[Item]]:
    groups: dict[str, list[Item]] = {}
    for s in stored:
        name = runtime.collection_settings(s.item.collection_id).embedding
        groups.setdefault(name, []).append(s.item)
    return groups


def _embed(runtime: WorkerRuntime, embedder: Embedder, stored: Sequence[Stored]) -> dict[int, Outcome]:
    wanted = {s.item.id: addressed_texts(embedder, s) for s in stored}
    unique = {address: text for texts in wanted.values() for address, text in texts.items()}
    known = runtime.cache.get_many(list(unique))
    missing = {address: text for address, text in unique.items() if address not in known}
    if missing:
        texts = [text.text for text in missing.values()]
        vectors = embedder.embed_all(texts, input_type="document")
        runtime.cache.put_many(dict(zip(missing, vectors, strict=True)))
    _record(runtime, embedder, stored[0].item.job_id, missing, cached=len(unique) - len(missing))
    return {id_: _advance(texts, missing) for id_, texts in wanted.items()}


def addressed_texts(embedder: Embedder, stored: Stored) -> dict[bytes, Text]:
    """The texts to embed for a document, by content address; equal texts are one."""
    texts = {}
    for chunk in stored.kept:
        text = chunk.embedded_text(stored.chunk_set.text)
        texts[content_address(embedder.model, embedder.dimensions, "document", text)] = Text(text, chunk.tokens)
    return texts


def _advance(texts: Mapping[bytes, Text], missing: Mapping[bytes, Text]) -> Advance:
    embedded = sum(address in missing for address in texts)
    return Advance(Stage.INDEX, {"chunks_embedded": embedded})


def _record(
    runtime: WorkerRuntime, embedder: Embedder, job_id: int, missing: Mapping[bytes, Text], *, cached: int
) -> None:
    row = {
        "job_id": job_id,
        "provider": embedder.name.split("/")[0],
        "model": embedder.model,
        "operation": "embed",
        "inputs": len(missing),
        "cached": cached,
        "tokens_in": sum(text.tokens for text in missing.values()),
        "tokens_out": 0,
        "cost_microusd": 0,
    }
    with runtime.database.write() as connection:
        jobs.record_usage(connection, [row])
