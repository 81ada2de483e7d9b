"""Owns the embedding of a query: without a vector a search goes on by words alone, and says why."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from embedmill.retrieval.question import SearchQuestion
from embedmill.retrieval.steps import Running, Steps
from embedmill.shared.errors import EmbedmillError, ProviderUnavailable
from embedmill.shared.providers.embeddings.base import INEXACT_MARGIN, TOKENS_PER_CHARACTER, TOKENS_PER_TEXT, Embedder

EMBED = "embed"
ONLY_WORDS = "only words are asked for"
UNKNOWN_WORDS = "the model knows none of its words"
CLOSER = 0.95
"""A text that is cut in proportion to its tokens is made so much shorter still, as tokens are not all of one length."""

Vector = NDArray[np.float32]


def embed(question: SearchQuestion, open_embedder: Callable[[], Embedder], steps: Steps) -> Vector | None:
    """The query's vector; None when it has none, or could not have one.

    Raises EmbedmillError when meaning is all that is asked for.
    """
    if question.mode == "lexical":
        steps.skip(EMBED, ONLY_WORDS)
        return None
    with steps.step(EMBED, given=1) as step:
        try:
            return _embedded(question.words.plain, open_embedder(), step)
        # Whatever a model's library throws: the words are there to answer by.
        except Exception as error:
            told = _translated(error)
            if question.mode == "dense":
                raise told from error
            step.fail(str(told))
            return None


def _embedded(text: str, embedder: Embedder, step: Running) -> Vector | None:
    """None for a text without a token that the model knows, which would be near to anything."""
    step.model = embedder.name
    taken = fit(text, embedder)
    vector: Vector = embedder.embed_batch([taken], input_type="query")[0]
    if not vector.any():
        step.why = UNKNOWN_WORDS
        return None
    if taken != text:
        step.why = f"only the first {len(taken):,} of {len(text):,} characters: {embedder.name} takes no more"
    step.out = 1
    return vector


def fit(text: str, embedder: Embedder) -> str:
    """As much of a text as the model takes, cut between words where there are any."""
    most = embedder.max_tokens_per_input / (1 if embedder.counts_exactly else INEXACT_MARGIN)
    taken = _shortened(text, embedder.max_characters_per_input or len(text))
    while _tokens_at_most(taken) > most and (tokens := embedder.count_tokens([taken])[0]) > most:
        taken = _shortened(taken, int(len(taken) * most / tokens * CLOSER))
    return taken


def _tokens_at_most(text: str) -> int:
    """A bound that costs nothing: most queries are far below every limit."""
    return TOKENS_PER_CHARACTER * len(text) + TOKENS_PER_TEXT


def _shortened(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    cut = text[:most]
    return cut.rpartition(" ")[0] or cut


def _translated(error: Exception) -> EmbedmillError:
    return error if isinstance(error, EmbedmillError) else ProviderUnavailable(f"{type(error).__name__}: {error}")
