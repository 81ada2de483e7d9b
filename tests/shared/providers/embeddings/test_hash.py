"""The hash embedder's vectors are those of the words that its pattern finds, however it looks for them."""

import zlib
from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from embedmill.shared.providers.embeddings.hash import WORD, HashEmbedder

SIGNS = st.text(st.sampled_from("aB1_-.' \n\x1c\x85\u00a0\u2019éÉ\u0130\u212a\u017f√東\ud800"))


@given(st.one_of(SIGNS, st.text(st.characters(exclude_categories=()))))
def test_a_vector_is_of_the_words_of_a_text(text: str) -> None:
    words = (word.encode("utf-8", "surrogatepass") for word in WORD.findall(text.lower()))
    counts = Counter(zlib.crc32(word) % HashEmbedder.dimensions for word in words)
    expected = np.zeros(HashEmbedder.dimensions)
    expected[list(counts)] = np.sqrt(list(counts.values()))
    (vector,) = HashEmbedder().embed_batch([text])
    assert np.allclose(vector, expected / (np.linalg.norm(expected) or 1))
