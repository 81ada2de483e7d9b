"""What becomes of chunks that the embedding model finds too long: they are cut, and their documents go round again.

How long a text is, the model's own tokenizer says, and a vendor may allow less than it publishes. So a refusal is the
measure: each one halves the chunk, until it is taken or cannot be cut any more.
"""

from collections.abc import Mapping, Sequence

from embedmill.shared import stages
from embedmill.shared.errors import EmbedmillError, InputTooLong
from embedmill.shared.logs import get_logger
from embedmill.shared.outcomes import Advance, Fail, Outcome
from embedmill.shared.providers.embeddings.base import Embedder
from embedmill.shared.stages import Product
from embedmill.workers.chunking import can_divide, divide, encode_chunk_set
from embedmill.workers.runtime import WorkerRuntime
from embedmill.workers.stored import Stored

log = get_logger()


def divide_too_long(
    runtime: WorkerRuntime, embedder: Embedder, stored: Sequence[Stored], errors: Mapping[bytes, EmbedmillError]
) -> dict[int, Outcome]:
    """Outcomes of the documents whose only lasting trouble is a chunk that is too long.

    The other chunks are unharmed: their texts, ids, vectors and verdicts are what they were, and are not paid again.
    """
    outcomes: dict[int, Outcome] = {}
    cut: dict[int, tuple[Stored, list[int]]] = {}
    for s in stored if errors else ():
        found = _errors_by_ordinal(embedder, s, errors)
        too_long = [ordinal for ordinal, error in found.items() if isinstance(error, InputTooLong)]
        others_last = any(not e.retryable and not isinstance(e, InputTooLong) for e in found.values())
        whole = [ordinal for ordinal in too_long if not can_divide(s.chunk_set, ordinal)]
        if whole and not others_last:
            outcomes[s.item.id] = Fail(_undividable(embedder, s, whole[0]))
        elif too_long and not others_last:
            cut[s.item.id] = s, too_long
    return outcomes | _cut(runtime, cut)


def _errors_by_ordinal(
    embedder: Embedder, stored: Stored, errors: Mapping[bytes, EmbedmillError]
) -> dict[int, EmbedmillError]:
    addresses = {chunk.ordinal: embedder.address(stored.embedded_text(chunk)) for chunk in stored.kept}
    return {ordinal: errors[address] for ordinal, address in addresses.items() if address in errors}


def _undividable(embedder: Embedder, stored: Stored, ordinal: int) -> InputTooLong:
    tokens = stored.chunk_set.chunks[ordinal].tokens
    return InputTooLong(
        f"chunk {ordinal}, of {tokens} tokens, is too long for {embedder.name} and cannot be cut any further",
        hint="Look at the text there; choose another model for the collection, or leave the document out.",
    )


def _cut(runtime: WorkerRuntime, cut: Mapping[int, tuple[Stored, list[int]]]) -> dict[int, Outcome]:
    made = {id_: divide(s.chunk_set, ordinals) for id_, (s, ordinals) in cut.items()}
    encoded = {id_: encode_chunk_set(chunk_set) for id_, chunk_set in made.items()}
    sealed = [runtime.vault.seal_blob(cut[id_][0].item.collection_id, data) for id_, data in encoded.items()]
    references = runtime.blobs.put_pack(sealed) if made else []
    outcomes: dict[int, Outcome] = {}
    for (id_, chunk_set), reference in zip(made.items(), references, strict=True):
        s, ordinals = cut[id_]
        log.info("document.chunks_split", work=id_, split=len(ordinals), chunks=len(chunk_set.chunks))
        outcomes[id_] = Advance(
            stages.following(stages.maker(Product.CHUNKS), runtime.collection_settings(s.item.collection_id)),
            {
                "chunks_ref": reference,
                "rejections_ref": None,
                "chunks_expected": len(chunk_set.chunks),
                "chunks_rejected": 0,
                "chunks_split": s.item.chunks_split + len(ordinals),
            },
        )
    return outcomes
