"""The benchmark of limits: a real ingest with several workers under a simulated provider's tokens a minute.

`python -m bench limits [--minutes 5] [--warm-up 60] [--tpm 240000] [--workers 4] [--told]` prints how much of the
limit was used and how many calls the provider refused. With `--told` the limit is set beforehand; otherwise it is
learned from headers. A provider's bucket is full at the start, and what is in it can be used at once: the minutes that
are measured begin after the warm-up, and the figures with the start in them are printed beside.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.ingest import make_corpus
from embedmill.simulators.base import Options
from embedmill.simulators.openai import OpenAISimulator
from embedmill.simulators.serving import Running, running

TOKENS_PER_DOCUMENT = 600
"""About; there are half as many documents again as the limit lets through."""
BATCH_DOCUMENTS = 8
POLL_SECONDS = 0.02


def main(arguments: Sequence[str] | None = None) -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description="Limits benchmark.")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--warm-up", type=float, default=60.0, help="seconds before the minutes that are measured")
    parser.add_argument("--tpm", type=int, default=240_000, help="tokens a minute that the provider allows")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--told", action="store_true", help="set the limit, instead of having it learned")
    options = parser.parse_args(arguments)
    limits = {"openai": {"tpm": options.tpm}} if options.told else {}
    with (
        tempfile.TemporaryDirectory(prefix="embedmill-bench-") as folder,
        running(OpenAISimulator(Options(tokens_per_minute=options.tpm, latency_seconds=0.06))) as provider,
    ):
        documents = int(1.5 * (options.minutes + options.warm_up / 60 + 0.3) * options.tpm / TOKENS_PER_DOCUMENT)
        corpus = make_corpus(Path(folder, "corpus"), documents)
        environment = {
            **os.environ,
            **provider.environment,
            "EMBEDMILL_HOME": str(Path(folder, "home")),
            "EMBEDMILL_EMBEDDING": "openai/text-embedding-3-small@64",
            "EMBEDMILL_WORKERS": str(options.workers),
            "EMBEDMILL_BATCH_DOCUMENTS": str(BATCH_DOCUMENTS),
            "EMBEDMILL_LIMITS": json.dumps(limits),
        }
        bounds = (options.warm_up, 60 * options.minutes)
        for name, value in measure(corpus, environment, provider, bounds=bounds, tpm=options.tpm):
            print(f"{name:58} {value}")


@dataclass(frozen=True, slots=True)
class Count:
    """What the provider did until a moment."""

    seconds: float
    tokens: int = 0
    calls: int = 0
    refused: int = 0

    def since(self, before: "Count") -> "Count":
        """What it did between two moments."""
        return Count(
            self.seconds - before.seconds,
            self.tokens - before.tokens,
            self.calls - before.calls,
            self.refused - before.refused,
        )

    def used(self, tpm: int) -> str:
        """Of a limit a minute, in percent."""
        return f"{100 * self.tokens / (tpm * self.seconds / 60):.1f} %"

    @property
    def refusals(self) -> str:
        """In percent of the calls."""
        return f"{100 * self.refused / max(self.calls, 1):.2f} % of {self.calls}"


class Counter:
    """Counts what a simulator answered; the time begins with the first call."""

    def __init__(self, simulator: OpenAISimulator) -> None:
        self._simulator = simulator
        self._began = time.monotonic()
        self._calls = self._refused = 0

    def count(self) -> Count:
        """Everything until now."""
        while self._simulator.exchanges:
            exchange = self._simulator.exchanges.popleft()
            self._calls, self._refused = self._calls + 1, self._refused + (exchange.status == 429)
        tokens = self._simulator.bill.total("tokens_in")
        return Count(time.monotonic() - self._began, tokens, self._calls, self._refused)


def measure(
    corpus: Path,
    environment: dict[str, str],
    provider: Running[OpenAISimulator],
    *,
    bounds: tuple[float, float],
    tpm: int,
) -> list[tuple[str, str]]:
    """(figure, value) rows; `bounds` are the seconds of the warm-up and those that are measured after it."""
    command = [str(Path(sys.executable).with_name("embedmill")), "ingest", str(corpus), "--json"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, start_new_session=True)
    warm_up, measured = bounds
    try:
        while not provider.simulator.exchanges and process.poll() is None:
            time.sleep(POLL_SECONDS)
        counter = Counter(provider.simulator)
        warm = _watch(process, counter, until=warm_up)
        whole = _watch(process, counter, until=warm_up + measured)
        early = process.poll() is not None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    steady = whole.since(warm)
    return [
        ("tokens used of the limit after the start (target >= 95 %)", steady.used(tpm)),
        ("tokens used of the limit, the full bucket of the start too", whole.used(tpm)),
        ("calls refused after the start (target <= 1 %)", steady.refusals),
        ("calls refused, the start too", whole.refusals),
        ("seconds measured", f"{steady.seconds:.0f} after {warm.seconds:.0f}{' (the work ran out)' if early else ''}"),
    ]


def _watch(process: "subprocess.Popen[bytes]", counter: Counter, *, until: float) -> Count:
    while (count := counter.count()).seconds < until and process.poll() is None:
        time.sleep(POLL_SECONDS)
    return count
