"""Measures how well a search tells that nothing is near, and finds the curves by which it does: `bench.relevance`.

A query is answerable (a judged one of its collection, or one that people would ask of a folder) or not: asked of
another collection, off topic, gibberish, or a judged one whose answering documents are hidden, which is told apart from
the others in the report, since what is left is about the same things. A curve is found with one half of the queries, by
their hash, and every figure is of the other half.
"""

import argparse
import sys
import tempfile
import tomllib
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.retrieval import JudgedCollection, index, read_collection
from embedmill.console.services.parsing import FileParser
from embedmill.retrieval.hits import StageScore
from embedmill.retrieval.measured import BY_WORDS, measured
from embedmill.retrieval.relevance import GOOD, WEAK, Calibration
from embedmill.retrieval.search import Searcher
from embedmill.shared.configuration import load_settings
from embedmill.shared.editions import Edition
from embedmill.shared.providers.embeddings.base import Embedder, InputType
from embedmill.shared.providers.embeddings.table import open_embedder
from embedmill.shared.providers.vectorstores.embedded.store import EmbeddedVectorStore
from embedmill.shared.words.queries import most_of_words, parse_query
from embedmill.workers.chunking import ChunkSettings

QUESTIONS = Path(__file__).with_name("questions.toml")
SHARES = {"own": 0.5, "other": 0.15, "off topic": 0.25, "gibberish": 0.1}
"""What each kind of query weighs in finding a curve, in every collection alike; the hidden ones find none."""
OTHERS = 80
"""So many queries of other collections are asked of each."""
FIRST_HITS = 10


@dataclass(frozen=True, slots=True)
class Posed:
    """A collection with the queries that it answers; `relevant` are their documents, where they are judged."""

    name: str
    documents: Sequence[Mapping[str, str]]
    queries: Mapping[Any, str]
    relevant: Mapping[str, Collection[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FirstHits:
    """The first hits of a query: cosines and shares of words, of shape (hits,)."""

    collection: str
    kind: str
    query: str
    cosines: NDArray[np.float64]
    words: NDArray[np.float64]


class Remembering(Embedder):
    """An embedder that keeps what it made in a file, since some are slow."""

    def __init__(self, embedder: Embedder, folder: Path) -> None:
        self._embedder = embedder
        self.provider, self.name = embedder.provider, embedder.name
        self.model, self.dimensions = embedder.model, embedder.dimensions
        self._file = folder / f"{embedder.model}.npz"
        self._known: dict[str, NDArray[np.float32]] = {}
        if self._file.exists():
            with np.load(self._file) as kept:
                self._known = dict(zip(kept["keys"].tolist(), kept["vectors"], strict=True))

    def embed_batch(self, texts: Sequence[str], *, input_type: InputType = "document") -> NDArray[np.float32]:
        keys = [self._embedder.address(text, input_type=input_type).hex() for text in texts]
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._known}
        if missing:
            made = self._embedder.embed_batch(list(missing.values()), input_type=input_type)
            self._known |= dict(zip(missing, made, strict=True))
        return np.stack([self._known[key] for key in keys]) if keys else np.zeros((0, self.dimensions), np.float32)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return self._embedder.count_tokens(texts)

    def keep(self) -> None:
        """Write down what is known."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        np.savez(self._file, keys=np.array(list(self._known)), vectors=np.stack(list(self._known.values())))


def read_judged(folder: Path, *, sample: int) -> Posed:
    """A judged collection, or so many of its documents and an eighth as many of its queries, with their answers."""
    judged = read_collection(folder)
    relevant: dict[str, Collection[str]] = {id: set(grades) for id, grades in judged.relevant.items()}
    if not sample:
        return Posed(judged.name, judged.documents, judged.queries, relevant)
    random = Random(1)
    ids = sorted(judged.queries)
    random.shuffle(ids)
    queries = {id: judged.queries[id] for id in ids[: sample // 8]}
    needed = {document for id in queries for document in relevant[id]}
    others = [document for document in judged.documents if document["id"] not in needed]
    random.shuffle(others)
    documents = [document for document in judged.documents if document["id"] in needed] + others[:sample]
    return Posed(judged.name, documents, queries, relevant)


def read_folders(data: Path, told: Mapping[str, Any]) -> Iterator[Posed]:
    """The folders of real documents with the questions that are asked of them."""
    settings = load_settings()
    for name, folder in told.items():
        files = sorted(file for path in folder["paths"] for file in (data / path).rglob("*") if file.is_file())
        with FileParser(settings) as parser:
            parsed = [parser.parse(file) for file in files]
        documents = [{"id": file.uri, "title": file.title, "text": file.text} for file in parsed]
        yield Posed(name, documents, dict(enumerate(folder["questions"])))


def look(asked: Posed, everyone: Sequence[Posed], told: Mapping[str, Any], embedder: Embedder) -> Iterator[FirstHits]:
    """What is seen of every query in one collection."""
    with tempfile.TemporaryDirectory() as folder:
        store = EmbeddedVectorStore(Path(folder), dimensions=embedder.dimensions)
        index(
            JudgedCollection(asked.name, asked.documents, {}, {}),
            store,
            ["s0"],
            embedder,
            ChunkSettings.from_target(384),
        )
        for kind, id, text in _queries(asked, everyone, told):
            hidden = asked.relevant.get(id, ()) if kind == "hidden" else ()
            yield _see(asked.name, kind, text, store, embedder, hidden)
        store.close()


def _queries(asked: Posed, everyone: Sequence[Posed], told: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    yield from (("own", id, text) for id, text in asked.queries.items())
    others = [text for one in everyone if one.name != asked.name for text in one.queries.values()]
    yield from (("other", "", text) for text in Random(1).sample(others, min(OTHERS, len(others))))
    yield from (("off topic", "", text) for text in told["off_topic"])
    yield from (("gibberish", "", text) for text in told["gibberish"])
    hidden = [id for id in asked.queries if id in asked.relevant]
    yield from (("hidden", id, asked.queries[id]) for id in hidden[:OTHERS])


def _see(
    collection: str, kind: str, text: str, store: EmbeddedVectorStore, embedder: Embedder, hidden: Collection[str]
) -> FirstHits:
    query = parse_query(text)
    most = most_of_words(query, store.count_words(["s0"], query.terms).counts) or 1.0

    def active(documents: Collection[str]) -> Mapping[str, Edition]:
        return {document: Edition("v1", 1) for document in documents if document not in hidden}

    hits = Searcher(store, ["s0"], embedder, active).search(text, top_k=FIRST_HITS).hits
    return FirstHits(
        collection,
        kind,
        text,
        np.array([_score(hit.stages, "dense") for hit in hits] or [0.0]),
        np.array([_score(hit.stages, "lexical") / most for hit in hits] or [0.0]),
    )


def _score(stages: Mapping[str, StageScore], name: str) -> float:
    return stages[name].score if name in stages else 0.0


def find_curve(seen: Sequence[FirstHits], *, cosine: bool, words: bool) -> Calibration:
    """The curve that tells the answerable queries from the others, by the best of the first hits."""
    minimize = import_module("scipy.optimize").minimize

    used = np.array([cosine, words, True], float)
    answerable = np.array([one.kind == "own" for one in seen])
    weights = _weights(seen)

    def loss(curve: NDArray[np.float64]) -> float:
        best = np.array([_best(one, curve * used) for one in seen])
        return float((weights * (np.logaddexp(0, best) - answerable * best)).sum())

    found = minimize(loss, np.array([5.0, 5.0, -3.0]), method="L-BFGS-B").x * used
    return Calibration(*(round(float(value), 1) for value in found))


def _best(one: FirstHits, curve: NDArray[np.float64]) -> float:
    cosine, words, bias = curve.tolist()
    return float((cosine * one.cosines + words * one.words).max() + bias)


def _weights(seen: Sequence[FirstHits]) -> NDArray[np.float64]:
    groups = [(one.collection, one.kind) for one in seen]
    weights: NDArray[np.float64] = np.array(
        [SHARES[kind] / groups.count((collection, kind)) for collection, kind in groups]
    )
    weights /= weights.sum()
    return weights


def area(own: Sequence[float], others: Sequence[float]) -> float:
    """The area under the ROC curve: how often an answerable query is above another, a tie counting half."""
    compared = np.array(own)[:, None] - np.array(others)[None, :]
    return float((compared > 0).mean() + (compared == 0).mean() / 2)


def report(seen: Sequence[FirstHits], curve: Calibration, title: str) -> None:
    """Print, for every collection and kind of query, how often an answer is called what, and how well they are told."""
    print(f"\n{title}: {curve}")
    print(f"{'collection':12} {'queries':10} {'n':>4}  good  weak  none   AUC")
    for collection in dict.fromkeys(one.collection for one in seen):
        here = [one for one in seen if one.collection == collection]
        own = _nearest(here, "own", curve)
        for kind in dict.fromkeys(one.kind for one in here):
            near = np.array(_nearest(here, kind, curve))
            shares = [(near >= GOOD).mean(), ((near >= WEAK) & (near < GOOD)).mean(), (near < WEAK).mean()]
            told = "     " if kind == "own" else f"{area(own, near.tolist()):.3f}"
            print(f"{collection:12} {kind:10} {len(near):4}  {'  '.join(f'{share:4.2f}' for share in shares)}  {told}")


def _nearest(seen: Sequence[FirstHits], kind: str, curve: Calibration) -> list[float]:
    return [
        max(curve.similarity(cosine=c, words=w) for c, w in zip(one.cosines, one.words, strict=True))
        for one in seen
        if one.kind == kind
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the curves in use and those that would be found, over the queries of the held half."""
    options = _parser().parse_args(arguments)
    told = tomllib.loads(QUESTIONS.read_text(encoding="utf-8"))
    embedder = Remembering(open_embedder(options.embedding, cache_dir=options.cache), options.cache)
    judged = [read_judged(options.data / name, sample=options.sample) for name in ("cranfield", "pyfaq")]
    everyone = [*judged, *read_folders(options.data, told["folders"])]
    seen = [one for asked in everyone for one in look(asked, everyone, told, embedder)]
    embedder.keep()
    first = [one for one in seen if zlib.crc32(one.query.encode()) % 2 and one.kind in SHARES]
    held = [one for one in seen if not zlib.crc32(one.query.encode()) % 2]
    known = measured(options.embedding)
    for title, used, cosine, words in (
        ("meaning and words", known.nearness, True, True),
        ("meaning", known.cosine, True, False),
        ("words", BY_WORDS, False, True),
    ):
        if used:
            report(held, used, f"{options.embedding} by {title}, in use")
        print(f"found with the other half: {find_curve(first, cosine=cosine, words=words)}", flush=True)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.relevance", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the collections and documents")
    parser.add_argument("--embedding", default="local", help="embedder")
    parser.add_argument("--sample", type=int, default=0, help="so many documents of a judged collection; 0 takes all")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "embedmill-bench", help="vectors")
    return parser


if __name__ == "__main__":
    sys.exit(main())
