"""What sending dead letters again would cost: which of their texts are embedded already, and the tokens of the rest."""

from collections.abc import Mapping, Sequence
from typing import Any

from embedmill.shared import stages
from embedmill.shared.errors import EmbedmillError
from embedmill.shared.runtime import Runtime
from embedmill.shared.stages import Product

# More documents than this are not looked at one by one.
EXACT_DOCUMENTS = 200


def measure_cost(runtime: Runtime, letters: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """`{"documents", "chunks", "cached", "tokens", "exact"}`: chunks known and embedded already, tokens to be paid.

    Without a stored text the tokens are the estimate of the submission, and the figure is not `exact`.
    """
    total = {"documents": len(letters), "chunks": 0, "cached": 0, "tokens": 0, "exact": True}
    for letter in letters:
        for name, value in _measure(runtime, letter).items():
            total[name] = total[name] and value if name == "exact" else total[name] + value
    return total


def estimate_cost(measured: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The same from documents and tokens by stage: at most so much, for what was embedded is free."""
    made = stages.maker(Product.VECTORS)
    return {
        "documents": sum(row["documents"] for row in measured),
        "chunks": None,
        "cached": None,
        "tokens": sum(row["tokens"] for row in measured if not stages.is_past(row["stage"], made)),
        "exact": False,
    }


def describe_cost(cost: Mapping[str, Any]) -> str:
    """The figures in one line."""
    if cost["chunks"] is None:
        return f"at most {cost['tokens']} tokens to embed; what was embedded before is free"
    known = f"{cost['cached']} of {cost['chunks']} chunks are embedded already" if cost["chunks"] else "no stored text"
    return f"{known}; {'' if cost['exact'] else 'about '}{cost['tokens']} tokens to embed"


def _measure(runtime: Runtime, letter: Mapping[str, Any]) -> dict[str, Any]:
    if letter["deletes"]:
        return {"chunks": 0, "cached": 0, "tokens": 0, "exact": True}
    try:
        return _look_up(runtime, letter)
    except EmbedmillError:
        return {"chunks": 0, "cached": 0, "tokens": letter["size"], "exact": False}


def _look_up(runtime: Runtime, letter: Mapping[str, Any]) -> dict[str, Any]:
    from embedmill.workers.stored import embedded_text, read_stored

    references = [r for r in (letter["chunks_ref"], letter["rejections_ref"]) if r]
    found = runtime.blobs.get_pack(references) if references else {}
    chunk_set, rejections, repairs = read_stored(letter["chunks_ref"], letter["rejections_ref"], found)
    collection = runtime.collection(letter["collection_id"])
    embedder = runtime.embedder(runtime.collection_settings(collection.id).embedding)
    tokens = {
        embedder.address(embedded_text(chunk_set, chunk, repairs)): chunk.tokens
        for chunk in chunk_set.chunks
        if chunk.ordinal not in rejections
    }
    cached = runtime.cache.get_many(list(tokens))
    due = sum(count for address, count in tokens.items() if address not in cached)
    # The chunks of a document that was not validated yet may be rejected, which costs less.
    exact = letter["stage"] in stages.depending_on(Product.VECTORS)
    return {"chunks": len(tokens), "cached": len(cached), "tokens": due, "exact": exact}
