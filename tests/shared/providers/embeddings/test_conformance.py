"""What every embedder keeps to; run over each name in the table."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from embedmill.shared.errors import InputTooLong
from embedmill.shared.providers.embeddings.base import Embedder
from embedmill.shared.providers.embeddings.table import open_embedder
from tests.shared.providers.books import Books

LONG = "word " * 400
TEXTS = [
    "A cat sat on the mat.",
    "A kitten rested on the rug.",
    "Quarterly revenue grew by nine percent.",
    "",
    " \n\t",
    "漢字と仮名",
    "naïve Ünïcode 👩‍👩‍👧",
    "lone \ud800 surrogate \x00 NUL",
    "<|endoftext|> <s> [CLS] </s>",
    LONG,
]
HAVE_TOKENS = [0, 1, 2, 5, 6, 7, 8, 9]


def test_vectors_have_the_shape_that_the_model_names(embedder: Embedder) -> None:
    vectors = embedder.embed_batch(TEXTS)
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(TEXTS), embedder.dimensions)
    assert np.isfinite(vectors).all()


def test_no_texts_give_no_vectors(embedder: Embedder) -> None:
    assert embedder.embed_batch([]).shape == (0, embedder.dimensions)
    assert embedder.embed_all([]).shape == (0, embedder.dimensions)
    assert embedder.count_tokens([]) == []


def test_vectors_have_length_one_or_no_tokens(embedder: Embedder) -> None:
    lengths = np.linalg.norm(embedder.embed_batch(TEXTS), axis=1)
    assert lengths[HAVE_TOKENS] == pytest.approx(1, abs=1e-5)
    assert lengths[3] == 0
    counted = np.array(embedder.count_tokens(TEXTS)) > 0
    assert (counted == (lengths > 0)).all()


def test_a_vector_does_not_depend_on_its_neighbours(embedder: Embedder) -> None:
    together = embedder.embed_batch(TEXTS)
    alone = np.vstack([embedder.embed_batch([text]) for text in TEXTS])
    reverse = embedder.embed_batch(TEXTS[::-1])[::-1]
    assert np.array_equal(together, alone)
    assert np.array_equal(together, reverse)


def test_a_symmetric_model_embeds_queries_like_documents(embedder: Embedder) -> None:
    query, document = (embedder.embed_batch(TEXTS[:2], input_type=kind) for kind in ("query", "document"))
    assert np.array_equal(query, document) == embedder.symmetric


def test_the_end_of_a_long_text_counts(embedder: Embedder) -> None:
    copies = 120 if embedder.max_tokens_per_input > 1000 else 40
    same_start = "The harbour was quiet in the morning. " * copies
    first, second = embedder.embed_batch([same_start, same_start + "Volcanoes erupt with glowing lava. " * 20])
    assert float(first @ second) < 0.999


def test_more_tokens_count_as_more(embedder: Embedder) -> None:
    short, long = embedder.count_tokens(["one two", "one two three four five six"])
    assert 0 < short < long


def test_a_text_that_shares_words_or_meaning_is_nearer(embedder: Embedder) -> None:
    cat, kitten, revenue = embedder.embed_batch(TEXTS[:3])
    assert float(cat @ kitten) > float(cat @ revenue) + 0.2


def test_many_texts_come_back_in_order_with_a_vector_or_an_error_each(embedder: Embedder) -> None:
    texts = [f"text number {number}" for number in range(min(embedder.max_inputs, 100) + 5)]
    books = Books()
    result = embedder.embed_many(texts, meter=books)
    assert result.errors == {}
    assert np.array_equal(result.vectors[[0, -1]], embedder.embed_batch([texts[0], texts[-1]]))
    assert sum(usage.inputs for usage in books.reserved) == len(texts)
    assert embedder.embed_many([]).answers == 0


def test_a_text_that_is_too_long_is_an_error_and_never_cut(embedder: Embedder) -> None:
    if embedder.max_tokens_per_input >= 100_000:
        pytest.skip("takes more than a chunk will ever have")
    short, long = "a short text", "word " * (embedder.max_tokens_per_input + 10)
    result = embedder.embed_many([short, long, short])
    assert {place: type(error) for place, error in result.errors.items()} == {1: InputTooLong}
    assert np.array_equal(result.vectors[0], embedder.embed_batch([short])[0])
    assert not result.vectors[1].any()
    assert np.array_equal(result.vectors[0], result.vectors[2])


@pytest.mark.parametrize("seed", ["0", "1"])
@pytest.mark.parametrize("name", ["hash", "local"])
def test_vectors_are_the_same_in_every_process(name: str, cache_dir: Path, seed: str) -> None:
    script = (
        "import sys; from pathlib import Path; from embedmill.shared.providers.embeddings.table import open_embedder;"
        "opened = open_embedder(sys.argv[1], cache_dir=Path(sys.argv[2]));"
        "vectors = opened.embed_batch(['A cat sat on the mat.', '漢字']);"
        "sys.stdout.buffer.write(vectors.tobytes())"
    )
    command = [sys.executable, "-c", script, name, str(cache_dir)]
    run = subprocess.run(command, capture_output=True, check=True, env={**os.environ, "PYTHONHASHSEED": seed})
    here = open_embedder(name, cache_dir=cache_dir).embed_batch(["A cat sat on the mat.", "漢字"])
    assert run.stdout == here.tobytes()
