"""Questions about long tables and slides find the right chunk among the first three, with its header or its slide."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from embedmill.retrieval.hits import Hit
from embedmill.retrieval.search import Searcher
from embedmill.shared.editions import Edition
from embedmill.shared.providers.embeddings.local import LocalEmbedder
from embedmill.shared.providers.vectorstores.embedded.store import EmbeddedVectorStore
from embedmill.shared.providers.vectorstores.rows import VectorRow
from embedmill.workers.chunking import ChunkSettings, build_chunk_set, normalise
from tests.retrieval.tables_and_slides.made import MADE
from tests.workers.parsing.making import read

FIRST = 3
LEAST_FOUND = 0.9
HEADS = {
    "staff.csv": ["person_id | full_name | department"],
    "prices.xlsx": ["article | tool | price", "wood | sawmill | delivery days"],
    "torques.md": ["bolt | tightening torque | washer"],
    "emissions.html": ["country | gas | 2019"],
}
QUESTIONS = tomllib.loads((Path(__file__).parent / "tables_and_slides" / "questions.toml").read_text())["question"]


def rows_of(name: str, embedder: LocalEmbedder) -> list[VectorRow]:
    """A file's rows, as the stages make them."""
    parsed = read(MADE[name](), name)
    chunk_set = build_chunk_set(normalise(parsed), ChunkSettings(), title=parsed.title, media_type=parsed.media_type)
    vectors = embedder.embed_batch(chunk_set.embedded_texts())
    return [
        VectorRow(
            id=f"{name}-{id_}", document=name, version="v1", generation=1, ordinal=chunk.ordinal, chunk=id_, uri=name,
            title=chunk_set.title, section=chunk.section, text=chunk.shown(chunk_set.text), start=chunk.start,
            end=chunk.end, page=chunk.page, index_version="i1", vector=vector, head=chunk.head,
            last_page=chunk.last_page,
        )
        for id_, chunk, vector in zip(chunk_set.ids, chunk_set.chunks, vectors, strict=True)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def searcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Searcher]:
    embedder = LocalEmbedder()
    store = EmbeddedVectorStore(tmp_path_factory.mktemp("vectors"), dimensions=embedder.dimensions)
    for name in MADE:
        store.upsert("s0", rows_of(name, embedder))
    yield Searcher(store, ["s0"], embedder, lambda documents: dict.fromkeys(documents, Edition("v1", 1)))
    store.close()


def answers(hit: Hit, question: dict[str, Any]) -> bool:
    """Whether a hit is the chunk that was asked for, and says what its columns are or which slide it stands on."""
    if hit.document != question["file"] or question["row"] not in hit.text:
        return False
    if "page" in question:
        return hit.pages == (question["page"],) * 2
    return any(head in hit.text for head in HEADS[hit.document])


def test_the_right_chunk_is_among_the_first_three(searcher: Searcher) -> None:
    missed = [
        question["text"]
        for question in QUESTIONS
        if not any(answers(hit, question) for hit in searcher.search(question["text"], top_k=FIRST).hits)
    ]
    assert len(QUESTIONS) >= 30
    assert len(missed) <= (1 - LEAST_FOUND) * len(QUESTIONS), missed
