"""The embedded store at size, beside its goals: `python -m bench million`.

Pace, disk, first answer, memory, time and recall of searches, with filters, and beside somebody who writes. `--rows` is
how many chunks, `--shards` on how many shards, one layout after the other; `--small` is how many a small store has, 0
for none. What was filled before in `--folder` is used again. Texts are of the judged collections in `--data`, cut and
mixed to 120 words, or the lines of `--texts`; vectors are those of `local`. What is measured is the searcher, with a
tracker that knows all documents; each part is a process of its own, and layouts are filled side by side.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import numpy as np
import orjson

from embedmill.retrieval.search import Searcher
from embedmill.retrieval.view import EVERY_CHUNK
from embedmill.shared.caches.embeddings import as_kept
from embedmill.shared.editions import Edition, row_id
from embedmill.shared.filtering.conditions import Condition
from embedmill.shared.filtering.grammar import parse_filter
from embedmill.shared.providers.embeddings.base import Embedder, unit_rows
from embedmill.shared.providers.embeddings.table import open_embedder
from embedmill.shared.providers.vectorstores.embedded.store import EmbeddedVectorStore
from embedmill.shared.providers.vectorstores.rows import VectorRow
from embedmill.shared.sharding import shard_for
from embedmill.shared.starting import note_started
from embedmill.shared.words.queries import parse_query

SEED = 5
WORDS, WINDOWS = 120, 3
BATCH = 2_048
PACE_ROWS = 50_000
SMALL_ROWS = 59_000
QUERY_WORDS = 6
TOP = 10
VECTORS = "vectors.f16"
INGESTED_EACH_SECOND = 200
LATEST_LOOKED_FOR = 10
P95_MS, SMALL_P95_MS, RECALL, FIRST_ANSWER_SECONDS, RESIDENT_MB = 50.0, 10.0, 0.95, 2.0, 600.0
BESIDE_TIMES, FOUND_SECONDS = 2.0, 2.0
"""What is to be reached."""
FIRST_QUERY = "how is a module found when it is imported"
LATEST = "latest"
RARE = 2_000
FILTERS = {
    "0.05 %": "rare = 7",
    "3 %": 'lang = en and year >= 2020 and (team in ("a", "b") or not exists(draft))',
    "97 %": "not year = 1990",
}

Figures = dict[str, str]


def main(arguments: Sequence[str] | None = None) -> None:
    """Fill, ask, and print what was measured."""
    options = _parser().parse_args(arguments)
    if options.part:
        (options.shards,) = options.shards
        # Garbage is collected as in the processes that search; this one has loaded all that it will.
        note_started()
        _print(PARTS[options.part](options))
        return
    with tempfile.TemporaryDirectory(prefix="embedmill-bench-") as made:
        folder = options.folder or Path(made)
        print(f"load before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", flush=True)
        small = [_layout(options, folder, rows=options.small, shards=1)] if options.small else []
        large = [_layout(options, folder, rows=options.rows, shards=shards) for shards in options.shards]
        for layout in (*small, *large):
            layout.folder.mkdir(parents=True, exist_ok=True)
        filled = [(layout, _begun("fill", layout)) for layout in large if not (layout.folder / VECTORS).exists()]
        for layout, process in filled:
            _tell(layout, process)
        for layout in (*small, *large):
            parts = ("ask",) if layout in small else ("ask", "sift", "beside")
            for part in parts if (layout.folder / VECTORS).exists() else ("fill", *parts):
                _tell(layout, _begun(part, layout))


def _layout(options: argparse.Namespace, folder: Path, *, rows: int, shards: int) -> argparse.Namespace:
    """The options of one store."""
    own = {"rows": rows, "shards": shards, "folder": folder / f"{rows}-on-{shards}"}
    return argparse.Namespace(**{**vars(options), **own})


def _begun(part: str, layout: argparse.Namespace) -> subprocess.Popen[bytes]:
    given = [f"--{name}={getattr(layout, name)}" for name in ("rows", "shards", "folder", "data", "texts", "queries")]
    command = [sys.executable, "-m", "bench", "million", f"--part={part}", f"--began={time.time()}", *given]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def _tell(layout: argparse.Namespace, process: subprocess.Popen[bytes]) -> None:
    """Wait for a part, and print what it measured of a layout."""
    printed, _ = process.communicate()
    if process.returncode:
        raise SystemExit(process.returncode)
    found: dict[str, str] = json.loads(printed)
    for name, value in found.items():
        print(f"{layout.rows:>9,} on {layout.shards}: {name:44} {value}", flush=True)


def _of_goal(value: float, goal: float, form: str = ".2f") -> str:
    """A figure beside what it is to be at most."""
    return f"{value:{form}} (goal {goal:g}{'' if value <= goal else ', missed'})"


def fill(options: argparse.Namespace) -> Figures:
    """Write all rows, and their vectors beside them for the exact answers."""
    embedder, store = _embedder(), _store(options)
    shards = _shards(options)
    spent: list[float] = []
    with (options.folder / VECTORS).open("wb") as vectors:
        for start, texts in _batches(options):
            kept = as_kept(embedder.embed_batch(texts))
            vectors.write(kept.astype(np.float16).tobytes())
            rows = [_row(start + n, text, vector) for n, (text, vector) in enumerate(zip(texts, kept, strict=True))]
            began = time.perf_counter()
            for shard in shards:
                store.upsert(shard, [row for row in rows if shard_for(row.document, shards) == shard])
            spent.append((time.perf_counter() - began) / len(rows))
    store.close()
    some = max(PACE_ROWS // BATCH, 1)
    first, last = (len(part) / sum(part) for part in (spent[:some], spent[-some:]))
    size = sum(file.stat().st_size for file in options.folder.rglob("*") if file.is_file() and file.name != VECTORS)
    return {
        f"rows a second, first and last {PACE_ROWS}": f"{first:.0f} {last:.0f} ({last / first:.2f})",
        "store on disk, GB": f"{size / 1e9:.2f}",
    }


def ask(options: argparse.Namespace) -> Figures:
    """Ask every query in each mode, and compare the nearest with the exact ones."""
    searcher, embedder = _searcher(options), _embedder()
    searcher.search(FIRST_QUERY)
    first, worked = time.time() - options.began, time.process_time()
    # To make these takes longer than a first search does.
    queries = _queries(options)
    found = {"first answer after the process began, s": f"{_of_goal(first, FIRST_ANSWER_SECONDS)}, {worked:.2f} worked"}
    for mode in ("dense", "lexical", "hybrid"):
        spent = [_seconds(searcher, query, mode) for query in queries]
        found[f"{mode} p50, p95 ms"] = _milliseconds(spent)
    goal = SMALL_P95_MS if options.rows <= SMALL_ROWS else P95_MS
    found["hybrid p95 ms"] = _of_goal(1000 * _p95([clock for clock, _ in spent]), goal, ".1f")
    total, mapped = _resident()
    found["resident MB"] = f"{_of_goal(total, RESIDENT_MB, '.0f')}, {mapped:.0f} of it mapped files"
    recall = _recall(options, searcher, embedder, [query for query in queries if not _has_signs(query)])
    found[f"recall@{TOP} of dense"] = f"{recall:.3f} (goal {RECALL}{'' if recall >= RECALL else ', missed'})"
    return found


def sift(options: argparse.Namespace) -> Figures:
    """Ask with filters that leave few, some and most rows, the first time and then again."""
    searcher, queries = _searcher(options), _queries(options)
    searcher.search(queries[0])
    found: dict[str, str] = {}
    for name, text in FILTERS.items():
        where = parse_filter(text)
        first = _seconds(searcher, queries[0], "hybrid", where)
        spent = [_seconds(searcher, query, "hybrid", where) for query in queries]
        found[f"{name}: first s, p50, p95 ms"] = f"{first[0]:.2f} {_milliseconds(spent)}"
    hits = searcher.search(queries[0], mode="dense", where=parse_filter(FILTERS["0.05 %"]), top_k=TOP).hits
    assert all(int(hit.document, 16) % RARE == 7 for hit in hits)
    found["resident MB with filters"] = f"{_resident()[0]:.0f}"
    return found


def beside(options: argparse.Namespace) -> Figures:
    """Ask while another process writes documents, and look how soon they are found."""
    searcher, queries = _searcher(options), _queries(options)
    searcher.search(queries[0])
    alone = [_seconds(searcher, query, "hybrid") for query in queries]
    command = [sys.executable, "-m", "bench", "million", "--part=write", f"--folder={options.folder}"]
    with subprocess.Popen([*command, f"--shards={options.shards}"], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        both = [_seconds(searcher, query, "hybrid") for query in queries * 2]
        # What was written while nobody looked for it tells nothing.
        asked, told = time.time(), (line.split() for line in writer.stdout)
        fresh = ((word, written) for word, written in told if float(written) >= asked)
        after = [_found_after(searcher, word, written) for word, written in islice(fresh, LATEST_LOOKED_FOR)]
        writer.terminate()
    times = [_p95([clock for clock, _ in both]) / _p95([clock for clock, _ in alone])]
    times += [_p95([worked for _, worked in both]) / _p95([worked for _, worked in alone])]
    return {
        "hybrid alone p50, p95 ms": _milliseconds(alone),
        f"while {INGESTED_EACH_SECOND} are written a second": _milliseconds(both),
        "p95 beside it, times alone": f"{_of_goal(times[0], BESIDE_TIMES)}, of this process {times[1]:.2f}",
        "found after being written, at most s": _of_goal(max(after), FOUND_SECONDS),
    }


def _found_after(searcher: Searcher, word: str, written: str) -> float:
    """How many seconds after a document with this word was written it is found."""
    while not any(word in hit.text for hit in searcher.search(word, mode="lexical").hits):
        pass
    return time.time() - float(written)


def write(options: argparse.Namespace) -> Figures:
    """Write documents at a pace until somebody ends it; one a second is told, with a word of its own."""
    embedder, store, shards = _embedder(), _store(options), _shards(options)
    rng = np.random.default_rng(int(time.time()))
    began = time.monotonic()
    for turn in range(10_000):
        word = f"{LATEST}{rng.integers(10**12)}"
        texts = [" ".join([word, *(f"word{n}" for n in rng.integers(0, 5000, WORDS))]) for _ in range(20)]
        named = [f"new-{turn}-{n}-{rng.integers(10**9)}" for n in range(len(texts))]
        vectors = as_kept(embedder.embed_batch(texts))
        for document, text, vector in zip(named, texts, vectors, strict=True):
            store.upsert(shard_for(document, shards), [_row(document, text, vector)])
        if turn % 10 == 0:
            print(word, time.time(), flush=True)
        time.sleep(max(0.0, began + (turn + 1) * len(texts) / INGESTED_EACH_SECOND - time.monotonic()))
    return {}


PARTS = {"fill": fill, "ask": ask, "sift": sift, "beside": beside, "write": write}


def _embedder() -> Embedder:
    return open_embedder("local", cache_dir=Path(tempfile.gettempdir()) / "embedmill-bench")


def _store(options: argparse.Namespace) -> EmbeddedVectorStore:
    return EmbeddedVectorStore(options.folder / "store", dimensions=256)


def _shards(options: argparse.Namespace) -> list[str]:
    return [f"s{number}" for number in range(options.shards)]


def _searcher(options: argparse.Namespace) -> Searcher:
    known = Edition("v1", 1)
    return Searcher(_store(options), _shards(options), _embedder(), lambda documents: dict.fromkeys(documents, known))


def _row(number: int | str, text: str, vector: np.ndarray[Any, np.dtype[np.float32]]) -> VectorRow:
    document = f"{number:032x}" if isinstance(number, int) else number
    return VectorRow(
        id=row_id(document, "v1", 1, 0),
        document=document,
        version="v1",
        generation=1,
        ordinal=0,
        chunk=f"{document}-0",
        uri=f"file:///corpus/{document}.txt",
        title="",
        section="",
        text=text,
        start=0,
        end=len(text),
        page=None,
        index_version="1",
        vector=vector,
        metadata=_metadata(number) if isinstance(number, int) else {},
    )


def _metadata(number: int) -> dict[str, Any]:
    """Fields for filters to ask for, from few values to many."""
    told = {"rare": number % RARE, "lang": ("en", "de", "fr")[number % 3], "year": 1990 + number % 37}
    return told | {"team": "abcdef"[number % 6]} | ({"draft": True} if number % 5 else {})


def _batches(options: argparse.Namespace) -> Iterator[tuple[int, list[str]]]:
    texts = islice(_texts(options), options.rows)
    start = 0
    while batch := list(islice(texts, BATCH)):
        yield start, batch
        start += len(batch)


def _texts(options: argparse.Namespace) -> Iterator[str]:
    """Lines of the file of texts, if any; after them, and without it, windows of known words side by side."""
    sources: list[list[str]] = []
    if options.texts:
        with options.texts.open() as lines:
            for line in lines:
                if len(sources) < PACE_ROWS:
                    sources.append(line.split())
                yield line.rstrip("\n")
    for name in () if sources else ("cranfield", "pyfaq"):
        with (options.data / name / "docs.jsonl").open("rb") as lines:
            sources += [orjson.loads(line)["text"].split() for line in lines]
    rng = np.random.default_rng(SEED)
    while True:
        yield " ".join(" ".join(_window(rng, sources, WORDS // WINDOWS)) for _ in range(WINDOWS))


def _window(rng: np.random.Generator, sources: Sequence[Sequence[str]], words: int) -> Sequence[str]:
    source = sources[int(rng.integers(len(sources)))]
    begin = int(rng.integers(max(len(source) - words, 1)))
    return source[begin : begin + words]


def _queries(options: argparse.Namespace) -> list[str]:
    """Half of them judged queries, half windows of texts."""
    rng = np.random.default_rng(SEED)
    judged: list[str] = []
    for name in ("cranfield", "pyfaq"):
        with (options.data / name / "queries.jsonl").open("rb") as lines:
            judged += [orjson.loads(line)["text"] for line in lines]
    texts = [text.split() for text in islice(_texts(options), 0, min(options.rows, 200_000), 1000)]
    windows = [" ".join(_window(rng, texts, QUERY_WORDS)) for _ in range(options.queries // 2)]
    return [judged[n] for n in rng.permutation(len(judged))[: options.queries // 2]] + windows


def _seconds(searcher: Searcher, query: str, mode: Any, where: Condition | None = None) -> tuple[float, float]:
    """By the clock, and of this process alone, which a busy machine changes less."""
    began, worked = time.perf_counter(), time.process_time()
    searcher.search(query, mode=mode, where=where)
    return time.perf_counter() - began, time.process_time() - worked


def _p95(seconds: Sequence[float]) -> float:
    return quantiles(seconds, n=20)[-1]


def _milliseconds(spent: Sequence[tuple[float, float]]) -> str:
    clock, worked = (f"{median(of) * 1000:.1f} {_p95(of) * 1000:.1f}" for of in zip(*spent, strict=True))
    return f"{clock} (of this process {worked})"


def _resident() -> tuple[float, float]:
    """Megabytes of this process, and how many of these are mapped files."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    total, mapped = (int(lines[name].split()[0]) / 1024 for name in ("VmRSS", "RssFile"))
    return total, mapped


def _recall(options: argparse.Namespace, searcher: Searcher, embedder: Embedder, queries: Sequence[str]) -> float:
    kept = np.memmap(options.folder / VECTORS, np.float16, "r").reshape(-1, embedder.dimensions)
    asked = embedder.embed_batch([parse_query(query).plain for query in queries], input_type="query")
    pages = (unit_rows(kept[n : n + PACE_ROWS].astype(np.float32)) for n in range(0, len(kept), PACE_ROWS))
    scores = np.concatenate([asked @ page.T for page in pages], axis=1)
    met = 0
    for query, row in zip(queries, scores, strict=True):
        bar = np.partition(row, -TOP)[-TOP]
        hits = searcher.search(query, mode="dense", view=EVERY_CHUNK).hits
        met += sum(row[int(hit.document, 16)] >= bar - 1e-5 for hit in hits if not hit.document.startswith("new"))
    return met / (TOP * len(queries))


def _has_signs(query: str) -> bool:
    """Whether a query limits what may be found: then the nearest rows are no measure."""
    read = parse_query(query)
    return bool(read.phrases or read.excluded or read.excluded_phrases)


def _print(found: Figures) -> None:
    sys.stdout.write(json.dumps({**found, "load": f"{os.getloadavg()[0]:.1f}"}))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench million", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="chunks")
    parser.add_argument("--small", type=int, default=SMALL_ROWS, help="chunks of a small store")
    parser.add_argument("--shards", type=int, nargs="+", default=[8, 1], help="shards of each layout")
    parser.add_argument("--queries", type=int, default=200, help="queries")
    parser.add_argument("--folder", type=Path, help="where the store is kept; a temporary folder otherwise")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of the judged collections")
    parser.add_argument("--texts", type=_file, help="file of texts, one a line")
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    parser.add_argument("--began", type=float, default=0.0, help=argparse.SUPPRESS)
    return parser


def _file(name: str) -> Path | None:
    return None if name in ("", "None") else Path(name)


if __name__ == "__main__":
    main()
