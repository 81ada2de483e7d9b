"""The embed stage: vectors for every kept chunk, from the cache or the provider, stored before the stage ends."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.db import jobs
from shared.db.work import Claim, Item
from shared.outcomes import Advance, Outcome
from shared.presence import is_gone
from shared.providers.embeddings.address import content_address
from shared.providers.embeddings.base import Embedder
from shared.states import Stage
from workers.executor import bisect
from workers.runtime import WorkerRuntime
from workers.stages.stored import Stored, load_stored

# How long texts stay reserved, in leases; only a call that takes longer may be paid for twice.
RESERVED_LEASES = 4
LOOK_AGAIN_SECONDS = 0.02


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
    made = _make(runtime, embedder, unique)
    _record(runtime, embedder, stored[0].item.job_id, made, cached=len(unique) - len(made))
    return {id_: _advance(texts, made) for id_, texts in wanted.items()}


def _make(runtime: WorkerRuntime, embedder: Embedder, unique: Mapping[bytes, Text]) -> dict[bytes, Text]:
    """Have every vector in the cache; returns the texts that were embedded here.

    What another worker is embedding at this moment is waited for; its own share comes first, so that two workers
    never wait for each other.
    """
    made: dict[bytes, Text] = {}
    missing = _missing(runtime, unique)
    while missing:
        seconds = RESERVED_LEASES * runtime.settings.lease_seconds
        mine = runtime.cache.reserve(list(missing), owner=runtime.process_id, seconds=seconds)
        if mine:
            share = {address: text for address, text in missing.items() if address in mine}
            _embed_share(runtime, embedder, share)
            made |= share
        else:
            _await_others(runtime, list(missing))
        missing = _missing(runtime, {address: text for address, text in missing.items() if address not in mine})
    return made


def _missing(runtime: WorkerRuntime, texts: Mapping[bytes, Text]) -> dict[bytes, Text]:
    known = runtime.cache.get_many(list(texts))
    return {address: text for address, text in texts.items() if address not in known}


def _embed_share(runtime: WorkerRuntime, embedder: Embedder, share: Mapping[bytes, Text]) -> None:
    try:
        vectors = embedder.embed_all([text.text for text in share.values()], input_type="document")
        runtime.cache.put_many(dict(zip(share, vectors, strict=True)))
    except BaseException:
        runtime.cache.release(runtime.process_id)
        raise


def _await_others(runtime: WorkerRuntime, addresses: Sequence[bytes]) -> None:
    """Wait a moment for whoever holds the addresses; what a dead process held is free."""
    for holder in runtime.cache.find_holders(addresses):
        if is_gone(runtime.run_folder, holder):
            runtime.cache.release(holder)
    time.sleep(LOOK_AGAIN_SECONDS)


def addressed_texts(embedder: Embedder, stored: Stored) -> dict[bytes, Text]:
    """The texts to embed for a document, by content address; equal texts are one."""
    texts = {}
    for chunk in stored.kept:
        text = stored.embedded_text(chunk)
        texts[content_address(embedder.model, embedder.dimensions, "document", text)] = Text(text, chunk.tokens)
    return texts


def _advance(texts: Mapping[bytes, Text], made: Mapping[bytes, Text]) -> Advance:
    embedded = sum(address in made for address in texts)
    return Advance(Stage.INDEX, {"chunks_embedded": embedded})


def _record(
    runtime: WorkerRuntime, embedder: Embedder, job_id: int, made: Mapping[bytes, Text], *, cached: int
) -> None:
    row = {
        "job_id": job_id,
        "provider": embedder.name.split("/")[0],
        "model": embedder.model,
        "operation": "embed",
        "inputs": len(made),
        "cached": cached,
        "tokens_in": sum(text.tokens for text in made.values()),
        "tokens_out": 0,
        "cost_microusd": 0,
    }
    with runtime.database.write() as connection:
        jobs.record_usage(connection, [row])
