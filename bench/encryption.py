"""The encryption benchmark: what an ingest and a search take with a collection encrypted, over what they take without.

`python -m bench encryption [--rows 3000] [--turns 3] [--queries 100] [SOURCE]` ingests made-up rows, or a folder,
in turn into a collection of each kind, and searches both; the processor's time, children included, is compared.
"""

import argparse
import itertools
import json
import os
import resource
import secrets
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench.disk import WORDS_OF_A_CHUNK, made_up_rows

KINDS: dict[str, tuple[str, ...]] = {"without": (), "encrypted": ("--encrypt",)}
COMMAND = (sys.executable, "-m", "embedmill.console")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description="Encryption benchmark.")
    parser.add_argument("source", nargs="?", type=Path, help="a folder; made-up rows otherwise")
    parser.add_argument("--rows", type=int, default=3_000)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--embedding", default="local")
    options = parser.parse_args(arguments)
    spent: dict[str, dict[str, list[float]]] = {what: {kind: [] for kind in KINDS} for what in ("ingest", "search")}
    print(f"load before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", flush=True)
    with TemporaryDirectory(prefix="embedmill-bench-") as folder:
        source = options.source or _write_rows(Path(folder) / "rows.jsonl", options.rows)
        queries = _write_queries(Path(folder) / "queries.jsonl", options.queries)
        for turn in range(options.turns):
            for kind in sorted(KINDS, reverse=bool(turn % 2)):
                with _home(options.embedding) as environment:
                    _run(["collections", "create", "default", *KINDS[kind]], environment)
                    spent["ingest"][kind].append(_run(["ingest", str(source), "--json"], environment))
                    spent["search"][kind].append(_run(["search", "--queries", str(queries), "--json"], environment))
    for what, times in spent.items():
        without, encrypted = median(times["without"]), median(times["encrypted"])
        print(f"{what}: {without:.2f} s without, {encrypted:.2f} s encrypted: {encrypted / without:.3f} times")


@contextmanager
def _home(embedding: str) -> Iterator[dict[str, str]]:
    with TemporaryDirectory(prefix="embedmill-bench-") as home:
        key = {"BENCH_ROOT_KEY": secrets.token_hex(32), "EMBEDMILL_KEY": "env://BENCH_ROOT_KEY"}
        yield {**os.environ, **key, "EMBEDMILL_HOME": home, "EMBEDMILL_EMBEDDING": embedding}


def _run(arguments: Sequence[str], environment: dict[str, str]) -> float:
    """Seconds of processor time of one command, its workers' included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([*COMMAND, *arguments], env=environment, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _write_rows(file: Path, count: int) -> Path:
    return _write_lines(file, itertools.islice(made_up_rows(WORDS_OF_A_CHUNK), count))


def _write_queries(file: Path, count: int) -> Path:
    rows = itertools.islice(made_up_rows(4), count)
    return _write_lines(file, ({"id": str(n), "text": row["text"]} for n, row in enumerate(rows)))


def _write_lines(file: Path, rows: Iterator[dict[str, str]]) -> Path:
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return file


if __name__ == "__main__":
    main()
