"""The disk benchmark: what an ingest leaves on the disk, part by part, and whether it slows down as a home grows.

`python -m bench disk [--rows 50000] [--steps 5] [--chunks-each 1] [--embedding local] [--home FOLDER]` ingests made-up
rows in as many steps, and prints bytes a chunk by part, the pace of each step, and the processor's time, which a busy
machine blurs least. A home that is named is kept, and grown further the next time. Sizes are of disk blocks; SQLite's
are told by table.
"""

import argparse
import itertools
import json
import os
import random
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.ingest import run

SEED = 5
VOCABULARY, EXPONENT = 60_000, 1.05
WORDS_OF_A_CHUNK, WORDS_OF_A_SENTENCE = 120, 12
SYLLABLES = (
    "ba ce di fo gu ha je ki lo mu na pe qui ro su ta ve wi xo yu za bre cli dro flu gra sta tri pla ment tion ing er"
).split()
TABLES_SHOWN = 12
BLOCK_BYTES = 512
"""The unit of `st_blocks`, whatever the file system's own blocks are."""
FILES = {"tracking.db": "tracker", "cache.db": "cache", "queue.db": "queue"}
FOLDERS = {"blobs": "blobs", "vectors": "store"}


@dataclass(frozen=True, slots=True)
class Weighed:
    """One ingest: chunks in the home afterwards, and what it took."""

    chunks: int
    added: int
    wall_seconds: float
    processor_seconds: float

    @property
    def pace(self) -> float:
        """Chunks a second of wall time."""
        return self.added / self.wall_seconds


def main(arguments: Sequence[str] | None = None) -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description="Disk benchmark.")
    parser.add_argument("--rows", type=int, default=50_000, help="rows of all steps together")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--chunks-each", type=int, default=1, help="chunks of a row; one is the worst case")
    parser.add_argument("--embedding", default="local")
    parser.add_argument("--home", type=Path, help="a home to grow; a temporary one otherwise")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="embedmill-bench-") as folder:
        home = options.home or Path(folder) / "home"
        rows = made_up_rows(options.chunks_each * WORDS_OF_A_CHUNK)
        steps = []
        for number in range(options.steps):
            file = _write(Path(folder) / f"{number}-{time.time_ns()}.jsonl", rows, options.rows // options.steps)
            steps.append(_grow(home, file, embedding=options.embedding))
            print(_told(steps), flush=True)
            file.unlink()
        for name, value in measure(home, steps[-1].chunks):
            print(f"{name:46} {value:8,.0f} bytes a chunk")


def measure(home: Path, chunks: int) -> Iterator[tuple[str, float]]:
    """Bytes a chunk by part of a home, and in all, with the largest tables of each database beside their file."""
    parts: dict[str, int] = {}
    for path in (path for path in home.rglob("*") if path.is_file()):
        part = _part_of(path.relative_to(home))
        parts[part] = parts.get(part, 0) + path.stat().st_blocks * BLOCK_BYTES
    for part, size in sorted(parts.items(), key=lambda entry: -entry[1]):
        yield part, size / chunks
    yield "everything", sum(parts.values()) / chunks
    for path in (home / "tracking.db", home / "cache.db", *sorted(home.glob("vectors/*/*.db"))):
        for table, size in _tables(path) if path.exists() else ():
            yield f"  {path.name}: {table}", size / chunks


def _part_of(path: Path) -> str:
    first = path.parts[0]
    name = FOLDERS.get(first) or FILES.get(first.removesuffix("-wal").removesuffix("-shm"), first)
    return f"{name}, indexes" if name == "store" and path.suffix not in {".db", ".db-wal", ".db-shm"} else name


def _tables(path: Path) -> list[tuple[str, int]]:
    """Tables and indexes of a file of SQLite with their bytes, the largest first; none where SQLite cannot tell."""
    query = "SELECT name, sum(pgsize) FROM dbstat GROUP BY name ORDER BY 2 DESC LIMIT ?"
    try:
        with closing(sqlite3.connect(path)) as connection:
            return connection.execute(query, (TABLES_SHOWN,)).fetchall()
    except sqlite3.OperationalError:
        return []


def _grow(home: Path, file: Path, *, embedding: str) -> Weighed:
    before = os.times()
    command = [sys.executable, "-m", "embedmill.console", "ingest", str(file), "--json"]
    ingest = run(command, home=home, embedding=embedding)
    after = os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    with closing(sqlite3.connect(home / "tracking.db")) as connection:
        ((chunks,),) = connection.execute("SELECT sum(chunks_expected - chunks_rejected) FROM document")
    return Weighed(chunks, ingest.report["chunks"]["indexed"], ingest.seconds, spent)


def _told(steps: Sequence[Weighed]) -> str:
    first, last = steps[0], steps[-1]
    ratios = f"{last.pace / first.pace:.2f} of the first step's pace"
    spent = f"{1e6 * last.processor_seconds / last.added:,.0f} µs of the processor a chunk"
    return f"{last.chunks:>9,} chunks: {last.pace:6,.0f} a second, {ratios}; {spent}"


def _write(file: Path, rows: Iterator[dict[str, Any]], count: int) -> Path:
    with file.open("w") as out:
        out.writelines(f"{json.dumps(row)}\n" for row in itertools.islice(rows, count))
    return file


def made_up_rows(words: int) -> Iterator[dict[str, Any]]:
    """Rows of made-up words, as often as words are; no two runs have a row in common."""
    vocabulary = _vocabulary()
    weights = list(itertools.accumulate((rank + 1) ** -EXPONENT for rank in range(VOCABULARY)))
    run, choose = time.time_ns(), random.Random(SEED)
    for number in itertools.count():
        drawn = choose.choices(vocabulary, cum_weights=weights, k=words)
        starts = range(0, words, WORDS_OF_A_SENTENCE)
        sentences = (" ".join(drawn[start : start + WORDS_OF_A_SENTENCE]).capitalize() for start in starts)
        yield {"id": f"row-{run}-{number}", "text": ". ".join(sentences) + "."}


def _vocabulary() -> list[str]:
    """Words of one to four syllables, the short ones first, as frequent words are."""
    choose, found = random.Random(SEED), dict[str, None]()
    while len(found) < VOCABULARY:
        found["".join(choose.choices(SYLLABLES, k=choose.choice((1, 2, 2, 3, 3, 4))))] = None
    return sorted(found, key=lambda word: len(word) + 8 * choose.random())


if __name__ == "__main__":
    main()
