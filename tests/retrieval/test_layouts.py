"""One answer whatever the layout: hits, scores and their order depend on the documents alone."""

import pickle
from contextlib import closing
from pathlib import Path

import pytest

from embedmill.shared.providers.vectorstores.base import VectorStore
from embedmill.shared.providers.vectorstores.embedded.store import EmbeddedVectorStore
from embedmill.shared.providers.vectorstores.pgvector.store import PgVectorStore
from tests import forked, together
from tests.retrieval.layouts import (
    DEPTHS,
    EMBEDDER,
    Answer,
    Asked,
    Layout,
    answer,
    answers,
    corpus,
    pinecone,
    searcher,
    shuffled,
)
from tests.services import postgres
from tests.services.needed import require

LAYOUTS = {
    "one shard": Layout(),
    "two shards": Layout(2),
    "eight shards": Layout(8),
    "thirty-two shards": Layout(32),
    "in another order, in large pages": Layout(1, order=shuffled, page=1000),
    "backwards, some at a time": Layout(2, order=lambda rows: rows[::-1], page=7),
    "replaced and deleted rows before": Layout(1, with_history=True),
    "the same on eight shards": Layout(8, order=shuffled, with_history=True),
}
QUICK = ("eight shards", "in another order, in large pages", "the same on eight shards")
"""What the suite tries on the embedded store; `make chaos` tries all on every store."""
SCORES_WITHIN = 1e-6
"""Of a service that computes in 32 bits."""


def layouts(*quick: str) -> list[object]:
    """All of them by name; those that are not quick are marked `chaos`."""
    return [
        pytest.param(layout, id=name, marks=[] if name in quick else pytest.mark.chaos)
        for name, layout in LAYOUTS.items()
    ]


class ExactStore(EmbeddedVectorStore):
    """Finds what reading every row finds."""

    search_vectors = VectorStore.search_vectors
    search_words = VectorStore.search_words
    count_words = VectorStore.count_words
    score_words = VectorStore.score_words
    find_terms = VectorStore.find_terms


def found_by(store: VectorStore, layout: Layout) -> dict[Asked, Answer]:
    rows = corpus()
    with closing(store):
        layout.fill(store, rows)
        return answers(searcher(store, layout, rows))


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> dict[Asked, Answer]:
    """By reading every row of one shard; one process of a run does that for all."""

    def find(at: Path) -> None:
        folder = tmp_path_factory.mktemp("exact") / "c1"
        at.write_bytes(pickle.dumps(found_by(ExactStore(folder, dimensions=EMBEDDER.dimensions), Layout())))

    found: dict[Asked, Answer] = pickle.loads(together.once("layouts.pickle", find).read_bytes())
    return found


def test_the_questions_have_answers(truth: dict[Asked, Answer]) -> None:
    for (query, mode, where, depth), hits in truth.items():
        assert hits, (query, mode, where)
        assert len(hits) <= depth


def test_the_first_hits_are_the_same_however_many_are_asked_for(truth: dict[Asked, Answer]) -> None:
    for (query, mode, where, depth), hits in truth.items():
        if (longest := truth.get((query, mode, where, DEPTHS[-1]))) is not None:
            assert hits == longest[:depth], query


@pytest.mark.parametrize("layout", layouts("one shard", *QUICK))
def test_the_embedded_store_answers_alike(layout: Layout, truth: dict[Asked, Answer], tmp_path: Path) -> None:
    found = found_by(EmbeddedVectorStore(tmp_path / "c1", dimensions=EMBEDDER.dimensions), layout)
    for question, hits in truth.items():
        assert found[question] == hits, question


def test_another_process_answers_alike(truth: dict[Asked, Answer], tmp_path: Path) -> None:
    layout = Layout(2, order=shuffled)
    with closing(EmbeddedVectorStore(tmp_path / "c1", dimensions=EMBEDDER.dimensions)) as store:
        layout.fill(store, corpus())
    asked = list(truth)[:: len(truth) // 12]
    forked.run_at_once(_answer_elsewhere, [(tmp_path / "c1", {question: truth[question] for question in asked})])


def _answer_elsewhere(folder: Path, wanted: dict[Asked, Answer]) -> None:
    with closing(EmbeddedVectorStore(folder, dimensions=EMBEDDER.dimensions)) as store:
        found = searcher(store, Layout(2), corpus())
        assert {question: answer(found, *question) for question in wanted} == wanted


@pytest.mark.parametrize("layout", layouts("two shards"))
def test_postgres_answers_alike(layout: Layout, truth: dict[Asked, Answer]) -> None:
    require(postgres.why_not(extension="vector"))
    with postgres.running_database(extension="vector") as server:
        store = PgVectorStore(server.url, collection_key="c1", dimensions=EMBEDDER.dimensions)
        agree(found_by(store, layout), truth)


@pytest.mark.parametrize("layout", layouts("replaced and deleted rows before"))
def test_pinecone_answers_alike(layout: Layout, truth: dict[Asked, Answer], tmp_path: Path) -> None:
    with pinecone(tmp_path, corpus()) as open_store:
        agree(found_by(open_store("c1"), layout), truth)


def agree(found: dict[Asked, Answer], truth: dict[Asked, Answer]) -> None:
    """The same hits in the same order, with scores that are as near as 32 bits are."""
    for question, hits in truth.items():
        assert [hit[:2] for hit in found[question]] == [hit[:2] for hit in hits], question
        assert [hit[2] for hit in found[question]] == pytest.approx([hit[2] for hit in hits], abs=SCORES_WITHIN)
