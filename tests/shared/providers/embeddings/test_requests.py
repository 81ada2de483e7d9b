"""How `embed_all` packs texts into requests, and what it refuses from a provider."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from embedmill.shared.errors import BadVector
from embedmill.shared.providers.embeddings.base import Embedder, InputType


class Recorder(Embedder):
    """Counts a token a character, embeds a text as its length, and remembers its requests."""

    provider = name = model = "recorder"
    dimensions = 1
    max_inputs = 3
    max_tokens_per_request = 10

    def __init__(self, *, spoil: float = 1.0) -> None:
        self.seen: list[list[str]] = []
        self._spoil = spoil

    def embed_batch(self, texts: Sequence[str], *, input_type: InputType = "document") -> NDArray[np.float32]:
        self.seen.append(list(texts))
        return np.array([[len(text)] for text in texts], dtype=np.float32) * np.float32(self._spoil)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text) for text in texts]


@given(st.lists(st.text(max_size=15)))
def test_requests_stay_within_the_limits_and_vectors_in_order(texts: list[str]) -> None:
    recorder = Recorder()
    vectors = recorder.embed_all(texts)
    assert vectors.shape == (len(texts), 1)
    assert vectors[:, 0].tolist() == [len(text) for text in texts]
    assert sorted(text for request in recorder.seen for text in request) == sorted(texts)
    assert all(len(request) <= 3 for request in recorder.seen)
    assert all(len(request) == 1 or sum(map(len, request)) <= 10 for request in recorder.seen)


def test_requests_are_filled() -> None:
    recorder = Recorder()
    recorder.embed_all(["a" * 5, "b" * 5, "c", "d", "e", "f", "g" * 20, "h"])
    assert sorted(map(len, recorder.seen)) == [1, 2, 2, 3]


def test_a_vector_that_is_not_finite_is_refused() -> None:
    with pytest.raises(BadVector):
        Recorder(spoil=float("nan")).embed_all(["text"])


def test_vectors_of_another_size_are_refused() -> None:
    recorder = Recorder()
    recorder.dimensions = 2
    with pytest.raises(BadVector):
        recorder.embed_all(["text"])
