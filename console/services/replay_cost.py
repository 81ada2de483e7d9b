"""What sending dead letters again would cost: which of their texts are embedded already, and the tokens of the rest."""

from collections.abc import Sequence
from dataclasses import dataclass

from embedmill.shared import stages
from embedmill.shared.db.dead_letters import StoredLetter
from embedmill.shared.errors import EmbedmillError
from embedmill.shared.letters import DeadAtStage
from embedmill.shared.runtime import Runtime
from embedmill.shared.stages import Product

# More documents than this are not looked at one by one.
EXACT_DOCUMENTS = 200


@dataclass(frozen=True, slots=True)
class ReplayCost:
    """Chunks that are known, those of them that are embedded already, and tokens to be paid.

    Without a stored text the tokens are the estimate of the submission, and the figure is not `exact`. Where documents
    were not looked at one by one, nothing is said of chunks.
    """

    documents: int
    chunks: int | None
    cached: int | None
    tokens: int
    exact: bool


@dataclass(frozen=True, slots=True)
class _Due:
    """What one document's chunks are, and what is left to pay for."""

    chunks: int = 0
    cached: int = 0
    tokens: int = 0
    exact: bool = True


def measure_cost(runtime: Runtime, letters: Sequence[StoredLetter]) -> ReplayCost:
    """What sending letters again costs, from each one's stored chunks."""
    each = [_measure(runtime, letter) for letter in letters]
    return ReplayCost(
        documents=len(letters),
        chunks=sum(due.chunks for due in each),
        cached=sum(due.cached for due in each),
        tokens=sum(due.tokens for due in each),
        exact=all(due.exact for due in each),
    )


def estimate_cost(measured: Sequence[DeadAtStage]) -> ReplayCost:
    """The same from documents and tokens by stage: at most so much, for what was embedded is free."""
    made = stages.maker(Product.VECTORS)
    documents = sum(found.documents for found in measured)
    tokens = sum(found.tokens for found in measured if not stages.is_past(found.stage, made))
    return ReplayCost(documents, None, None, tokens, exact=False)


def _measure(runtime: Runtime, letter: StoredLetter) -> _Due:
    if letter.deletes:
        return _Due()
    try:
        return _look_up(runtime, letter)
    except EmbedmillError:
        return _Due(tokens=letter.size, exact=False)


def _look_up(runtime: Runtime, letter: StoredLetter) -> _Due:
    from embedmill.workers.stored import embedded_text, read_stored

    found = runtime.blobs.get_pack(letter.blobs) if letter.blobs else {}
    chunk_set, rejections, repairs = read_stored(letter.chunks_ref, letter.rejections_ref, found)
    collection = runtime.collection(letter.collection_id)
    embedder = runtime.embedder(runtime.collection_settings(collection.id).embedding)
    tokens = {
        embedder.address(embedded_text(chunk_set, chunk, repairs)): chunk.tokens
        for chunk in chunk_set.chunks
        if chunk.ordinal not in rejections
    }
    cached = runtime.cache_of(collection.id).find_known(list(tokens), dimensions=embedder.kept_dimensions)
    due = sum(count for address, count in tokens.items() if address not in cached)
    # The chunks of a document that was not validated yet may be rejected, which costs less.
    return _Due(len(tokens), len(cached), due, exact=letter.stage in stages.depending_on(Product.VECTORS))
