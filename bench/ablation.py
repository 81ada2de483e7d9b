"""Measures what each step of hybrid search adds, with each model, on judged collections: `python -m bench ablation`.

Beside Cranfield and the Python questions there are collections made of them, which differ as collections do: titles
alone, texts without titles, chunks of a quarter of the size, and identifiers asked for by name. Printed is a table for
docs/quality.md: nDCG@10 (gain 2^grade - 1) and half of its 95 % interval over queries.
"""

import argparse
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.retrieval import JudgedCollection, index, ndcg, read_collection
from embedmill.retrieval.evaluation.statistics import Interval, interval
from embedmill.retrieval.fusion import Fusion
from embedmill.retrieval.measured import measured
from embedmill.retrieval.question import Mode
from embedmill.retrieval.search import Searcher
from embedmill.retrieval.view import EVERY_CHUNK
from embedmill.shared.editions import Edition
from embedmill.shared.providers.embeddings.base import Embedder
from embedmill.shared.providers.embeddings.table import open_embedder
from embedmill.shared.providers.vectorstores.embedded.store import EmbeddedVectorStore
from embedmill.workers.chunking import ChunkSettings

MODELS = ("local", "local/minilm")
USUAL, SHORT = ChunkSettings(), ChunkSettings.from_target(96)
IDENTIFIER = re.compile(r"\b[A-Za-z]+(?:[._][A-Za-z]+)+\b")
MOST_HOLDING, MOST_ASKED = 4, 150


@dataclass(frozen=True, slots=True)
class Way:
    """A way of searching: a mode, and for hybrid what counts."""

    name: str
    mode: Mode
    fusion: Fusion | None = None


def rows_for(fusion: Fusion) -> list[Way]:
    """The sides, and the steps of hybrid search switched on one after the other."""
    plain = replace(fusion, leading=0.0, feedback=0.0)
    return [
        Way("dense", "dense"),
        Way("lexical", "lexical"),
        Way("fused, without lead", "hybrid", plain),
        Way("fused", "hybrid", replace(fusion, feedback=0.0)),
        Way("hybrid (with feedback)", "hybrid", fusion),
        Way("hybrid, as an unmeasured model", "hybrid", Fusion()),
    ]


def collections(data: Path) -> Iterator[tuple[JudgedCollection, ChunkSettings]]:
    """The judged collections and what is made of them, with how they are cut."""
    cranfield, questions = read_collection(data / "cranfield"), read_collection(data / "pyfaq")
    yield cranfield, USUAL
    yield questions, USUAL
    yield _changed(cranfield, "titles", lambda document: document["title"]), USUAL
    yield _changed(cranfield, "texts", _without_title), USUAL
    yield replace(questions, name="pyfaq, short chunks"), SHORT
    yield _identifiers(questions), USUAL


def _changed(judged: JudgedCollection, name: str, text_of: Callable[[Mapping[str, str]], str]) -> JudgedCollection:
    documents = [{"id": document["id"], "title": "", "text": text_of(document) or "-"} for document in judged.documents]
    return replace(judged, name=f"{judged.name}, {name}", documents=documents)


def _without_title(document: Mapping[str, str]) -> str:
    title, text = (" ".join(document[name].split()) for name in ("title", "text"))
    return text.removeprefix(title).strip()


def _identifiers(judged: JudgedCollection) -> JudgedCollection:
    """Identifiers that few documents hold, asked for by themselves."""
    holding: dict[str, dict[str, int]] = {}
    for document in judged.documents:
        for name in IDENTIFIER.findall(document["text"]):
            holding.setdefault(name, {})[document["id"]] = 1
    rare = sorted(name for name, found in holding.items() if len(found) <= MOST_HOLDING)
    asked = rare[:: max(len(rare) // MOST_ASKED, 1)]
    return JudgedCollection(
        "identifiers", judged.documents, {name: name for name in asked}, {n: holding[n] for n in asked}
    )


def measure(judged: JudgedCollection, settings: ChunkSettings, embedder: Embedder) -> dict[str, Interval]:
    """nDCG@10 of every row on one collection."""
    with tempfile.TemporaryDirectory() as folder:
        store = EmbeddedVectorStore(Path(folder), dimensions=embedder.dimensions)
        index(judged, store, ["s0"], embedder, settings)
        searcher = Searcher(store, ["s0"], embedder, lambda documents: dict.fromkeys(documents, Edition("v1", 1)))
        found = {row.name: _measure_row(judged, searcher, row) for row in rows_for(measured(embedder.name).fusion)}
        store.close()
    return found


def _measure_row(judged: JudgedCollection, searcher: Searcher, row: Way) -> Interval:
    searcher.fusion = row.fusion
    values = []
    for query, text in judged.queries.items():
        hits = searcher.search(text, top_k=50, mode=row.mode, view=EVERY_CHUNK).hits
        values.append(ndcg(list(dict.fromkeys(hit.document for hit in hits)), judged.relevant[query]))
    return interval(values)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a table for each model."""
    options = _parser().parse_args(arguments)
    for model in options.embeddings:
        embedder = open_embedder(model, cache_dir=Path(tempfile.gettempdir()) / "embedmill-bench")
        found = {
            judged.name: measure(judged, settings, embedder)
            for judged, settings in collections(options.data)
            if not options.only or judged.name in options.only
        }
        _print_table(model, found)
    return 0


def _print_table(model: str, found: Mapping[str, Mapping[str, Interval]]) -> None:
    print(f"| `{model}` | {' | '.join(found)} |\n|---|{'---|' * len(found)}")
    for row in rows_for(Fusion()):
        cells = (f"{means[row.name].mean:.3f} ±{half_of(means[row.name]):.3f}" for means in found.values())
        print(f"| {row.name} | {' | '.join(cells)} |")
    print(flush=True)


def half_of(found: Interval) -> float:
    """Half of an interval's width."""
    return (found.high - found.low) / 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench ablation", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the collections")
    parser.add_argument("--embeddings", nargs="+", default=MODELS, help="embedders")
    parser.add_argument("--only", nargs="+", default=(), help="collections, by name")
    return parser


if __name__ == "__main__":
    sys.exit(main())
