"""The paid embedder against a bare asyncio script with maximal batches, both at the same simulated provider.

The provider answers after 60 ms and takes eight requests at once; it is a process of its own. Both sides count tokens
to fill their requests; rounds alternate, and the ratio is that of the medians. Short texts run into the limit of inputs
a request, long ones into that of tokens. Calls are the simulator's count, against the fewest that its limits allow.
"""

import argparse
import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from embedmill.shared.asking.packing import ItemSize, Room, lower_bound
from embedmill.shared.providers.embeddings.table import open_embedder
from embedmill.shared.tokenizer import count_many

MODEL, DIMENSIONS = "text-embedding-3-small", 256
MAX_INPUTS, MAX_TOKENS, CONCURRENCY = 2048, 300_000, 8
WORDS = (
    "queue worker lease chunk vector shard index budget token ledger broker message retry document parser heading the "
    "of and wing boundary layer pressure heat transfer flow plate cylinder shock experiment theory 42 2026 naïve — ."
).split()
WORKLOADS = {"short": (3.2, 40_000), "long": (5.0, 8_000)}
"""Logarithm of the median of words in a text, and how many texts."""
SEED = 1
GOAL_RATIO, GOAL_CALLS = 0.95, 1.02


def main(arguments: Sequence[str]) -> None:
    """Print a JSON report; ends with 1 when a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench embeddings", description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="of the numbers of texts")
    parser.add_argument("--latency-ms", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    report = {}
    with simulated(options.latency_ms) as url:
        for name, (median_words, count) in WORKLOADS.items():
            texts = draw_texts(int(count * options.scale), median_words=median_words)
            report[name] = compare(texts, url, rounds=options.rounds)
    print(json.dumps(report, indent=2))
    sys.exit(any(r["ratio"] < GOAL_RATIO or r["calls_over_least"] > GOAL_CALLS for r in report.values()))


def compare(texts: Sequence[str], url: str, *, rounds: int) -> dict[str, Any]:
    """Run both sides in turns and put them side by side."""
    sides: dict[str, Callable[[], None]] = {"bare": lambda: bare(texts), "embedmill": lambda: ours(texts)}
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    calls: dict[str, int] = {}
    for number in range(rounds + 1):
        for name, side in sides.items():
            urllib.request.urlopen(urllib.request.Request(f"{url}/_sim/bill", method="DELETE")).close()  # noqa: S310
            started = time.monotonic()
            side()
            if number:  # the first round warms both up
                seconds[name].append(time.monotonic() - started)
            calls[name] = _requests(url)
    tokens = count_many(texts)
    least = lower_bound([ItemSize(count) for count in tokens], Room(MAX_INPUTS, MAX_TOKENS))
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    return {
        "texts": len(texts),
        "tokens": sum(tokens),
        "seconds": {name: [round(value, 3) for value in times] for name, times in seconds.items()},
        "texts_per_second": {name: round(len(texts) / median) for name, median in medians.items()},
        "ratio": round(medians["bare"] / medians["embedmill"], 3),
        "calls": {**calls, "least": least},
        "calls_over_least": round(calls["embedmill"] / least, 4),
    }


def ours(texts: Sequence[str]) -> None:
    """What a worker does."""
    embedder = open_embedder(f"openai/{MODEL}@{DIMENSIONS}", cache_dir=Path("unused"))
    result = embedder.embed_many(texts)
    embedder.close()
    assert not result.errors
    assert result.vectors.shape == (len(texts), DIMENSIONS)


def bare(texts: Sequence[str]) -> None:
    """What one would write for the purpose: full batches, eight at a time, no retries, no checks."""
    vectors = asyncio.run(_bare(texts))
    assert len(vectors) == len(texts)


async def _bare(texts: Sequence[str]) -> list[list[float]]:
    import openai

    gate = asyncio.Semaphore(CONCURRENCY)
    async with openai.AsyncOpenAI(max_retries=0) as client:

        async def send(batch: list[str]) -> list[list[float]]:
            async with gate:
                answer = await client.embeddings.create(model=MODEL, input=batch, dimensions=DIMENSIONS)
            return [item.embedding for item in answer.data]

        answers = await asyncio.gather(*(send(batch) for batch in _batches(texts)))
    return [vector for answer in answers for vector in answer]


def _batches(texts: Sequence[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    used = 0
    for text, tokens in zip(texts, count_many(texts), strict=True):
        if batch and (len(batch) == MAX_INPUTS or used + tokens > MAX_TOKENS):
            yield batch
            batch, used = [], 0
        batch.append(text)
        used += tokens
    if batch:
        yield batch


def draw_texts(count: int, *, median_words: float) -> list[str]:
    """Chunks of lognormal length, 5 to 2,000 words."""
    draw = random.Random(SEED)
    lengths = (min(max(5, int(draw.lognormvariate(median_words, 0.6))), 2000) for _ in range(count))
    return [" ".join(draw.choices(WORDS, k=length)) for length in lengths]


@contextmanager
def simulated(latency_ms: int) -> Iterator[str]:
    """A simulated OpenAI in its own process, with the variables that lead the SDK there; yields its URL."""
    command = [
        sys.executable,
        "-m",
        "embedmill.console",
        "simulate",
        "openai",
        "--json",
        "--latency-ms",
        str(latency_ms),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            told = json.loads(process.stdout.readline())
            os.environ.update(told["environment"])
            yield told["url"]
        finally:
            process.terminate()


def _requests(url: str) -> int:
    with urllib.request.urlopen(f"{url}/_sim/bill") as answer:  # noqa: S310 - our own simulator
        requests: int = json.load(answer)["totals"]["requests"]
    return requests
