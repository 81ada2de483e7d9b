"""Measures what decomposition is worth where a model divides right, and what it costs where it divides what is one.

    python -m bench decomposition --data ../shared/data

Questions of a judged collection are joined two by two with "and", and divided into the two that they were: what a model
can reach at best. Single questions are divided into the halves of their words: what the worst one does. Printed are
nDCG@10 (gain 2^grade - 1) and, for pairs, the share of their parts of which a relevant document is among the first ten.
"""

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.retrieval import JudgedCollection, index, ndcg, read_collection
from embedmill.retrieval.evaluation.statistics import Interval, interval
from embedmill.retrieval.question import SearchQuestion
from embedmill.retrieval.search import Searcher
from embedmill.retrieval.steps import Steps
from embedmill.retrieval.understanding.parts import part_of
from embedmill.retrieval.understanding.understanding import AS_IT_STANDS, Understanding
from embedmill.retrieval.view import EVERY_CHUNK
from embedmill.shared.editions import Edition
from embedmill.shared.providers.embeddings.table import open_embedder
from embedmill.shared.providers.vectorstores.embedded.store import EmbeddedVectorStore
from embedmill.workers.chunking import ChunkSettings

COLLECTIONS = ("cranfield", "pyfaq")
FIRST = 10


@dataclass(frozen=True, slots=True)
class DividesAsTold(Understanding):
    """Divides as it is told."""

    parts: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def divide(self, question: SearchQuestion, steps: Steps) -> list[SearchQuestion]:
        """The parts that were told of a question."""
        del steps
        return [part_of(question, part) for part in self.parts[question.text]]


@dataclass(frozen=True, slots=True)
class Compound:
    """A question with its parts, and what is relevant to each of them."""

    text: str
    parts: tuple[str, str]
    relevant: tuple[Mapping[str, int], ...]

    @property
    def all_relevant(self) -> dict[str, int]:
        """What is relevant to any part."""
        joined: dict[str, int] = {}
        for relevant in self.relevant:
            joined |= {id: max(grade, joined.get(id, 0)) for id, grade in relevant.items()}
        return joined


def pairs(judged: JudgedCollection) -> list[Compound]:
    """Every question with one from the other half of them."""
    ids = list(judged.queries)
    middle = len(ids) // 2
    return [_pair(judged, one, other) for one, other in zip(ids[:middle], ids[middle:], strict=False)]


def _pair(judged: JudgedCollection, one: str, other: str) -> Compound:
    parts = (judged.queries[one].strip(" .?"), judged.queries[other].strip(" .?"))
    return Compound(" and ".join(parts), parts, (judged.relevant[one], judged.relevant[other]))


def halves(judged: JudgedCollection) -> list[Compound]:
    """Single questions that are torn in the middle."""
    cases = []
    for id, text in judged.queries.items():
        words = text.split()
        parts = (" ".join(words[: len(words) // 2]), " ".join(words[len(words) // 2 :]))
        cases.append(Compound(text, parts, (judged.relevant[id],)))
    return cases


def measure(searcher: Searcher, cases: Sequence[Compound]) -> tuple[Interval, Interval]:
    """nDCG@10, and the share of parts that are answered."""
    gains, covered = [], []
    for case in cases:
        hits = searcher.search(case.text, top_k=50, view=EVERY_CHUNK).hits
        found = list(dict.fromkeys(hit.document for hit in hits))
        gains.append(ndcg(found, case.all_relevant))
        answered = [any(relevant.get(id, 0) > 0 for id in found[:FIRST]) for relevant in case.relevant]
        covered.append(sum(answered) / len(answered))
    return interval(gains), interval(covered)


def compare(name: str, data: Path, model: str) -> None:
    """Print the rows of one collection."""
    judged = read_collection(data / name)
    embedder = open_embedder(model, cache_dir=Path(tempfile.gettempdir()) / "embedmill-bench")
    with tempfile.TemporaryDirectory() as folder:
        store = EmbeddedVectorStore(Path(folder), dimensions=embedder.dimensions)
        index(judged, store, ["s0"], embedder, ChunkSettings())
        searcher = Searcher(store, ["s0"], embedder, lambda documents: dict.fromkeys(documents, Edition("v1", 1)))
        for kind, cases in (("pairs, divided right", pairs(judged)), ("single questions, torn", halves(judged))):
            told = DividesAsTold(parts={case.text: case.parts for case in cases})
            rows = {}
            for way, understanding in (("as it stands", AS_IT_STANDS), ("divided", told)):
                searcher.understanding = understanding
                rows[way] = measure(searcher, cases)
            _print(f"{name}, {kind} ({len(cases)})", rows)
        store.close()


def _print(title: str, rows: Mapping[str, tuple[Interval, Interval]]) -> None:
    for way, (gain, covered) in rows.items():
        sys.stdout.write(f"| {title} | {way} | {_shown(gain)} | {_shown(covered)} |\n")


def _shown(found: Interval) -> str:
    return f"{found.mean:.3f} ± {(found.high - found.low) / 2:.3f}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a table."""
    parser = argparse.ArgumentParser(prog="bench decomposition", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--embedding", default="local")
    options = parser.parse_args(arguments)
    sys.stdout.write("| questions | searched | nDCG@10 | parts answered in ten |\n|---|---|---|---|\n")
    for name in COLLECTIONS:
        compare(name, options.data, options.embedding)
    return 0
