"""Owns the embedding of a query: without a vector a search goes on by words alone, and says why."""

import numpy as np
from numpy.typing import NDArray

from embedmill.retrieval.question import Question
from embedmill.retrieval.steps import Running, Steps
from embedmill.shared.errors import EmbedmillError
from embedmill.shared.providers.embeddings.base import Embedder

EMBED = "embed"
UNKNOWN_WORDS = "the model knows none of its words"

Vector = NDArray[np.float32]


def embed(question: Question, embedder: Embedder, steps: Steps) -> Vector | None:
    """The query's vector; None when it has none, or could not have one.

    Raises what the embedder raised when meaning is all that is asked for.
    """
    if question.mode == "lexical":
        steps.skip(EMBED, "only words are asked for")
        return None
    with steps.step(EMBED, given=1) as step:
        try:
            return _embedded(question.words.plain, embedder, step)
        except EmbedmillError as error:
            if question.mode == "dense":
                raise
            step.fail(str(error))
            return None


def _embedded(text: str, embedder: Embedder, step: Running) -> Vector | None:
    """None for a text without a token that the model knows, which would be near to anything."""
    vector: Vector = embedder.embed_batch([text], input_type="query")[0]
    if not vector.any():
        step.why = UNKNOWN_WORDS
        return None
    step.out = 1
    return vector
