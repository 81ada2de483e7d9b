"""The submission benchmark: `embedmill submit` of a JSONL file, documents a second and peak memory.

`python -m bench submit [--rows 200000] [--small 20000] [--database-url postgresql://…]`; SQLite by default. The second
submission of the same file is what taking up an interrupted one costs.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import orjson

from bench.ingest import SEED, WORDS

TEXT_WORDS = 60


def main(arguments: Sequence[str] | None = None) -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description="Submission benchmark.")
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--small", type=int, default=20_000, help="rows whose peak memory is compared with")
    parser.add_argument("--database-url", default="", help="an empty database; SQLite in a temporary folder otherwise")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="embedmill-bench-") as folder:
        for name, value in measure(Path(folder), options.rows, small=options.small, url=options.database_url):
            print(f"{name:46} {value}", flush=True)


def measure(folder: Path, rows: int, *, small: int, url: str) -> Iterator[tuple[str, str]]:
    """(figure, value) rows."""
    _, few = _submit(folder, make_rows(folder / "small.jsonl", small), url)
    path = make_rows(folder / "large.jsonl", rows)
    seconds, peak = _submit(folder, path, url)
    yield f"documents a second of {rows:,} (target >= 5,000)", f"{rows / seconds:,.0f}"
    yield f"peak memory at {small:,} / {rows:,} rows, MB", f"{few:.0f} / {peak:.0f}"
    yield "ratio of the two (target <= 1.1)", f"{peak / few:.2f}"
    again, _ = _submit(folder, path, url)
    yield "documents a second when submitted again", f"{rows / again:,.0f}"


def make_rows(path: Path, rows: int) -> Path:
    """A JSONL file of texts of some 450 bytes, the same for the same count."""
    choose = random.Random(SEED)
    with path.open("wb") as file:
        for number in range(rows):
            text = " ".join(choose.choices(WORDS, k=TEXT_WORDS))
            row = {"id": f"{path.stem}-{number}", "title": f"Report {number}", "text": f"{text} {number}."}
            file.write(orjson.dumps(row | {"metadata": {"year": 2000 + number % 26}}) + b"\n")
    return path


def _submit(folder: Path, path: Path, url: str) -> tuple[float, float]:
    """Wall seconds, interpreter start included, and peak memory in MB."""
    environment = os.environ | {
        "EMBEDMILL_HOME": str(folder / "home"),
        "EMBEDMILL_EMBEDDING": "hash",
        "EMBEDMILL_DATABASE_URL": url,
    }
    began = time.perf_counter()
    command = [sys.executable, "-m", "embedmill.console", "submit", str(path), "--json"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"submit ended with status {process.returncode}")
    return time.perf_counter() - began, usage.ru_maxrss / 1024


if __name__ == "__main__":
    main()
