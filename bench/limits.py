"""The benchmark of limits: a real ingest with several workers under a simulated provider's tokens a minute.

`python -m bench limits [--minutes 5] [--tpm 240000] [--workers 4] [--told]` prints how much of the limit was used and
how many calls the provider refused. With `--told` the limit is set beforehand; otherwise it is learned from headers.
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
from pathlib import Path

from bench.ingest import make_corpus
from shared.simulators.base import Options
from shared.simulators.openai import OpenAISimulator
from shared.simulators.serving import Running, running

TOKENS_PER_DOCUMENT = 600
"""About; there are half as many documents again as the limit lets through."""
BATCH_DOCUMENTS = 8
POLL_SECONDS = 0.02


def main(arguments: Sequence[str] | None = None) -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description="Limits benchmark.")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--tpm", type=int, default=240_000, help="tokens a minute that the provider allows")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--told", action="store_true", help="set the limit, instead of having it learned")
    options = parser.parse_args(arguments)
    limits = {"openai": {"tpm": options.tpm}} if options.told else {}
    with (
        tempfile.TemporaryDirectory(prefix="embedmill-bench-") as folder,
        running(OpenAISimulator(Options(tokens_per_minute=options.tpm, latency_seconds=0.06))) as provider,
    ):
        documents = int(1.5 * (options.minutes + 0.3) * options.tpm / TOKENS_PER_DOCUMENT)
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
        for name, value in measure(corpus, environment, provider, seconds=60 * options.minutes, tpm=options.tpm):
            print(f"{name:46} {value}")


def measure(
    corpus: Path, environment: dict[str, str], provider: Running[OpenAISimulator], *, seconds: float, tpm: int
) -> list[tuple[str, str]]:
    """(figure, value) rows; the time begins with the first call."""
    command = [str(Path(sys.executable).with_name("embedmill")), "ingest", str(corpus), "--json"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, start_new_session=True)
    simulator = provider.simulator
    calls, refused, tokens = 0, 0, 0
    try:
        while not simulator.exchanges and process.poll() is None:
            time.sleep(POLL_SECONDS)
        began = time.monotonic()
        while time.monotonic() - began < seconds and process.poll() is None:
            time.sleep(POLL_SECONDS)
            while simulator.exchanges:
                exchange = simulator.exchanges.popleft()
                calls, refused = calls + 1, refused + (exchange.status == 429)
        tokens, took = simulator.bill.total("tokens_in"), time.monotonic() - began
        early = process.poll() is not None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return [
        ("tokens used of the limit (target >= 95 %)", f"{100 * tokens / (tpm * took / 60):.1f} %"),
        ("calls refused (target <= 1 %)", f"{100 * refused / max(calls, 1):.1f} % of {calls}"),
        ("seconds measured", f"{took:.0f}{' (the work ran out)' if early else ''}"),
    ]
