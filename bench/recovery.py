"""What killed claims cost: their documents as such, as suspects in halves, and as suspects one by one, in one run.

`python -m bench recovery [--documents 1024] [--rounds 3]` submits a corpus, and works the same home off in each of the
three ways, over a Redis of its own. The suspects are marked as the loss of claims of 256 marks them, and as it did
before decision 0083. It prints documents a second of the whole command, and the time by that of the first way.
"""

import argparse
import os
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

from bench.ingest import make_corpus, run

# The company that a document may be in; None is one that was never lost.
WAYS = {"never lost": None, "in halves": 128, "one by one": 1}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run and print."""
    from tests.services import redis

    parser = argparse.ArgumentParser(prog="python -m bench recovery", description=__doc__)
    parser.add_argument("--documents", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="embedmill-bench-") as folder, redis.running_server() as server:
        os.environ["EMBEDMILL_BROKER_URL"] = server.url
        for line in measure(Path(folder), options.documents, rounds=options.rounds, wipe=server.wipe):
            print(line)
    print(f"load {os.getloadavg()[0]:.1f}")


def measure(folder: Path, documents: int, *, rounds: int, wipe: Callable[[], None]) -> list[str]:
    """A line for each way."""
    corpus = make_corpus(folder / "corpus", documents)
    submitted, home = folder / "submitted", folder / "home"
    run(_command("submit", corpus), home=submitted)
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(rounds):
        for way, company in WAYS.items():
            wipe()
            _prepare(home, submitted, company)
            seconds[way].append(run(_command("ingest", corpus), home=home).seconds)
    base = median(seconds["never lost"])
    return [
        f"{way:12}{documents / median(took):6.0f} a second {median(took) / base:6.2f}" for way, took in seconds.items()
    ]


def _prepare(home: Path, submitted: Path, company: int | None) -> None:
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(submitted, home)
    if company is not None:
        connection = sqlite3.connect(home / "tracking.db", isolation_level=None)
        connection.execute("UPDATE work SET crashes = 1, claimed_with = ?", (company,))
        connection.close()


def _command(name: str, corpus: Path) -> list[str]:
    return [sys.executable, "-m", "embedmill.console", name, str(corpus), "--json"]


if __name__ == "__main__":
    main()
