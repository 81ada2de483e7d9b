"""One corpus, kept in many ways, and what a searcher answers over it: the same, however it is kept."""

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import pytest

from embedmill.retrieval.question import MODES, Mode
from embedmill.retrieval.search import Searcher
from embedmill.shared.editions import Edition, row_id
from embedmill.shared.filtering.grammar import parse_filter
from embedmill.shared.metering import FreeMeter
from embedmill.shared.providers.blobs.folder import FolderBlobStore
from embedmill.shared.providers.embeddings.hash import HashEmbedder
from embedmill.shared.providers.vectorstores import exact
from embedmill.shared.providers.vectorstores.base import VectorStore
from embedmill.shared.providers.vectorstores.pinecone.store import PineconeVectorStore
from embedmill.shared.providers.vectorstores.rows import VectorRow, edition_of
from embedmill.shared.sharding import shard_for
from embedmill.shared.words.tallies import WordTally
from tests.services.pinecone import running_pinecone

EMBEDDER = HashEmbedder()
TEXTS = (
    "The stack was cleaned on 2026-11-29 and reached -40 degrees at night.",
    "Error ERR-2041 in module_loader: version 1.2.3 is not 1.2.30.",
    "Der Kamin wurde gereinigt; die Temperatur fiel auf -40 Grad.",
    "煙突は清掃され、夜間の温度は氷点下四十度だった。",
    "烟囱已清洁，夜间温度为零下四十度。",
    "La cheminée a été nettoyée, la température était de -40 degrés.",
    "Part 4711-A fits the pump; part 4711-B does not.",
    "The pump of stack 2 was wet, and the error came back.",
    "Who does what: it can, the who, to be or not to be.",
    "snake_case_names and CamelCaseNames are words too.",
)
QUERIES = (
    "stack temperature",
    "ERR-2041 version 1.2.3",
    "Temperatur des Kamins",
    "温度",
    '"pump of stack" wet',
    "error -pump",
    "to be or not to be",
    "part 4711-B 9",
)
WHERE = "n >= 3 and (lang = en or not exists(lang)) and uri ~ */d*"
LANGUAGES: tuple[dict[str, object], ...] = ({"lang": "en"}, {"lang": ["de", "fr"]}, {})
DEPTHS = (3, 10, 50)
Asked = tuple[str, Mode, str | None, int]
Answer = list[tuple[str, str, float]]
"""Document, chunk and score of each hit."""


def corpus() -> list[VectorRow]:
    """Some hundred rows: texts with their copies, ties in every score, several languages, lists in metadata."""
    chance = random.Random(4)
    rows = []
    for n in range(40):
        document, language = f"d{n:02}", LANGUAGES[n % len(LANGUAGES)]
        for ordinal in range(1 + n % 5):
            text = TEXTS[(n + ordinal) % len(TEXTS)] + (f" Note {n}." if n % 4 == 0 else "")
            rows.append(row_of(document, ordinal, text, {"n": chance.randrange(9)} | language))
    return rows


def row_of(document: str, ordinal: int, text: str, metadata: Mapping[str, object]) -> VectorRow:
    """A row with the vector of its text."""
    return VectorRow(
        id=row_id(document, "v1", 2, ordinal),
        document=document,
        version="v1",
        generation=2,
        ordinal=ordinal,
        chunk=f"{document}-{ordinal}",
        uri=f"file:///shelf/{document}.txt",
        title="Notes" if ordinal % 2 else "",
        section=f"Part {ordinal}" if ordinal else "",
        text=text,
        start=0,
        end=len(text),
        page=ordinal or None,
        index_version="i1",
        vector=EMBEDDER.embed_batch([text])[0],
        metadata=dict(metadata),
    )


@dataclass(frozen=True)
class Layout:
    """How the corpus comes into a store."""

    shards: int = 1
    order: Callable[[list[VectorRow]], Iterable[VectorRow]] = list
    page: int = 50
    with_history: bool = False
    """Whether rows of a generation before, and documents that are gone, were there first."""

    @property
    def names(self) -> list[str]:
        return [f"s{n}" for n in range(self.shards)]

    def fill(self, store: VectorStore, rows: Sequence[VectorRow]) -> None:
        if self.with_history:
            self._write(store, former(rows))
            for shard in self.names:
                documents = {row.document for row in rows if shard_for(row.document, self.names) == shard}
                store.delete_stale(shard, dict.fromkeys(documents, 2) | {f"gone{n}": 9 for n in range(20)})
        self._write(store, self.order(list(rows)))

    def _write(self, store: VectorStore, rows: Iterable[VectorRow]) -> None:
        waiting = iter(rows)
        while some := list(islice(waiting, self.page)):
            for shard in self.names:
                if held := [row for row in some if shard_for(row.document, self.names) == shard]:
                    store.upsert(shard, held)


def former(rows: Sequence[VectorRow]) -> Iterator[VectorRow]:
    """What was there before: other texts of the same documents, and documents that are gone."""
    for row in rows[::2]:
        text = f"formerly: stack pump temperature {row.ordinal}"
        yield replace(row_of(row.document, row.ordinal, text, {}), generation=1)
    for n in range(20):
        yield row_of(f"gone{n}", 0, TEXTS[n % len(TEXTS)], {"n": 5, "lang": "en"})


def shuffled(rows: list[VectorRow]) -> list[VectorRow]:
    """In another order, of documents and within them."""
    return random.Random(9).sample(rows, len(rows))


def searcher(store: VectorStore, layout: Layout, rows: Sequence[VectorRow]) -> Searcher:
    """Over all shards; every document of the corpus is seen."""
    active: Mapping[str, Edition] = {row.document: edition_of(row) for row in rows}
    return Searcher(
        store, layout.names, EMBEDDER, lambda ids: {id: active[id] for id in ids if id in active}, seconds=60
    )


def questions() -> Iterator[Asked]:
    """Every query in every mode, half of them with a filter, to the greatest depth; and some to each."""
    for n, query in enumerate(QUERIES):
        yield from ((query, mode, WHERE if (n + m) % 2 else None, DEPTHS[-1]) for m, mode in enumerate(MODES))
    yield from ((query, "hybrid", None, depth) for query in QUERIES[1::3] for depth in DEPTHS)


def answers(asked: Searcher) -> dict[Asked, Answer]:
    """What is found for every question."""
    return {question: answer(asked, *question) for question in questions()}


def answer(asked: Searcher, query: str, mode: Mode, where: str | None, top_k: int) -> Answer:
    """The hits of one question; a part that failed is a failure of the test."""
    condition = None if where is None else parse_filter(where)
    result = asked.search(query, mode=mode, where=condition, top_k=top_k)
    assert not result.degraded, result.failures or [step for step in result.steps if step.failed]
    return [(hit.document, hit.chunk, hit.score) for hit in result.hits]


@contextmanager
def pinecone(folder: Path, rows: Sequence[VectorRow]) -> Iterator[Callable[[str], PineconeVectorStore]]:
    """Opens stores by their collections' keys, on a simulator; the tracker of words is told of the corpus."""
    tally = WordTally.of(map(exact.counts_of, rows))
    with running_pinecone(lag_seconds=0) as service, pytest.MonkeyPatch.context() as patch, ExitStack() as opened:
        for name, value in service.environment.items():
            patch.setenv(name, value)

        def open_store(key: str) -> PineconeVectorStore:
            store = PineconeVectorStore(
                "pinecone://mill?timeout=10&fresh=10",
                collection_key=key,
                dimensions=EMBEDDER.dimensions,
                spills=lambda: FolderBlobStore(folder),
                meter=FreeMeter(),
                count_words=tally.counts_of,
            )
            opened.callback(store.close)
            return store

        yield open_store
