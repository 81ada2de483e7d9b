"""A query that is longer than the model takes is cut, with a word about it."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from embedmill.retrieval.embedding import embed, fit
from embedmill.retrieval.question import ask
from embedmill.retrieval.steps import Steps
from embedmill.shared.providers.embeddings.base import Embedder, InputType


class WordEmbedder(Embedder):
    """Counts words for tokens, exactly, and takes seven of them."""

    provider = name = model = "words"
    dimensions = 2
    max_tokens_per_input = 7
    counts_exactly = True

    def __init__(self) -> None:
        self.asked: list[str] = []

    def embed_batch(self, texts: Sequence[str], *, input_type: InputType = "document") -> NDArray[np.float32]:
        self.asked += texts
        return np.ones((len(texts), 2), np.float32)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]


def test_what_fits_is_embedded_as_it_is() -> None:
    embedder, steps = WordEmbedder(), Steps("embed")
    embed(ask("one two three four five six seven"), lambda: embedder, steps)
    assert embedder.asked == ["one two three four five six seven"]
    assert steps.told()[0].why == ""


def test_what_does_not_fit_is_cut_between_words_and_said() -> None:
    embedder, steps = WordEmbedder(), Steps("embed")
    text = "word " * 10_000
    vector = embed(ask(text), lambda: embedder, steps)
    assert vector is not None
    assert 4 <= len(embedder.asked[0].split()) <= 7
    assert set(embedder.asked[0].split()) == {"word"}
    (told,) = steps.told()
    assert (told.ran, told.failed) == (True, False)
    assert told.why.startswith("only the first ")
    assert "words takes no more" in told.why


def test_a_count_that_is_an_estimate_is_kept_away_from_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WordEmbedder, "counts_exactly", False)
    assert len(fit("word " * 100, WordEmbedder()).split()) <= 7 / 1.5


def test_a_limit_in_characters_holds_too_and_one_long_word_is_cut_within(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WordEmbedder, "max_characters_per_input", 12)
    assert fit("apple banana cherry", WordEmbedder()) == "apple"
    assert fit("x" * 100, WordEmbedder()) == "x" * 12
