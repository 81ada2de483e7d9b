"""Measures the cutter: `python -m bench words [--texts FILE …]`.

Prints what cutting a chunk of 200 words costs, the first time and from then on, what reading a query costs, and how
many terms a chunk has. The texts are those of docs/ unless others are named. One thread, the best of several runs.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from random import Random
from statistics import mean

from embedmill.shared.words.cutting import count_terms
from embedmill.shared.words.queries import parse_query

WORDS_IN_A_CHUNK = 200
RUNS = 5
QUERIES = {
    "3 words": "annual boiler inspection",
    "a question": "what is the highest pressure that the boiler may have in winter",
    "an identifier": "embedmill.retrieval.parse_retry_after",
    "signs": '"red pump" -valve -"blue hose" temperature -40',
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one line for chunks, and one for each kind of query."""
    options = _parser().parse_args(arguments)
    files = options.texts or sorted((Path(__file__).parent.parent / "docs").rglob("*.md"))
    chunks = [chunk for file in files for chunk in _chunks(file.read_text("utf-8"))]
    first = mean(_seconds(partial(count_terms, text=chunk), runs=1) for chunk in chunks)
    again = mean(_seconds(partial(count_terms, text=chunk), runs=RUNS) for chunk in chunks)
    terms = mean(len(count_terms(text=chunk).terms) for chunk in chunks)
    print(f"{len(chunks)} chunks of {WORDS_IN_A_CHUNK} words, {terms:.0f} terms each")
    print(f"cut: {first * 1e6:.0f} µs a chunk at first, {again * 1e6:.0f} µs once their words are known")
    for name, query in (QUERIES | {"100 KB of random words": _random_words()}).items():
        print(f"query, {name}: {_seconds(partial(parse_query, query), runs=RUNS) * 1e6:,.0f} µs")
    return 0


def _chunks(text: str) -> list[str]:
    words = text.split()
    whole = len(words) // WORDS_IN_A_CHUNK
    return [" ".join(words[at * WORDS_IN_A_CHUNK :][:WORDS_IN_A_CHUNK]) for at in range(whole)]


def _random_words() -> str:
    draw = Random(11)
    return " ".join("".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=8)) for _ in range(11_000))


def _seconds(work: Callable[[], object], *, runs: int) -> float:
    spent = []
    for _ in range(runs):
        begin = time.process_time()
        work()
        spent.append(time.process_time() - begin)
    return min(spent)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench words", description=__doc__)
    parser.add_argument("--texts", nargs="+", type=Path, help="files of text")
    return parser
