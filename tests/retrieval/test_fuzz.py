"""No query is an error, and none tells the stores apart. `make fuzz` asks ten thousand."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from embedmill.retrieval.search import Searcher
from embedmill.retrieval.view import EVERY_CHUNK
from embedmill.shared.errors import UsageError
from embedmill.shared.filtering.conditions import Condition
from embedmill.shared.filtering.grammar import parse_filter
from embedmill.shared.providers.vectorstores.base import VectorStore
from embedmill.shared.providers.vectorstores.embedded.store import EmbeddedVectorStore
from embedmill.shared.providers.vectorstores.pgvector.store import PgVectorStore
from tests.retrieval.fuzzing import Odd, questions
from tests.retrieval.layouts import EMBEDDER, Layout, corpus, pinecone, searcher
from tests.services import postgres
from tests.services.needed import require

NUMBER = int(os.environ.get("FUZZ_QUERIES", "40"))
SEED = int(os.environ.get("FUZZ_SEED", "1"))
LAYOUT = Layout(2)
SCORES_WITHIN = 1e-6


@pytest.fixture(scope="module")
def searchers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Searcher]]:
    require(postgres.why_not(extension="vector"))
    with ExitStack() as opened:
        server = opened.enter_context(postgres.running_database(extension="vector"))
        rows = corpus()
        folder: Path = tmp_path_factory.mktemp("fuzz")
        stores: dict[str, VectorStore] = {
            "embedded": EmbeddedVectorStore(folder / "c1", dimensions=EMBEDDER.dimensions),
            "pgvector": PgVectorStore(server.url, collection_key="c1", dimensions=EMBEDDER.dimensions),
        }
        stores["pinecone"] = opened.enter_context(pinecone(folder / "spilled", rows))("c1")
        for store in stores.values():
            opened.callback(store.close)
            LAYOUT.fill(store, rows)
        yield {name: searcher(store, LAYOUT, rows) for name, store in stores.items()}


def test_no_query_fails_or_tells_the_stores_apart(searchers: dict[str, Searcher]) -> None:
    answered = 0
    for odd in questions(NUMBER, SEED):
        first, *others = (found(asked, odd) for asked in searchers.values())
        answered += bool(first)
        for other in others:
            assert [hit[:2] for hit in other] == [hit[:2] for hit in first], repr(odd)[:1000]
            scores = [hit[2] for hit in first]
            assert [hit[2] for hit in other] == pytest.approx(scores, abs=SCORES_WITHIN), repr(odd)[:1000]
    assert answered > NUMBER / 2


def found(asked: Searcher, odd: Odd) -> list[tuple[str, str, float]]:
    """The hits; a filter that is none is told to the user, and nothing else may go wrong."""
    condition: Condition | None = None
    with suppress(UsageError):
        condition = None if odd.where is None else parse_filter(odd.where)
    try:
        result = asked.search(odd.text, mode=odd.mode, where=condition, top_k=odd.top_k, view=EVERY_CHUNK)
    except Exception as error:
        error.add_note(repr(odd)[:1000])
        raise
    assert not result.degraded, (repr(odd)[:1000], result.failures, result.steps)
    return [(hit.document, hit.chunk, hit.score) for hit in result.hits]
